//! The mutation `registerEnrollmentKey`.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::enrollment_key::secret::NotAKey;
use entity::enrollment_key::{self, Column, EnrollmentKeySecret};
use entity::organization;
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, QuerySelect, Set, Unchanged};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{EnrollmentKey, advice, ring};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::object;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// The enrollment, and its key.
#[derive(InputObject)]
#[graphql(name = "RegisterEnrollmentKeyInput")]
pub struct RegisterEnrollmentKeyInput {
    /// The number of the enrollment.
    enrollment_number: String,
    /// The key, as the Azure portal shows it. It is encrypted where it is stored, and never shown again.
    key: String,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The enrollment key that was registered, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "RegisterEnrollmentKeyPayload")]
pub struct RegisterEnrollmentKeyPayload {
    /// The enrollment key. Its state is null until it was checked with Microsoft, which is begun.
    enrollment_key: Option<EnrollmentKey>,
    /// Why it was not registered.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RegisterEnrollmentKey;

#[Object(name = "RegisterEnrollmentKeyMutation")]
impl RegisterEnrollmentKey {
    /// Registers the key of an enrollment; it takes the place of the one that was registered before. It is
    /// checked with Microsoft now and every day. Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `INVALID_ENROLLMENT_NUMBER`, `KEY_INCOMPLETE`, `NOT_AN_ENROLLMENT_KEY`,
    /// `ANOTHER_ENROLLMENT`, `KEY_EXPIRED`.
    async fn register_enrollment_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The enrollment, and its key.")] input: RegisterEnrollmentKeyInput,
    ) -> Option<RegisterEnrollmentKeyPayload> {
        let RegisterEnrollmentKeyInput { enrollment_number, key, client_mutation_id } = input;
        let outcome = register(ctx, enrollment_number.trim(), &SecretString::from(key)).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let enrollment_key = row.and_then(object);
                Some(RegisterEnrollmentKeyPayload { enrollment_key, user_errors, client_mutation_id })
            }),
        )
    }
}

async fn register(ctx: &Context<'_>, number: &str, pasted: &SecretString) -> Outcome<enrollment_key::Model> {
    let scope = Scope::of(ctx, Permission::ChangeEnrollmentKeys)?;
    let key = match accept(scope, number, pasted) {
        Ok(key) => key,
        Err(error) => return Ok(Err(error)),
    };
    let stored = store(scope, &key).await.map_err(|error| internal(&error))?;
    tracing::info!(enrollment_key.id = %stored.id, "enrollment key registered");
    ring(scope, &stored).await;
    Ok(Ok(stored))
}

/// The key, if it is worth asking Microsoft about. No message repeats anything of it.
fn accept(scope: Scope<'_>, number: &str, pasted: &SecretString) -> Result<EnrollmentKeySecret, UserError> {
    use UserErrorCode as Code;
    if !microsoft::consumption::is_number(number) {
        let message = "Give the enrollment's number: digits, as the Azure portal shows it.";
        return Err(UserError::new(Code::InvalidEnrollmentNumber, "enrollmentNumber", message));
    }
    let refuse = |code, message: &str| Err(UserError::new(code, "key", message));
    let key = match EnrollmentKeySecret::read(pasted) {
        Ok(key) => key,
        Err(NotAKey::Incomplete) => {
            let message = "The key is incomplete. Copy it again, in full, from the Azure portal.";
            return refuse(Code::KeyIncomplete, message);
        }
        Err(NotAKey::AnotherKind) => {
            let message = "This is no enrollment key. Copy the API access key of the enrollment from the Azure \
                           portal.";
            return refuse(Code::NotAnEnrollmentKey, message);
        }
    };
    if !key.enrollment_number().eq_ignore_ascii_case(number) {
        let message =
            "The key is of another enrollment. Check the number, or copy the key of this enrollment.";
        return refuse(Code::AnotherEnrollment, message);
    }
    if key.expires_at() <= scope.services.clock.now() {
        let expired = advice::written(key.expires_at());
        let message = format!("The key expired at {expired}. Generate a new one in the Azure portal.");
        return refuse(Code::KeyExpired, &message);
    }
    Ok(key)
}

async fn store(scope: Scope<'_>, key: &EnrollmentKeySecret) -> Result<enrollment_key::Model, DbErr> {
    // As the key writes it, so that it has one spelling.
    let number = key.enrollment_number();
    let transaction = scope.begin().await?;
    // Whoever registers a key of the same enrollment at the same time waits here, and then finds ours.
    scope.owned::<organization::Entity>().lock_exclusive().one(&transaction).await?;
    let known = scope.owned::<enrollment_key::Entity>().filter(Column::EnrollmentNumber.eq(number));
    let known = known.lock_exclusive().one(&transaction).await?;
    let id = known.as_ref().map_or_else(Uuid::now_v7, |known| known.id);
    let now = scope.services.clock.now();
    let secret = key.secret().expose_secret().as_bytes();
    let registered = enrollment_key::ActiveModel {
        id: if known.is_some() { Unchanged(id) } else { Set(id) },
        organization_id: Set(scope.viewer.organization_id),
        enrollment_number: Set(number.to_owned()),
        sealed_key: Set(scope.services.keyring.seal(secret, &enrollment_key::row(id))),
        last_four: Set(key.last_four().to_owned()),
        state: Set(None),
        failure: Set(None),
        expires_at: Set(Some(key.expires_at())),
        checked_at: Set(None),
        created_by: Set(scope.viewer.member_id),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let stored = if known.is_some() {
        registered.update(&transaction).await?
    } else {
        registered.insert(&transaction).await?
    };
    let told =
        |key: &enrollment_key::Model| json!({ "lastFour": key.last_four, "expiresAt": key.expires_at });
    let mut record = Record::of(Action::EnrollmentKeyRegistered, ObjectKind::EnrollmentKey, id);
    if let Some(replaced) = &known {
        record = record.before(told(replaced));
    }
    scope.audit(&transaction, record.after(told(&stored))).await?;
    transaction.commit().await?;
    Ok(stored)
}
