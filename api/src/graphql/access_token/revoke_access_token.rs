//! The mutation `revokeAccessToken`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::access_token::{self, Column};
use entity::audit_event::{Action, ObjectKind, Record};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, QuerySelect, Set, Unchanged};
use serde_json::json;
use uuid::Uuid;

use super::AccessToken;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which access token.
#[derive(InputObject)]
#[graphql(name = "RevokeAccessTokenInput")]
pub struct RevokeAccessTokenInput {
    /// The access token.
    access_token_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The access token that was revoked, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "RevokeAccessTokenPayload")]
pub struct RevokeAccessTokenPayload {
    /// The access token.
    access_token: Option<AccessToken>,
    /// Why it was not revoked.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RevokeAccessToken;

#[Object(name = "RevokeAccessTokenMutation")]
impl RevokeAccessToken {
    /// Revokes an access token: within a second no api takes it any more, and its live queries end. One that
    /// was revoked before stays as it is. Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`.
    async fn revoke_access_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which access token.")] input: RevokeAccessTokenInput,
    ) -> Option<RevokeAccessTokenPayload> {
        let outcome = revoke(ctx, &input.access_token_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(RevokeAccessTokenPayload {
                    access_token: row.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn revoke(ctx: &Context<'_>, id: &ID) -> Outcome<access_token::Model> {
    let scope = Scope::of(ctx, Permission::ChangeAccessTokens)?;
    let id = AccessToken::KIND.row(id)?;
    let revoked = end(scope, id).await.map_err(|error| internal(&error))?;
    Ok(revoked.ok_or_else(|| {
        let message = "There is no such access token in your organization.";
        UserError::new(UserErrorCode::NotFound, "accessTokenId", message)
    }))
}

async fn end(scope: Scope<'_>, id: Uuid) -> Result<Option<access_token::Model>, DbErr> {
    let transaction = scope.begin().await?;
    let found = scope.owned::<access_token::Entity>().filter(Column::Id.eq(id)).lock_exclusive();
    let Some(token) = found.one(&transaction).await?.filter(|token| token.revoked_at.is_none()) else {
        return scope.owned::<access_token::Entity>().filter(Column::Id.eq(id)).one(&transaction).await;
    };
    let revoked = access_token::ActiveModel {
        id: Unchanged(token.id),
        revoked_at: Set(Some(scope.services.clock.now())),
        ..Default::default()
    };
    let revoked = revoked.update(&transaction).await?;
    let record = Record::of(Action::AccessTokenRevoked, ObjectKind::AccessToken, id)
        .before(json!({ "revokedAt": null, "expiresAt": revoked.expires_at }))
        .after(json!({ "revokedAt": revoked.revoked_at }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(access_token.id = %id, "access token revoked");
    Ok(Some(revoked))
}
