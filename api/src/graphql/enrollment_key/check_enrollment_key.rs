//! The mutation `checkEnrollmentKey`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::enrollment_key;

use super::{EnrollmentKey, by_id, not_found, ring};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, halves};
use crate::permission::Permission;

/// Which enrollment key.
#[derive(InputObject)]
#[graphql(name = "CheckEnrollmentKeyInput")]
pub struct CheckEnrollmentKeyInput {
    /// The enrollment key.
    enrollment_key_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The enrollment key whose check was begun, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "CheckEnrollmentKeyPayload")]
pub struct CheckEnrollmentKeyPayload {
    /// The enrollment key, as it stood before.
    enrollment_key: Option<EnrollmentKey>,
    /// Why it is not checked.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct CheckEnrollmentKey;

#[Object(name = "CheckEnrollmentKeyMutation")]
impl CheckEnrollmentKey {
    /// Asks Microsoft again how an enrollment key stands; the answer shows in the key soon after.
    /// Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`.
    async fn check_enrollment_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which enrollment key.")] input: CheckEnrollmentKeyInput,
    ) -> Option<CheckEnrollmentKeyPayload> {
        let outcome = check(ctx, &input.enrollment_key_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(CheckEnrollmentKeyPayload {
                    enrollment_key: row.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn check(ctx: &Context<'_>, id: &ID) -> Outcome<enrollment_key::Model> {
    let scope = Scope::of(ctx, Permission::ChangeEnrollmentKeys)?;
    let id = EnrollmentKey::KIND.row(id)?;
    let found = by_id(scope, id).one(scope.database()).await.map_err(|error| internal(&error))?;
    let Some(key) = found else { return Ok(Err(not_found())) };
    ring(scope, &key).await;
    Ok(Ok(key))
}
