//! Access tokens that somebody shows: whether Entra ID signed them, and for which service they are.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens#validate-tokens>.

use jsonwebtoken::{Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};

use crate::{Audience, Login, MicrosoftError};

/// Microsoft's other names of the two services.
const ARM_TOO: [&str; 2] = ["https://management.azure.com", "https://management.core.windows.net"];
const GRAPH_TOO: [&str; 2] = ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];

/// What the signature of an access token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Entra ID made it.
    Good,
    /// It does not fit what is signed.
    Wrong,
    /// It is made with a key that Entra ID does not publish.
    UnknownKey,
    /// Only the service that the token is for can tell: Microsoft Graph's tokens are signed over something
    /// else than what they show.
    NotVerifiable,
}

impl Login {
    /// Compares the signature of an access token with the keys that Entra ID publishes. Nothing of the token is
    /// sent anywhere.
    pub async fn signature_of(&self, token: &SecretString) -> Result<Signature, MicrosoftError> {
        let token = token.expose_secret();
        let Ok(header) = decode_header(token) else { return Ok(Signature::Wrong) };
        if header.nonce.is_some() {
            return Ok(Signature::NotVerifiable);
        }
        let Some(key_id) = header.kid.or(header.x5t) else { return Ok(Signature::UnknownKey) };
        let published = self.inner.issuer.published(Some(&key_id)).await?;
        let Some(key) = published.key(&key_id) else { return Ok(Signature::UnknownKey) };
        let mut validation = Validation::new(key.algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let is_good = decode::<serde_json::Value>(token, &key.key, &validation).is_ok();
        Ok(if is_good { Signature::Good } else { Signature::Wrong })
    }

    /// The service that the audience of a token names, if it is one that is called here.
    pub fn audience_of(&self, audience: &str) -> Option<Audience> {
        let audience = audience.trim_end_matches('/');
        let is = |configured: &str, names: [&str; 2]| {
            audience == configured || names.iter().any(|name| audience.eq_ignore_ascii_case(name))
        };
        if is(&self.inner.arm, ARM_TOO) {
            Some(Audience::Arm)
        } else if is(&self.inner.graph, GRAPH_TOO) {
            Some(Audience::Graph)
        } else {
            None
        }
    }

    /// Where Entra ID is.
    pub fn base_url(&self) -> &str {
        self.inner.base.as_str()
    }
}
