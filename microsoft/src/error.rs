//! What went wrong between Tenantry and Microsoft, named by what Tenantry does next.

pub(crate) mod codes;
pub(crate) mod problem;
pub(crate) mod redact;

use std::fmt;
use std::time::Duration;

use codes::{Kind, Meaning};

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixableBy {
    /// The member who started the work.
    Member,
    /// An owner of the subscription.
    SubscriptionOwner,
    /// A global administrator of the tenant.
    GlobalAdministrator,
    /// Whoever runs this installation.
    Operator,
}

/// What Microsoft said, without secrets, tokens or e-mail addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    pub(crate) meaning: &'static Meaning,
    /// Microsoft's own code: `AuthorizationFailed`, `AADSTS700016`.
    pub microsoft_code: Option<String>,
    /// What Microsoft said, shortened and redacted; for the log.
    pub message: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Microsoft's id of the request, for its support.
    pub request_id: Option<String>,
    /// The id that joins the requests of one call.
    pub correlation_id: Option<String>,
    /// What stands in the way: names of policies, scopes that are locked.
    pub obstacles: Vec<String>,
}

impl Detail {
    /// A failure found on this side, with no error answer of Microsoft behind it.
    pub(crate) fn new(meaning: &'static Meaning, message: impl Into<String>) -> Self {
        Self {
            meaning,
            microsoft_code: None,
            message: message.into(),
            status: None,
            request_id: None,
            correlation_id: None,
            obstacles: Vec::new(),
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning.code)?;
        if let Some(code) = &self.microsoft_code {
            write!(f, " [{code}]")?;
        }
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

/// An error of a call to Microsoft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MicrosoftError {
    /// Too many calls: wait, then repeat.
    #[error("throttled: {detail}")]
    Throttled {
        /// How long to wait before the call is repeated.
        retry_after: Duration,
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// No usable answer: repeat later.
    #[error("unavailable: {detail}")]
    Unavailable {
        /// How long Microsoft asked to wait.
        retry_after: Option<Duration>,
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The service principal is not, or no longer, in the tenant: consent is needed.
    #[error("consent withdrawn: {detail}")]
    ConsentWithdrawn {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The token, code or sign-in behind the call is no longer good: consent again.
    #[error("token expired: {detail}")]
    TokenExpired {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// A person must sign in again, or satisfy a policy: MFA, Conditional Access, a claims challenge.
    #[error("interaction required: {detail}")]
    InteractionRequired {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The caller lacks a role or a permission.
    #[error("forbidden: {detail}")]
    Forbidden {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// What was asked for does not exist, or cannot be seen.
    #[error("not found: {detail}")]
    NotFound {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// Something else stands in the way: a lock, another operation, another assignment.
    #[error("conflict: {detail}")]
    Conflict {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The service principal has not reached every part of the directory: repeat shortly.
    #[error("principal not found: {detail}")]
    PrincipalNotFound {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The subscription is read-only.
    #[error("subscription disabled: {detail}")]
    SubscriptionDisabled {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The subscription holds no more role assignments.
    #[error("limit reached: {detail}")]
    LimitReached {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// A condition on the consenting user's own role forbids this assignment.
    #[error("blocked by a condition: {detail}")]
    ConditionBlocked {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The subscription or the token belongs to another tenant.
    #[error("wrong tenant: {detail}")]
    WrongTenant {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// A list ended early: what was read is not everything there is.
    #[error("incomplete: {detail}")]
    Incomplete {
        /// What was missing.
        detail: Box<Detail>,
    },
    /// Tenantry's own registration or secret is wrong.
    #[error("misconfigured: {detail}")]
    Misconfigured {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// An answer that nobody has seen before.
    #[error("unexpected: {detail}")]
    Unexpected {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The tenant has not bought what the call needs: there is no such data until it does.
    #[error("licence missing: {detail}")]
    LicenceMissing {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The link no longer leads anywhere: what it was to go on with must be read from the beginning.
    #[error("delta token dead: {detail}")]
    DeltaTokenDead {
        /// What Microsoft said.
        detail: Box<Detail>,
    },
    /// The consent window has no room for the call: it was not made.
    #[error("the consent window is closed: {detail}")]
    WindowClosed {
        /// Why not.
        detail: Box<Detail>,
    },
}

impl MicrosoftError {
    pub(crate) fn new(detail: Detail, retry_after: Option<Duration>) -> Self {
        let kind = detail.meaning.kind;
        let detail = Box::new(detail);
        match kind {
            Kind::Throttled => {
                Self::Throttled { retry_after: retry_after.unwrap_or(codes::DEFAULT_RETRY_AFTER), detail }
            }
            Kind::Unavailable => Self::Unavailable { retry_after, detail },
            Kind::ConsentWithdrawn => Self::ConsentWithdrawn { detail },
            Kind::TokenExpired => Self::TokenExpired { detail },
            Kind::InteractionRequired => Self::InteractionRequired { detail },
            Kind::Forbidden => Self::Forbidden { detail },
            Kind::NotFound => Self::NotFound { detail },
            Kind::Conflict => Self::Conflict { detail },
            Kind::PrincipalNotFound => Self::PrincipalNotFound { detail },
            Kind::SubscriptionDisabled => Self::SubscriptionDisabled { detail },
            Kind::LimitReached => Self::LimitReached { detail },
            Kind::ConditionBlocked => Self::ConditionBlocked { detail },
            Kind::WrongTenant => Self::WrongTenant { detail },
            Kind::Incomplete => Self::Incomplete { detail },
            Kind::Misconfigured => Self::Misconfigured { detail },
            Kind::Unexpected => Self::Unexpected { detail },
            Kind::LicenceMissing => Self::LicenceMissing { detail },
            Kind::DeltaTokenDead => Self::DeltaTokenDead { detail },
            Kind::WindowClosed => Self::WindowClosed { detail },
        }
    }

    /// An error found on this side, with no error answer of Microsoft behind it.
    pub(crate) fn of(meaning: &'static Meaning, message: impl Into<String>) -> Self {
        Self::new(Detail::new(meaning, message), None)
    }

    /// The consent window has no room for a call.
    pub fn window_closed() -> Self {
        Self::of(&codes::CONSENT_WINDOW_CLOSED, "the call was not made")
    }

    /// A call was not made because it could not be written down first.
    pub fn not_recorded() -> Self {
        Self::of(&codes::NOT_RECORDED, "the call was not made")
    }

    /// What Microsoft said, for the log and for its support.
    pub fn detail(&self) -> &Detail {
        match self {
            Self::Throttled { detail, .. }
            | Self::Unavailable { detail, .. }
            | Self::ConsentWithdrawn { detail }
            | Self::TokenExpired { detail }
            | Self::InteractionRequired { detail }
            | Self::Forbidden { detail }
            | Self::NotFound { detail }
            | Self::Conflict { detail }
            | Self::PrincipalNotFound { detail }
            | Self::SubscriptionDisabled { detail }
            | Self::LimitReached { detail }
            | Self::ConditionBlocked { detail }
            | Self::WrongTenant { detail }
            | Self::Incomplete { detail }
            | Self::Misconfigured { detail }
            | Self::Unexpected { detail }
            | Self::LicenceMissing { detail }
            | Self::DeltaTokenDead { detail }
            | Self::WindowClosed { detail } => detail,
        }
    }

    /// Our code for it: stable, in upper snake case.
    pub fn code(&self) -> &'static str {
        self.detail().meaning.code
    }

    /// Whether the same call can succeed later without anybody doing anything.
    pub fn retryable(&self) -> bool {
        self.detail().meaning.retryable
    }

    /// How long Microsoft asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => Some(*retry_after),
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Who can do something about it.
    pub fn fixable_by(&self) -> FixableBy {
        self.detail().meaning.fixable_by
    }

    /// A sentence for a person that says what to do.
    pub fn person_message(&self) -> &'static str {
        self.detail().meaning.message
    }

    /// Microsoft's own code, if it gave one.
    pub fn microsoft_code(&self) -> Option<&str> {
        self.detail().microsoft_code.as_deref()
    }

    /// What stands in the way, where Microsoft says so: names of policies, scopes that are locked.
    pub fn obstacles(&self) -> &[String] {
        &self.detail().obstacles
    }

    /// Microsoft's id of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.detail().request_id.as_deref()
    }

    /// The id that joins the requests of one call.
    pub fn correlation_id(&self) -> Option<&str> {
        self.detail().correlation_id.as_deref()
    }
}
