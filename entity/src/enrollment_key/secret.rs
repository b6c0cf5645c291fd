//! The text of an enrollment key: a JWT that says for which enrollment it is, and until when.
//!
//! <https://learn.microsoft.com/en-us/azure/cost-management-billing/manage/enterprise-rest-apis>. Microsoft
//! publishes no keys by which its signature could be verified: only Microsoft can say whether it takes one.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::pasted::jwt::Jwt;

/// What every enrollment key says of where it comes from.
pub(crate) const ISSUER: &str = "ea.microsoftazure.com";

/// A whole enrollment key; whether Microsoft takes it, only Microsoft can say.
#[derive(Clone, Debug)]
pub struct EnrollmentKeySecret {
    secret: SecretString,
    enrollment_number: String,
    expires_at: DateTime<Utc>,
}

/// Why a text is no enrollment key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// A part of it is missing.
    #[error("the enrollment key is incomplete")]
    Incomplete,
    /// It is something else.
    #[error("this is no enrollment key")]
    AnotherKind,
}

impl EnrollmentKeySecret {
    /// None: it lacks what every enrollment key says.
    pub(crate) fn of(jwt: &Jwt, text: &str) -> Option<Self> {
        Some(Self {
            secret: SecretString::from(text),
            enrollment_number: jwt.text_or_number("EnrollmentNumber")?,
            expires_at: jwt.moment("exp")?,
        })
    }

    /// The number of the enrollment that it is for.
    pub fn enrollment_number(&self) -> &str {
        &self.enrollment_number
    }

    /// When it expires.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// The key itself.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Its last four characters, to tell it by.
    pub fn last_four(&self) -> &str {
        // It is the base64 of a signature: one byte each.
        let text = self.secret.expose_secret();
        &text[text.len() - 4..]
    }
}
