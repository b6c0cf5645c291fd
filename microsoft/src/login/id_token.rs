//! Verifies the id token of a consent: who consented, in which tenant, and for which request.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference>.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use uuid::Uuid;

use super::discovery::PERSONAL_ACCOUNTS;
use super::keys::{Key, Published};
use crate::{Login, MicrosoftError};

/// How far Microsoft's clock and ours may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Who consented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The tenant the user signed in to.
    pub tenant_id: Uuid,
    /// The user's object id there; guests of some kinds have none.
    pub object_id: Option<Uuid>,
    /// The user as this app registration sees them.
    pub subject: String,
}

/// Why an id token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// It is no JWT, or claims are missing.
    #[error("the id token cannot be read")]
    Malformed,
    /// It is signed with a key that Entra does not publish.
    #[error("the id token names an unknown key")]
    UnknownKey,
    /// The signature does not fit, or is of another algorithm than its key.
    #[error("the id token's signature is wrong")]
    BadSignature,
    /// It was issued by somebody else, or by another tenant than it says.
    #[error("the id token has the wrong issuer")]
    WrongIssuer,
    /// It was issued for another application.
    #[error("the id token is for another application")]
    WrongAudience,
    /// It answers another request.
    #[error("the id token answers another request")]
    WrongNonce,
    /// It is too old.
    #[error("the id token has expired")]
    Expired,
    /// Its time has not come: a clock is wrong.
    #[error("the id token is not valid yet")]
    NotYetValid,
    /// A personal account has no tenant to manage.
    #[error("the id token is of a personal account")]
    PersonalAccount,
    /// Entra's keys could not be fetched.
    #[error(transparent)]
    Keys(#[from] MicrosoftError),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    tid: Uuid,
    oid: Option<Uuid>,
    sub: String,
    nonce: Option<String>,
    exp: i64,
    nbf: Option<i64>,
}

/// What a token must say to be believed.
struct Expected<'a> {
    issuer: &'a str,
    client_id: &'a str,
    nonce: &'a str,
    now: DateTime<Utc>,
}

impl Login {
    /// Verifies signature, issuer, audience, nonce and time of an id token.
    pub async fn verify_id_token(&self, id_token: &str, nonce: &str) -> Result<Identity, IdTokenError> {
        let header = decode_header(id_token).map_err(|_| IdTokenError::Malformed)?;
        let key_id = header.kid.ok_or(IdTokenError::Malformed)?;
        let published = self.published_keys(&key_id).await?;
        let expected = Expected {
            issuer: &published.issuer,
            client_id: &self.inner.client_id,
            nonce,
            now: (self.inner.http.clock())(),
        };
        verify(id_token, &published, &key_id, &expected)
    }
}

fn verify(
    id_token: &str,
    published: &Published,
    key_id: &str,
    expected: &Expected<'_>,
) -> Result<Identity, IdTokenError> {
    let key = published.key(key_id).ok_or(IdTokenError::UnknownKey)?;
    let claims = signed_claims(id_token, key)?;
    let of_tenant = |template: &str| template.replace("{tenantid}", &claims.tid.to_string());
    if claims.iss != of_tenant(expected.issuer) {
        return Err(IdTokenError::WrongIssuer);
    }
    if key.issuer.as_deref().is_some_and(|issuer| claims.iss != of_tenant(issuer)) {
        return Err(IdTokenError::WrongIssuer);
    }
    if !claims.aud.eq_ignore_ascii_case(expected.client_id) {
        return Err(IdTokenError::WrongAudience);
    }
    let now = expected.now;
    if now - SKEW >= timestamp(claims.exp)? {
        return Err(IdTokenError::Expired);
    }
    if claims.nbf.map(timestamp).transpose()?.is_some_and(|begins| now + SKEW < begins) {
        return Err(IdTokenError::NotYetValid);
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(IdTokenError::WrongNonce);
    }
    if claims.tid == PERSONAL_ACCOUNTS {
        return Err(IdTokenError::PersonalAccount);
    }
    Ok(Identity { tenant_id: claims.tid, object_id: claims.oid, subject: claims.sub })
}

/// Only the signature is left to the library: it would compare times with the machine's clock.
fn signed_claims(id_token: &str, key: &Key) -> Result<Claims, IdTokenError> {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode::<Claims>(id_token, &key.key, &validation).map(|token| token.claims).map_err(|error| {
        match error.kind() {
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => IdTokenError::BadSignature,
            _ => IdTokenError::Malformed,
        }
    })
}

fn timestamp(seconds: i64) -> Result<DateTime<Utc>, IdTokenError> {
    DateTime::from_timestamp(seconds, 0).ok_or(IdTokenError::Malformed)
}

#[cfg(test)]
mod tests;
