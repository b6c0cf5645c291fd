//! Why a mutation did not do what it was asked to, where the person who asked can do something about it.

use async_graphql::{Enum, SimpleObject};

/// Why a mutation did not do what it was asked to.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "UserErrorCode")]
pub enum UserErrorCode {
    /// What was given is neither a GUID nor a domain name.
    InvalidTenant,
    /// Microsoft knows no such tenant.
    TenantNotFound,
    /// Microsoft refuses, and will refuse again; the message says what to do.
    MicrosoftRefused,
    /// There is no such thing in your organization.
    NotFound,
    /// No subscription of the tenant can be read yet.
    NothingGranted,
    /// The operation has ended.
    AlreadyEnded,
    /// The operation has not ended yet.
    NotEnded,
    /// The operation did everything it was asked to.
    NothingToRetry,
    /// The name is empty or too long.
    InvalidName,
    /// An access token without scopes could do nothing.
    NoScopes,
    /// The expiry is past, or too far away.
    InvalidExpiry,
    /// The overlap is negative or too long.
    InvalidOverlap,
    /// The access token has expired or was revoked.
    NotActive,
    /// What somebody is to reach contradicts itself, or the role.
    InvalidReach,
    /// The organization would have nobody left who decides who may do what.
    LastAdmin,
    /// The invitation was accepted, or is not good any more; the owner link was used; the consent window is closed.
    NotOpen,
    /// The viewer is limited to other tenants.
    OutsideReach,
    /// What was given is no number of an enrollment.
    InvalidEnrollmentNumber,
    /// A part of the enrollment key is missing.
    KeyIncomplete,
    /// What was given is no enrollment key.
    NotAnEnrollmentKey,
    /// The enrollment key is of another enrollment.
    AnotherEnrollment,
    /// The enrollment key has expired.
    KeyExpired,
    /// Only a consenting user can do that, and no consent window is open: `consentUrl` leads to one.
    ConsentRequired,
    /// What was named is of more than one tenant.
    DifferentTenants,
    /// Nothing was named, or too much.
    InvalidSelection,
    /// There is no such level to change to.
    InvalidLevel,
    /// Everything that was named can be read already.
    AlreadyGranted,
    /// The tenant is disconnected, or being disconnected, or was never connected to its end.
    NotConnected,
    /// The tenant is disconnected already, and nothing is left to do about it.
    AlreadyDisconnected,
    /// Everything is as it is wanted already.
    NothingToChange,
    /// Some of it would fail; the change set says what, and why.
    HasProblems,
    /// Everything is meant: that has to be confirmed with the number.
    ConfirmationNeeded,
    /// There are not as many as was said.
    SelectionChanged,
    /// No tag was named, too many, or one of them twice.
    InvalidTags,
    /// The change set was applied or cancelled already.
    NotPlanned,
    /// The inventory has changed since the change set was planned; it was planned again.
    ChangedSincePlanned,
    /// What was given is no schedule; the message says what is wrong.
    InvalidSchedule,
}

/// Something that the person who asked can do something about.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(name = "UserError")]
pub struct UserError {
    /// What it is.
    code: UserErrorCode,
    /// A sentence that says what to do.
    message: String,
    /// The path, inside `input`, of what it is about.
    field: Vec<String>,
    /// Where a user who owns the subscriptions consents, within ten minutes and once, so that it is done; null if that
    /// is not what is missing. It is told here and nowhere else.
    consent_url: Option<String>,
}

impl UserError {
    /// An error about the field `field` of the input.
    pub fn new(code: UserErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: vec![field.to_owned()], consent_url: None }
    }

    /// Only a consenting user can do it, who starts at `url`.
    pub fn needs_consent(field: &str, message: impl Into<String>, url: String) -> Self {
        Self { consent_url: Some(url), ..Self::new(UserErrorCode::ConsentRequired, field, message) }
    }
}

/// What a mutation answers when nothing broke.
pub type Outcome<T> = async_graphql::Result<Result<T, UserError>>;

/// The two halves of a payload.
pub fn halves<T>(outcome: Result<T, UserError>) -> (Option<T>, Vec<UserError>) {
    match outcome {
        Ok(done) => (Some(done), Vec::new()),
        Err(error) => (None, vec![error]),
    }
}
