//! The mutation `removeEnrollmentKey`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::enrollment_key;
use sea_orm::{DbErr, ModelTrait, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use super::{EnrollmentKey, by_id, not_found};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, halves};
use crate::permission::Permission;

/// Which enrollment key.
#[derive(InputObject)]
#[graphql(name = "RemoveEnrollmentKeyInput")]
pub struct RemoveEnrollmentKeyInput {
    /// The enrollment key.
    enrollment_key_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The enrollment key that was removed, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "RemoveEnrollmentKeyPayload")]
pub struct RemoveEnrollmentKeyPayload {
    /// The enrollment key, as it was.
    enrollment_key: Option<EnrollmentKey>,
    /// Why it was not removed.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RemoveEnrollmentKey;

#[Object(name = "RemoveEnrollmentKeyMutation")]
impl RemoveEnrollmentKey {
    /// Removes an enrollment key, and what was stored of it. At Microsoft the key stays what it is: disable it in
    /// the Azure portal if nobody else uses it.
    /// Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`.
    async fn remove_enrollment_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which enrollment key.")] input: RemoveEnrollmentKeyInput,
    ) -> Option<RemoveEnrollmentKeyPayload> {
        let outcome = remove(ctx, &input.enrollment_key_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(RemoveEnrollmentKeyPayload {
                    enrollment_key: row.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn remove(ctx: &Context<'_>, id: &ID) -> Outcome<enrollment_key::Model> {
    let scope = Scope::of(ctx, Permission::ChangeEnrollmentKeys)?;
    let id = EnrollmentKey::KIND.row(id)?;
    let removed = erase(scope, id).await.map_err(|error| internal(&error))?;
    Ok(removed.ok_or_else(not_found))
}

async fn erase(scope: Scope<'_>, id: Uuid) -> Result<Option<enrollment_key::Model>, DbErr> {
    let transaction = scope.begin().await?;
    let Some(key) = by_id(scope, id).lock_exclusive().one(&transaction).await? else { return Ok(None) };
    key.clone().delete(&transaction).await?;
    let record = Record::of(Action::EnrollmentKeyRemoved, ObjectKind::EnrollmentKey, id)
        .before(json!({ "lastFour": key.last_four, "expiresAt": key.expires_at }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(enrollment_key.id = %id, "enrollment key removed");
    Ok(Some(key))
}
