//! What is told of a Microsoft access token.

use std::time::Duration;

use entity::pasted::MicrosoftToken;
use microsoft::{Audience, Caller, MicrosoftError, Signature};

use super::{TokenDiagnosis, TokenKind, TokenStatus};
use crate::authentication::TokenRefused;
use crate::graphql::enrollment_key::advice::written;
use crate::graphql::failure::FixableBy;
use crate::graphql::scope::Scope;

/// How long Entra ID's keys are waited for, and then Microsoft: together less than a query may take.
const KEYS: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);

/// The scope without which Azure Resource Manager lets no app act for a person.
const IMPERSONATION: &str = "user_impersonation";

/// The permission by which Microsoft Graph lets an app read the directory.
const DIRECTORY: &str = "User.Read.All";

/// Why Microsoft has not said whether the token was revoked.
const UNASKED: &str = "Microsoft was not asked: have it checked with its issuer to be sure.";
const UNANSWERED: &str = "Microsoft did not say whether it was revoked: try again later.";
const FOR_SOMEBODY_ELSE: &str = "It is for neither Azure Resource Manager nor Microsoft Graph, so Microsoft was \
                                 not asked whether it was revoked.";

pub(super) async fn diagnose(
    scope: Scope<'_>,
    token: &MicrosoftToken,
    check_with_issuer: bool,
) -> TokenDiagnosis {
    if token.expires_at <= scope.services.clock.now() {
        let message = TokenRefused::Expired(Some(token.expires_at)).to_string();
        return told(token, TokenStatus::Expired, message);
    }
    let login = scope.services.microsoft.login();
    let signature = asked(KEYS, login.signature_of(&token.secret)).await.and_then(Result::ok);
    if matches!(signature, Some(Signature::Wrong | Signature::UnknownKey)) {
        let message = "The token is not signed with a key that Microsoft publishes: Microsoft did not issue it, or \
                       it was changed. Copy it again, in full, from where it was issued.";
        return told(token, TokenStatus::NotRecognized, message);
    }
    let is_verified = signature == Some(Signature::Good);
    let audience = login.audience_of(&token.audience);
    if audience == Some(Audience::Arm) && lacks_impersonation(token) {
        let message = format!(
            "The token lacks the scope {IMPERSONATION}, so Azure Resource Manager does not let an app act for the \
             person who signed in. Ask for a token with this scope, and let the person consent to it."
        );
        let told = told(token, TokenStatus::InsufficientScope, message);
        return told.lacking([IMPERSONATION]).certain(is_verified);
    }
    let so_far = |why| so_far(token, is_verified, why);
    match audience {
        _ if !check_with_issuer => so_far(UNASKED),
        Some(audience) => ask(scope, token, audience).await.unwrap_or_else(|| so_far(UNANSWERED)),
        None => so_far(FOR_SOMEBODY_ELSE),
    }
}

/// An app's own token has no such scope, and needs none.
fn lacks_impersonation(token: &MicrosoftToken) -> bool {
    token.scopes.as_ref().is_some_and(|scopes| !scopes.iter().any(|scope| scope == IMPERSONATION))
}

/// None: Microsoft did not say.
async fn ask(scope: Scope<'_>, token: &MicrosoftToken, audience: Audience) -> Option<TokenDiagnosis> {
    let caller = Caller::Pasted { tenant: token.tenant_id, token: token.secret.clone() };
    let microsoft = &scope.services.microsoft;
    let answer = match audience {
        Audience::Arm => asked(ANSWER, microsoft.arm().sees_subscriptions(&caller)).await?,
        Audience::Graph => asked(ANSWER, microsoft.graph().check_token(&caller)).await?.map(|()| true),
    };
    let diagnosis = match answer {
        Ok(true) => {
            let until = written(token.expires_at);
            told(token, TokenStatus::Valid, format!("Microsoft takes the token, until {until}."))
                .certain(true)
        }
        Ok(false) | Err(MicrosoftError::Forbidden { .. }) => lacks_role(token, audience),
        Err(MicrosoftError::TokenExpired { .. } | MicrosoftError::InteractionRequired { .. }) => {
            let message = "Microsoft refuses the token although it has not expired. Generate a new one: the person \
                           whose it is has to sign in again.";
            told(token, TokenStatus::Revoked, message)
        }
        Err(_) => return None,
    };
    Some(diagnosis.checked())
}

fn lacks_role(token: &MicrosoftToken, audience: Audience) -> TokenDiagnosis {
    let insufficient = |message: &str| told(token, TokenStatus::InsufficientRole, message).certain(true);
    match audience {
        Audience::Arm => insufficient(
            "Microsoft takes the token, but whose it is has no role on any subscription. An owner of the \
             subscription has to grant one: Reader to see it, Owner to let Tenantry in.",
        )
        .lacking(["Reader"])
        .fixed_by(FixableBy::SubscriptionOwner),
        Audience::Graph => insufficient(
            "Microsoft takes the token, but it may not read the directory. An administrator of the tenant has to \
             grant the permission User.Read.All.",
        )
        .lacking([DIRECTORY])
        .fixed_by(FixableBy::GlobalAdministrator),
    }
}

/// What can be told of a token without its issuer, and `why` it is no more.
fn so_far(token: &MicrosoftToken, is_verified: bool, why: &str) -> TokenDiagnosis {
    let until = written(token.expires_at);
    let known = if is_verified {
        format!("Microsoft issued the token, and it is good until {until} unless it was revoked.")
    } else {
        format!("By its own account the token is good until {until}; its signature was not verified.")
    };
    told(token, TokenStatus::Valid, format!("{known} {why}")).certain(is_verified)
}

fn told(token: &MicrosoftToken, status: TokenStatus, message: impl Into<String>) -> TokenDiagnosis {
    TokenDiagnosis::new(TokenKind::MicrosoftAccessToken, status, message).expiring(token.expires_at)
}

/// The answer, if it comes in time. What went wrong goes to the log, without what was presented.
pub(super) async fn asked<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, MicrosoftError>>,
) -> Option<Result<T, MicrosoftError>> {
    let answer = tokio::time::timeout(patience, answer).await.ok()?;
    if let Err(error) = &answer {
        tracing::info!(%error, "a token was diagnosed: Microsoft refuses, or does not answer");
    }
    Some(answer)
}
