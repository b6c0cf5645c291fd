//! The mutation `createAccessToken`, and how an access token is stored.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime as Moment, Utc};
use entity::access_token::{self, AccessScopes, AccessTokenSecret, LONGEST};
use entity::audit_event::{Action, ObjectKind, Record};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, Set};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AccessScope, AccessToken};
use crate::graphql::names::check_name;
use crate::graphql::reach::{self, Limits};
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::object;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// What the access token is for, and what it may do.
#[derive(InputObject)]
#[graphql(name = "CreateAccessTokenInput")]
pub struct CreateAccessTokenInput {
    /// What it is for: at most 100 characters.
    name: String,
    /// What it may do: at least one.
    scopes: Vec<AccessScope>,
    /// When it expires: in the future, and within a year.
    expires_at: DateTime,
    /// Only these tenants, each with all its subscriptions, future ones included; by default every tenant,
    /// future ones included.
    tenants: Option<Vec<ID>>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The access token that was created, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "CreateAccessTokenPayload")]
pub struct CreateAccessTokenPayload {
    /// The access token.
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
pub struct CreateAccessToken;

#[Object(name = "CreateAccessTokenMutation")]
impl CreateAccessToken {
    /// Creates an access token for a partner integration. Its secret is in the answer, this once. Needs the
    /// role `ADMIN`; no access token may do it.
    /// `userErrors`: `INVALID_NAME`, `NO_SCOPES`, `INVALID_EXPIRY`, `NOT_FOUND`.
    async fn create_access_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is for, and what it may do.")] input: CreateAccessTokenInput,
    ) -> Option<CreateAccessTokenPayload> {
        let outcome = create(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (created, user_errors) = halves(outcome);
                let (row, secret) = created.unzip();
                Some(CreateAccessTokenPayload {
                    access_token: row.and_then(object),
                    secret: secret.map(|secret| secret.expose_secret().to_owned()),
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

/// An access token that was just stored.
pub(super) type Created = (access_token::Model, AccessTokenSecret);

async fn create(ctx: &Context<'_>, input: &CreateAccessTokenInput) -> Outcome<Created> {
    let scope = Scope::of(ctx, Permission::ChangeAccessTokens)?;
    let now = scope.services.clock.now();
    let name = match check_name("name", &input.name) {
        Ok(name) => name,
        Err(error) => return Ok(Err(error)),
    };
    let scopes: AccessScopes = input.scopes.iter().map(|scope| (*scope).into()).collect();
    if scopes.is_empty() {
        let message = "Give at least one scope: without any the access token could do nothing.";
        return Ok(Err(UserError::new(UserErrorCode::NoScopes, "scopes", message)));
    }
    if let Err(error) = check_expiry(now, input.expires_at.into()) {
        return Ok(Err(error));
    }
    let limits = input.tenants.as_deref().map(|ids| Limits::named(Some(ids), None)).transpose()?;
    let wanted = Wanted { name, scopes, expires_at: input.expires_at.into(), replaces: None };
    let stored = async {
        let transaction = scope.begin().await?;
        if let Some(limits) = &limits
            && !limits.exist(scope, &transaction).await?
        {
            let message = "There is no such tenant in your organization.";
            return Ok(Err(UserError::new(UserErrorCode::NotFound, "tenants", message)));
        }
        let created = store(scope, &wanted, limits.as_ref(), &transaction).await?;
        let record = Record::of(Action::AccessTokenCreated, ObjectKind::AccessToken, created.0.id);
        scope.audit(&transaction, record.after(told(&created.0, limits.as_ref()))).await?;
        transaction.commit().await?;
        Ok(Ok(created))
    };
    stored.await.map_err(|error: DbErr| internal(&error))
}

/// Whether `expires_at` is an acceptable expiry.
pub(super) fn check_expiry(now: Moment<Utc>, expires_at: Moment<Utc>) -> Result<(), UserError> {
    if expires_at > now && expires_at <= now + LONGEST {
        return Ok(());
    }
    let message = format!("Give a time in the future, at most {} days from now.", LONGEST.num_days());
    Err(UserError::new(UserErrorCode::InvalidExpiry, "expiresAt", message))
}

/// What the audit is told of an access token. Not its name, into which a person may write anything.
pub(super) fn told(token: &access_token::Model, limits: Option<&Limits>) -> Value {
    let scopes: Vec<_> = token.scopes.iter().map(entity::access_token::AccessScope::as_str).collect();
    json!({ "scopes": scopes, "expiresAt": token.expires_at, "reach": reach::told(limits) })
}

/// An access token to be.
pub(super) struct Wanted<'a> {
    pub name: &'a str,
    pub scopes: AccessScopes,
    pub expires_at: Moment<Utc>,
    pub replaces: Option<Uuid>,
}

/// Stores an access token that is limited to `limits`, or else to nothing.
pub(super) async fn store(
    scope: Scope<'_>,
    wanted: &Wanted<'_>,
    limits: Option<&Limits>,
    transaction: &DatabaseTransaction,
) -> Result<Created, DbErr> {
    let secret = AccessTokenSecret::random();
    let row = access_token::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(scope.viewer.organization_id),
        name: Set(wanted.name.to_owned()),
        token_hash: Set(secret.hash().to_vec()),
        last_four: Set(secret.last_four().to_owned()),
        scopes: Set(wanted.scopes),
        limited: Set(limits.is_some()),
        created_by: Set(scope.viewer.member_id),
        created_at: Set(scope.services.clock.now()),
        expires_at: Set(wanted.expires_at),
        last_used_at: Set(None),
        last_used_address: Set(None),
        revoked_at: Set(None),
        replaces: Set(wanted.replaces),
    };
    let row = row.insert(transaction).await?;
    reach::store(scope, row.id, limits, transaction).await?;
    tracing::info!(access_token.id = %row.id, "access token created");
    Ok((row, secret))
}
