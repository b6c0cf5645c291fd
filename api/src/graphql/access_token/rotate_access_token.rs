//! The mutation `rotateAccessToken`: a new secret, and time to bring it everywhere.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::TimeDelta;
use entity::access_token::{self, Column, State};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::reach;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QuerySelect, Set, Unchanged,
};
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use super::AccessToken;
use super::create_access_token::{Created, Wanted, check_expiry, store, told};
use crate::graphql::reach::Limits;
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// The longest overlap, in hours: a week.
const LONGEST_OVERLAP: i32 = 168;

/// Which access token, and for how long both are good.
#[derive(InputObject)]
#[graphql(name = "RotateAccessTokenInput")]
pub struct RotateAccessTokenInput {
    /// The access token to replace.
    access_token_id: ID,
    /// For how many hours the replaced one stays good: 0 to 168.
    #[graphql(default = 24)]
    overlap_hours: i32,
    /// When the new one expires: in the future, and within a year. By default it lasts as long as the replaced
    /// one did.
    expires_at: Option<DateTime>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The access token that replaces the former, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "RotateAccessTokenPayload")]
pub struct RotateAccessTokenPayload {
    /// The new access token, with the name, scopes and tenants of the replaced one.
    access_token: Option<AccessToken>,
    /// What to present: `tnt_` and 36 characters. It is shown this once.
    secret: Option<String>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RotateAccessToken;

#[Object(name = "RotateAccessTokenMutation")]
impl RotateAccessToken {
    /// Replaces an access token by one with a new secret; both are good for a while. Needs the role `ADMIN`; no
    /// access token may do it.
    /// `userErrors`: `NOT_FOUND`, `NOT_ACTIVE`, `INVALID_OVERLAP`, `INVALID_EXPIRY`.
    async fn rotate_access_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and for how long both are good.")] input: RotateAccessTokenInput,
    ) -> Option<RotateAccessTokenPayload> {
        let outcome = rotate(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (created, user_errors) = halves(outcome);
                let (row, secret) = created.unzip();
                Some(RotateAccessTokenPayload {
                    access_token: row.and_then(object),
                    secret: secret.map(|secret| secret.expose_secret().to_owned()),
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

async fn rotate(ctx: &Context<'_>, input: &RotateAccessTokenInput) -> Outcome<Created> {
    let scope = Scope::of(ctx, Permission::ChangeAccessTokens)?;
    let id = AccessToken::KIND.row(&input.access_token_id)?;
    if !(0..=LONGEST_OVERLAP).contains(&input.overlap_hours) {
        let message = format!("Give a number of hours from 0 to {LONGEST_OVERLAP}.");
        return Ok(Err(UserError::new(UserErrorCode::InvalidOverlap, "overlapHours", message)));
    }
    replace(scope, id, input).await.map_err(|error| internal(&error))
}

async fn replace(
    scope: Scope<'_>,
    id: Uuid,
    input: &RotateAccessTokenInput,
) -> Result<Result<Created, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    // Whoever rotates it at the same time waits here, and then finds what we left.
    let former = scope.owned::<access_token::Entity>().filter(Column::Id.eq(id)).lock_exclusive();
    let Some(former) = former.one(&transaction).await? else {
        let message = "There is no such access token in your organization.";
        return Ok(Err(UserError::new(UserErrorCode::NotFound, "accessTokenId", message)));
    };
    let now = scope.services.clock.now();
    if !matches!(former.state(now), State::Active | State::ExpiresSoon) {
        let message = "This access token is not good any more. Create a new one instead.";
        return Ok(Err(UserError::new(UserErrorCode::NotActive, "accessTokenId", message)));
    }
    let lifetime = former.expires_at - former.created_at;
    let expires_at = input.expires_at.map_or(now + lifetime, Into::into);
    if let Err(error) = check_expiry(now, expires_at) {
        return Ok(Err(error));
    }
    let wanted = Wanted { name: &former.name, scopes: former.scopes, expires_at, replaces: Some(former.id) };
    let limits = limits(scope, &former, &transaction).await?;
    let created = store(scope, &wanted, limits.as_ref(), &transaction).await?;
    let ends_at = now + TimeDelta::hours(input.overlap_hours.into());
    let shortened = access_token::ActiveModel {
        id: Unchanged(former.id),
        expires_at: Set(former.expires_at.min(ends_at)),
        ..Default::default()
    };
    let shortened = shortened.update(&transaction).await?;
    let successor = told(&created.0, limits.as_ref());
    let record = Record::of(Action::AccessTokenRotated, ObjectKind::AccessToken, former.id)
        .before(json!({ "expiresAt": former.expires_at }))
        .after(json!({
            "expiresAt": shortened.expires_at,
            "replacedBy": AccessToken::KIND.id(created.0.id),
            "successor": successor,
        }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Ok(created))
}

async fn limits(
    scope: Scope<'_>,
    token: &access_token::Model,
    transaction: &DatabaseTransaction,
) -> Result<Option<Limits>, DbErr> {
    if !token.limited {
        return Ok(None);
    }
    let reached = scope.owned::<reach::Entity>().filter(reach::Column::HolderId.eq(token.id));
    let tenants = reached.select_only().column(reach::Column::TenantId).into_tuple().all(transaction).await?;
    Ok(Some(Limits { tenants, ..Limits::default() }))
}
