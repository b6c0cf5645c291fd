//! Verifies the tokens that an issuer signs: who the person is, and for which application.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference>,
//! <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use uuid::Uuid;

use super::keys::{Issuer, Key, Published};
use crate::MicrosoftError;
use crate::login::discovery::PERSONAL_ACCOUNTS;

/// How far the issuer's clock and ours may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Who a token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who vouches for the person: for Entra it names the tenant.
    pub issuer: String,
    /// The person's name at the issuer. At Entra the object id, which is the same for every application; for
    /// those who have none, and at every other issuer, the subject.
    pub subject: String,
    /// The Entra tenant the person signed in to.
    pub tenant_id: Option<Uuid>,
    /// The person's object id there; guests of some kinds have none.
    pub object_id: Option<Uuid>,
    /// What the person is called.
    pub name: Option<String>,
    /// The roles that the person has in the whole tenant, by their templates. None: the token does not say, since the app
    /// registration does not ask for it (`groupMembershipClaims`).
    ///
    /// <https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference>
    pub directory_roles: Option<BTreeSet<Uuid>>,
    /// When the token was issued.
    pub issued_at: DateTime<Utc>,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is no JWT, or claims are missing.
    #[error("the token cannot be read")]
    Malformed,
    /// It is signed with a key that the issuer does not publish.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// The signature does not fit, or is of another algorithm than its key.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// It was issued by somebody else, or by another tenant than it says.
    #[error("the token has the wrong issuer")]
    WrongIssuer,
    /// It was issued for another application.
    #[error("the token is for another application")]
    WrongAudience,
    /// It answers another request, or any at all where none was made.
    #[error("the token answers another request")]
    WrongNonce,
    /// It is too old.
    #[error("the token has expired")]
    Expired(DateTime<Utc>),
    /// Its time has not come: a clock is wrong.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A personal account has no tenant to manage.
    #[error("the token is of a personal account")]
    PersonalAccount,
    /// The issuer's keys could not be fetched.
    #[error(transparent)]
    Keys(#[from] MicrosoftError),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audiences,
    sub: String,
    tid: Option<Uuid>,
    oid: Option<Uuid>,
    name: Option<String>,
    wids: Option<BTreeSet<Uuid>>,
    nonce: Option<String>,
    azp: Option<String>,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Audiences {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Many(audiences) => audiences,
        }
    }
}

/// What a token must say to be believed.
pub(crate) struct Expected<'a> {
    /// One of these it has to be for.
    pub audiences: &'a [String],
    /// Which request it answers; none: an access token, which answers none.
    pub nonce: Option<&'a str>,
    pub now: DateTime<Utc>,
}

impl Issuer {
    /// Verifies signature, issuer, audience, nonce and time of a token.
    pub async fn verify(&self, token: &str, expected: &Expected<'_>) -> Result<Identity, JwtError> {
        let header = decode_header(token).map_err(|_| JwtError::Malformed)?;
        let key_id = header.kid.ok_or(JwtError::Malformed)?;
        let published = self.published(Some(&key_id)).await?;
        verify(token, &published, &key_id, expected)
    }
}

fn verify(
    token: &str,
    published: &Published,
    key_id: &str,
    expected: &Expected<'_>,
) -> Result<Identity, JwtError> {
    let key = published.key(key_id).ok_or(JwtError::UnknownKey)?;
    let claims = signed_claims(token, key)?;
    check_issuer(&claims, published, key)?;
    check_audience(&claims, expected)?;
    check_time(&claims, expected.now)?;
    // An identity token presented as an access token would carry one.
    if claims.nonce.as_deref() != expected.nonce {
        return Err(JwtError::WrongNonce);
    }
    if claims.tid == Some(PERSONAL_ACCOUNTS) {
        return Err(JwtError::PersonalAccount);
    }
    let object_id = claims.oid.filter(|_| claims.tid.is_some());
    Ok(Identity {
        subject: object_id.map_or(claims.sub, |id| id.to_string()),
        issuer: claims.iss,
        tenant_id: claims.tid,
        object_id,
        name: claims.name,
        directory_roles: claims.wids,
        issued_at: timestamp(claims.iat.or(claims.nbf).unwrap_or_default())?,
    })
}

fn check_issuer(claims: &Claims, published: &Published, key: &Key) -> Result<(), JwtError> {
    let is_of = |template: &str| match claims.tid {
        Some(tenant) => claims.iss == template.replace("{tenantid}", &tenant.to_string()),
        None => claims.iss == template,
    };
    let is_right = is_of(&published.metadata.issuer) && key.issuer.as_deref().is_none_or(is_of);
    if is_right { Ok(()) } else { Err(JwtError::WrongIssuer) }
}

fn check_audience(claims: &Claims, expected: &Expected<'_>) -> Result<(), JwtError> {
    let audiences = claims.aud.as_slice();
    let is_ours = |audience: &String| expected.audiences.iter().any(|it| it.eq_ignore_ascii_case(audience));
    // A token for several applications says which of them asked for it.
    let is_unclear = expected.nonce.is_some() && audiences.len() > 1 && !claims.azp.iter().all(is_ours);
    if audiences.iter().any(is_ours) && !is_unclear { Ok(()) } else { Err(JwtError::WrongAudience) }
}

fn check_time(claims: &Claims, now: DateTime<Utc>) -> Result<(), JwtError> {
    let expires_at = timestamp(claims.exp)?;
    if now - SKEW >= expires_at {
        return Err(JwtError::Expired(expires_at));
    }
    if claims.nbf.map(timestamp).transpose()?.is_some_and(|begins| now + SKEW < begins) {
        return Err(JwtError::NotYetValid);
    }
    Ok(())
}

/// Only the signature is left to the library: it would compare times with the machine's clock.
fn signed_claims(token: &str, key: &Key) -> Result<Claims, JwtError> {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode::<Claims>(token, &key.key, &validation).map(|token| token.claims).map_err(|error| {
        match error.kind() {
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => JwtError::BadSignature,
            _ => JwtError::Malformed,
        }
    })
}

fn timestamp(seconds: i64) -> Result<DateTime<Utc>, JwtError> {
    DateTime::from_timestamp(seconds, 0).ok_or(JwtError::Malformed)
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
