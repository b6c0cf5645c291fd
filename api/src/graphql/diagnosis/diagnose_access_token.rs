//! The query `diagnoseAccessToken`, and what is told of Tenantry's own access tokens.

use async_graphql::{Context, Object, Result};
use entity::access_token::{self, AccessScopes, AccessTokenSecret, Column, State};
use entity::pasted::Pasted;
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use secrecy::SecretString;

use super::{TokenDiagnosis, TokenKind, TokenStatus, enrollment_key, microsoft_token};
use crate::authentication::TokenRefused;
use crate::graphql::access_token::AccessScope;
use crate::graphql::enrollment_key::advice::written;
use crate::graphql::scope::{Scope, internal};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct DiagnoseAccessToken;

#[Object(name = "DiagnosisQuery")]
impl DiagnoseAccessToken {
    /// What is the matter with a token: one of Tenantry's access tokens, a Microsoft access token, or an
    /// enrollment key. What is pasted is never stored, logged or shown again. Give it as a variable: what stands in
    /// the query itself may be kept by proxies on the way. Needs the role `VIEWER`; no access token may do it.
    async fn diagnose_access_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The token, as it was copied: white space, quotes and `Bearer` around it are ignored."
        )]
        token: String,
        #[graphql(
            desc = "Scopes that it is expected to have; only one of Tenantry's access tokens has any."
        )]
        scopes: Option<Vec<AccessScope>>,
        #[graphql(
            default = false,
            desc = "Whether to present a Microsoft access token or an enrollment key to Microsoft: only Microsoft \
                    knows whether it was revoked."
        )]
        check_with_issuer: bool,
    ) -> Result<TokenDiagnosis> {
        let token = SecretString::from(token);
        let scope = Scope::of(ctx, Permission::DiagnoseTokens)?;
        let expected = scopes.unwrap_or_default().into_iter().map(Into::into).collect();
        diagnose(scope, &token, expected, check_with_issuer).await.map_err(|error| internal(&error))
    }
}

async fn diagnose(
    scope: Scope<'_>,
    token: &SecretString,
    expected: AccessScopes,
    check_with_issuer: bool,
) -> Result<TokenDiagnosis, DbErr> {
    Ok(match Pasted::read(token, scope.services.microsoft.login().base_url()) {
        Pasted::AccessToken(secret) => of_access_token(scope, &secret, expected).await?,
        Pasted::Microsoft(token) => microsoft_token::diagnose(scope, &token, check_with_issuer).await,
        Pasted::EnrollmentKey(key) => enrollment_key::diagnose(scope, &key, check_with_issuer).await,
        Pasted::Incomplete(kind) => {
            TokenDiagnosis::new(kind.into(), TokenStatus::Incomplete, TokenRefused::Incomplete.to_string())
        }
        Pasted::Unknown => {
            let message = "This is neither one of Tenantry's access tokens, nor a Microsoft access token, nor an \
                           enrollment key. Copy it again, in full, from where it was issued.";
            TokenDiagnosis::new(TokenKind::Unknown, TokenStatus::NotRecognized, message)
        }
    })
}

/// Another organization's is not known, like one that was never issued.
async fn of_access_token(
    scope: Scope<'_>,
    secret: &AccessTokenSecret,
    expected: AccessScopes,
) -> Result<TokenDiagnosis, DbErr> {
    let is_this = Column::TokenHash.eq(secret.hash().to_vec());
    let found = scope.owned::<access_token::Entity>().filter(is_this).one(scope.database()).await?;
    let told = |status, message: String| TokenDiagnosis::new(TokenKind::TenantryAccessToken, status, message);
    let Some(token) = found else {
        return Ok(told(TokenStatus::NotRecognized, TokenRefused::NotRecognized.to_string()));
    };
    let missing: Vec<_> = expected.iter().filter(|scope| !token.scopes.contains(*scope)).collect();
    let state = token.state(scope.services.clock.now());
    let told = match state {
        State::Revoked => told(TokenStatus::Revoked, TokenRefused::Revoked(token.revoked_at).to_string()),
        State::Expired => {
            told(TokenStatus::Expired, TokenRefused::Expired(Some(token.expires_at)).to_string())
        }
        State::Active | State::ExpiresSoon if !missing.is_empty() => {
            let names: Vec<_> = missing.iter().map(|scope| scope.as_str()).collect();
            let message = format!(
                "The token is good, but lacks: {}. An ADMIN of your organization can create one that has it.",
                names.join(", ")
            );
            told(TokenStatus::InsufficientScope, message).lacking(names)
        }
        State::Active | State::ExpiresSoon => {
            let until = written(token.expires_at);
            let rotate = if state == State::ExpiresSoon { " Rotate it before then." } else { "" };
            told(TokenStatus::Valid, format!("The token is good until {until}.{rotate}"))
        }
    };
    Ok(told.expiring(token.expires_at).certain(true))
}
