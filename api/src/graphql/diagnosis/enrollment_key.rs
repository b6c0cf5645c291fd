//! What is told of an enrollment key.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::enrollment_key::{EnrollmentKeySecret, State, WARNING};
use microsoft::MicrosoftError;

use super::microsoft_token::asked;
use super::{TokenDiagnosis, TokenKind, TokenStatus};
use crate::graphql::enrollment_key::advice::{self, written};
use crate::graphql::scope::Scope;

/// How long Microsoft is waited for.
const PATIENCE: Duration = Duration::from_secs(6);

pub(super) async fn diagnose(
    scope: Scope<'_>,
    key: &EnrollmentKeySecret,
    check_with_issuer: bool,
) -> TokenDiagnosis {
    let (now, expires_at) = (scope.services.clock.now(), key.expires_at());
    if expires_at <= now {
        return told(TokenStatus::Expired, State::Expired, expires_at);
    }
    let until = written(expires_at);
    if !check_with_issuer {
        let message = format!(
            "By its own account the enrollment key is good until {until}. Only Microsoft knows whether it is; it \
             was not asked."
        );
        return good(message, expires_at);
    }
    let consumption = scope.services.microsoft.consumption();
    match asked(PATIENCE, consumption.check_key(key.enrollment_number(), key.secret())).await {
        Some(Ok(())) => {
            let soon = if expires_at - WARNING <= now { State::ExpiresSoon } else { State::Connected };
            let message = advice::on(soon, Some(expires_at));
            let message =
                message.unwrap_or_else(|| format!("Microsoft takes the enrollment key, until {until}."));
            good(message, expires_at).checked().certain(true)
        }
        Some(Err(MicrosoftError::TokenExpired { .. } | MicrosoftError::InteractionRequired { .. })) => {
            told(TokenStatus::Revoked, State::Revoked, expires_at).checked()
        }
        Some(Err(MicrosoftError::Forbidden { .. })) => {
            told(TokenStatus::InsufficientRole, State::InsufficientRole, expires_at).checked().certain(true)
        }
        Some(Err(_)) | None => {
            let message = format!(
                "By its own account the enrollment key is good until {until}. Microsoft did not say whether it is: \
                 try again later."
            );
            good(message, expires_at)
        }
    }
}

fn good(message: String, expires_at: DateTime<Utc>) -> TokenDiagnosis {
    TokenDiagnosis::new(TokenKind::EnrollmentKey, TokenStatus::Valid, message).expiring(expires_at)
}

fn told(status: TokenStatus, state: State, expires_at: DateTime<Utc>) -> TokenDiagnosis {
    let message = advice::on(state, Some(expires_at)).unwrap_or_default();
    TokenDiagnosis::new(TokenKind::EnrollmentKey, status, message).expiring(expires_at)
}
