//! The mutation `revokeInvitation`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::invitation::{self, Column};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, QuerySelect, Set, Unchanged};
use serde_json::json;
use uuid::Uuid;

use super::Invitation;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which invitation.
#[derive(InputObject)]
#[graphql(name = "RevokeInvitationInput")]
pub struct RevokeInvitationInput {
    /// The invitation.
    invitation_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The invitation that was taken back, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "RevokeInvitationPayload")]
pub struct RevokeInvitationPayload {
    /// The invitation.
    invitation: Option<Invitation>,
    /// Why it was not taken back.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RevokeInvitation;

#[Object(name = "RevokeInvitationMutation")]
impl RevokeInvitation {
    /// Takes an invitation back: its link is not good any more. Needs the role `ADMIN`; no access token may do
    /// it.
    /// `userErrors`: `NOT_FOUND`, `NOT_OPEN`.
    async fn revoke_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation.")] input: RevokeInvitationInput,
    ) -> Option<RevokeInvitationPayload> {
        let outcome = revoke(ctx, &input.invitation_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(RevokeInvitationPayload {
                    invitation: row.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn revoke(ctx: &Context<'_>, id: &ID) -> Outcome<invitation::Model> {
    let scope = Scope::of(ctx, Permission::ChangeMembers)?;
    let id = Invitation::KIND.row(id)?;
    store(scope, id).await.map_err(|error| internal(&error))
}

async fn store(scope: Scope<'_>, id: Uuid) -> Result<Result<invitation::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let refused = |code, message: &str| Ok(Err(UserError::new(code, "invitationId", message)));
    let found = scope.owned::<invitation::Entity>().filter(Column::Id.eq(id)).lock_exclusive();
    let now = scope.services.clock.now();
    match found.one(&transaction).await?.map(|invitation| invitation.is_open(now)) {
        None => {
            return refused(UserErrorCode::NotFound, "There is no such invitation in your organization.");
        }
        Some(false) => {
            let message =
                "The invitation was accepted, taken back or has expired: nothing is left to take back.";
            return refused(UserErrorCode::NotOpen, message);
        }
        Some(true) => {}
    }
    let revoked =
        invitation::ActiveModel { id: Unchanged(id), revoked_at: Set(Some(now)), ..Default::default() };
    let revoked = revoked.update(&transaction).await?;
    let record = Record::of(Action::InvitationRevoked, ObjectKind::Invitation, id)
        .after(json!({ "revokedAt": revoked.revoked_at }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(invitation.id = %id, "invitation revoked");
    Ok(Ok(revoked))
}
