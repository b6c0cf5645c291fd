//! The mutation `revokeOwnerLink`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::owner_link::{self, Column};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, QuerySelect, Set, Unchanged};
use serde_json::json;
use uuid::Uuid;

use super::OwnerLink;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which owner link.
#[derive(InputObject)]
#[graphql(name = "RevokeOwnerLinkInput")]
pub struct RevokeOwnerLinkInput {
    /// The owner link.
    owner_link_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The owner link that was revoked, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "RevokeOwnerLinkPayload")]
pub struct RevokeOwnerLinkPayload {
    /// The owner link.
    owner_link: Option<OwnerLink>,
    /// Why it was not revoked.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RevokeOwnerLink;

#[Object(name = "RevokeOwnerLinkMutation")]
impl RevokeOwnerLink {
    /// Revokes an owner link: it starts no consent any more, and one that it started and that is not granted yet will
    /// not be. One that was revoked before stays as it is. What was granted stays too: `closeWindow` ends that at
    /// once. Needs the role `EDITOR`, or the scope `consents:write`.
    /// `userErrors`: `NOT_FOUND`, `NOT_OPEN`.
    async fn revoke_owner_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which owner link.")] input: RevokeOwnerLinkInput,
    ) -> Option<RevokeOwnerLinkPayload> {
        let outcome = revoke(ctx, &input.owner_link_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(RevokeOwnerLinkPayload {
                    owner_link: row.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn revoke(ctx: &Context<'_>, id: &ID) -> Outcome<owner_link::Model> {
    let scope = Scope::of(ctx, Permission::StartConsents)?;
    let id = OwnerLink::KIND.row(id)?;
    end(scope, id).await.map_err(|error| internal(&error))
}

async fn end(scope: Scope<'_>, id: Uuid) -> Result<Result<owner_link::Model, UserError>, DbErr> {
    let refused = |code, message| Ok(Err(UserError::new(code, "ownerLinkId", message)));
    let transaction = scope.begin().await?;
    let found = scope.owned::<owner_link::Entity>().filter(Column::Id.eq(id)).lock_exclusive();
    let Some(link) = found.one(&transaction).await? else {
        return refused(UserErrorCode::NotFound, "There is no such owner link in your organization.");
    };
    if link.used_at.is_some() {
        return refused(
            UserErrorCode::NotOpen,
            "The consent of this owner link was granted: nothing is left to revoke. `closeWindow` ends the window.",
        );
    }
    if link.revoked_at.is_some() {
        return Ok(Ok(link));
    }
    let revoked = owner_link::ActiveModel {
        id: Unchanged(id),
        revoked_at: Set(Some(scope.services.clock.now())),
        ..Default::default()
    };
    let revoked = revoked.update(&transaction).await?;
    let record = Record::of(Action::OwnerLinkRevoked, ObjectKind::OwnerLink, id)
        .before(json!({ "revokedAt": null, "expiresAt": revoked.expires_at }))
        .after(json!({ "revokedAt": revoked.revoked_at }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(owner_link.id = %id, "owner link revoked");
    Ok(Ok(revoked))
}
