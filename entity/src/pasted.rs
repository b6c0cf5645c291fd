//! A token that somebody pasted: which kind it is, and whether it is whole. Told without any I/O.
//!
//! What a JWT says of itself is taken as it stands; whether it is true only its signature or its issuer can
//! say.

pub mod jwt;
mod microsoft_token;

use secrecy::{ExposeSecret, SecretString};

use crate::access_token::AccessTokenSecret;
use crate::enrollment_key::EnrollmentKeySecret;
use crate::enrollment_key::secret::NotAKey;
use jwt::Jwt;
pub use microsoft_token::MicrosoftToken;

/// Which kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of Tenantry's access tokens.
    AccessToken,
    /// An access token that Entra ID issued.
    Microsoft,
    /// An enrollment key.
    EnrollmentKey,
    /// None of these, as far as can be seen.
    Unknown,
}

/// What was pasted.
#[derive(Clone, Debug)]
pub enum Pasted {
    /// A whole access token of Tenantry's form.
    AccessToken(AccessTokenSecret),
    /// A whole JWT that says that Entra ID issued it.
    Microsoft(MicrosoftToken),
    /// A whole JWT that says that it is an enrollment key.
    EnrollmentKey(EnrollmentKeySecret),
    /// A part of it is missing.
    Incomplete(Kind),
    /// Nothing that is known.
    Unknown,
}

impl Pasted {
    /// Reads what was pasted, with whatever came along when it was copied. `login_url` is where Entra ID is.
    pub fn read(pasted: &SecretString, login_url: &str) -> Self {
        let text = bare(pasted.expose_secret());
        if AccessTokenSecret::is_meant(text) {
            return AccessTokenSecret::parse(text)
                .map_or(Self::Incomplete(Kind::AccessToken), Self::AccessToken);
        }
        if !Jwt::is_meant(text) {
            return Self::Unknown;
        }
        match Jwt::parse(text) {
            Some(jwt) => Self::of_whole(&jwt, text, login_url),
            None => Self::Incomplete(Jwt::claims_of(text).map_or(Kind::Unknown, |jwt| kind(&jwt, login_url))),
        }
    }

    fn of_whole(jwt: &Jwt, text: &str, login_url: &str) -> Self {
        let read = match kind(jwt, login_url) {
            Kind::Microsoft => MicrosoftToken::of(jwt, text).map(Self::Microsoft),
            Kind::EnrollmentKey => EnrollmentKeySecret::of(jwt, text).map(Self::EnrollmentKey),
            Kind::AccessToken | Kind::Unknown => None,
        };
        read.unwrap_or(Self::Unknown)
    }
}

impl EnrollmentKeySecret {
    /// Reads an enrollment key, with whatever came along when it was copied.
    pub fn read(pasted: &SecretString) -> Result<Self, NotAKey> {
        // Where Entra ID is makes no difference to what is an enrollment key.
        match Pasted::read(pasted, "") {
            Pasted::EnrollmentKey(key) => Ok(key),
            Pasted::Incomplete(Kind::EnrollmentKey | Kind::Unknown) => Err(NotAKey::Incomplete),
            _ => Err(NotAKey::AnotherKind),
        }
    }
}

fn kind(jwt: &Jwt, login_url: &str) -> Kind {
    match jwt.text("iss") {
        Some(crate::enrollment_key::secret::ISSUER) => Kind::EnrollmentKey,
        Some(issuer) if microsoft_token::is_issuer(issuer, login_url) => Kind::Microsoft,
        _ => Kind::Unknown,
    }
}

/// What was meant to be copied, without what stood around it: white space, quotes, `Authorization: Bearer`.
fn bare(pasted: &str) -> &str {
    let around = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '\u{200b}' | '\u{2060}' | '\u{feff}')
    };
    let mut text = pasted.trim_matches(around);
    for word in ["authorization:", "bearer"] {
        let begins = text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let rest = &text[if begins { word.len() } else { 0 }..];
        // A word that goes on is no such word.
        if begins && (word.ends_with(':') || rest.starts_with(around)) {
            text = rest.trim_matches(around);
        }
    }
    text
}

#[cfg(test)]
mod tests;
