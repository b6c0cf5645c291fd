//! Why a token that somebody pasted is refused: which kind it is, what is wrong with it, and what to do.
//!
//! What is pasted is never stored, logged or repeated. Whether it is whole is told without the database and
//! without Microsoft.

mod diagnose_access_token;
mod enrollment_key;
mod microsoft_token;

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime as Moment, Utc};
use entity::pasted::Kind;

pub use diagnose_access_token::DiagnoseAccessToken;

use super::failure::FixableBy;
use super::scalars::DateTime;

/// Which kind of token.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "TokenKind")]
pub enum TokenKind {
    /// One of Tenantry's access tokens, which begin with `tnt_`.
    TenantryAccessToken,
    /// An access token that Entra ID issued, such as the delegated token of a consent.
    MicrosoftAccessToken,
    /// An enrollment key: an Azure EA API access key.
    EnrollmentKey,
    /// None of these, or too little is left of it to tell.
    Unknown,
}

impl From<Kind> for TokenKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::AccessToken => Self::TenantryAccessToken,
            Kind::Microsoft => Self::MicrosoftAccessToken,
            Kind::EnrollmentKey => Self::EnrollmentKey,
            Kind::Unknown => Self::Unknown,
        }
    }
}

/// How a token stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "TokenStatus")]
pub enum TokenStatus {
    /// Nothing is wrong with it, as far as `verified` and `checkedWithIssuer` say.
    Valid,
    /// A part of it is missing.
    Incomplete,
    /// Past its expiry.
    Expired,
    /// Revoked here, or refused by Microsoft although it has not expired.
    Revoked,
    /// Good, but it lacks a scope.
    InsufficientScope,
    /// Good, but whose it is lacks a role.
    InsufficientRole,
    /// Issued neither here, to your organization, nor by Microsoft.
    NotRecognized,
}

/// What is the matter with a token.
#[derive(SimpleObject)]
#[graphql(name = "TokenDiagnosis")]
pub struct TokenDiagnosis {
    /// Which kind it is.
    kind: TokenKind,
    /// How it stands.
    status: TokenStatus,
    /// A sentence that says what to do.
    message: String,
    /// Who can do it; null: nothing needs to be done.
    fixable_by: Option<FixableBy>,
    /// When it expires, or expired; null: that is not known.
    expires_at: Option<DateTime>,
    /// The scopes or roles that are missing, by their names.
    missing: Vec<String>,
    /// Whether it is certain who issued it: it is known here, its signature is right, or Microsoft takes it.
    /// Otherwise it was taken at its word.
    verified: bool,
    /// Whether Microsoft was asked, and answered.
    checked_with_issuer: bool,
}

impl TokenDiagnosis {
    fn new(kind: TokenKind, status: TokenStatus, message: impl Into<String>) -> Self {
        let is_good = status == TokenStatus::Valid;
        Self {
            kind,
            status,
            message: message.into(),
            fixable_by: (!is_good).then_some(FixableBy::Member),
            expires_at: None,
            missing: Vec::new(),
            verified: false,
            checked_with_issuer: false,
        }
    }

    fn fixed_by(self, who: FixableBy) -> Self {
        Self { fixable_by: Some(who), ..self }
    }

    fn expiring(self, at: Moment<Utc>) -> Self {
        Self { expires_at: Some(at.into()), ..self }
    }

    fn lacking(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { missing: names.into_iter().map(Into::into).collect(), ..self }
    }

    fn certain(self, verified: bool) -> Self {
        Self { verified, ..self }
    }

    fn checked(self) -> Self {
        Self { checked_with_issuer: true, ..self }
    }
}
