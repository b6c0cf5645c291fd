//! What may be done, and what it takes: for a member a role, for an access token a scope.

use entity::access_token::AccessScope;
use entity::member::Role;

use crate::error::ErrorCode;
use crate::viewer::{Actor, Viewer};

/// One thing that a field or a mutation does. Its needs are decided here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// See who one is oneself.
    KnowOneself,
    /// Read tenants, subscriptions, role assignments, resources and tags.
    ReadInventory,
    /// Read Office 365 reports, users and groups.
    ReadReports,
    /// Start scans and checks.
    ScanInventory,
    /// Read and follow operations.
    ReadOperations,
    /// Cancel and retry operations.
    ChangeOperations,
    /// Read consents.
    ReadConsents,
    /// Ask for consents.
    StartConsents,
    /// Sign oneself out.
    ChangeOneself,
    /// Read members.
    ReadMembers,
    /// Read invitations, never their links.
    ReadInvitations,
    /// Invite, change and remove members.
    ChangeMembers,
    /// Read access tokens, never their secrets.
    ReadAccessTokens,
    /// Create, rotate and revoke access tokens.
    ChangeAccessTokens,
    /// Have a token that was pasted diagnosed.
    DiagnoseTokens,
    /// Read enrollment keys' states, never the keys.
    ReadEnrollmentKeys,
    /// Register and remove enrollment keys.
    ChangeEnrollmentKeys,
    /// Read and export the audit.
    ReadAudit,
    /// Change access levels of subscriptions.
    ChangeAccess,
    /// Change settings of the organization.
    ChangeOrganization,
    /// Disconnect tenants.
    DisconnectTenants,
    /// Assign, change and remove tags.
    WriteTags,
}

impl Permission {
    /// The least role of a member.
    pub const fn role(self) -> Role {
        match self {
            Self::KnowOneself
            | Self::ChangeOneself
            | Self::ReadInventory
            | Self::ReadReports
            | Self::ReadOperations
            | Self::ReadConsents
            | Self::ReadMembers
            | Self::DiagnoseTokens => Role::Viewer,
            Self::ScanInventory
            | Self::ChangeOperations
            | Self::StartConsents
            | Self::ChangeAccess
            | Self::WriteTags => Role::Editor,
            Self::ReadInvitations
            | Self::ChangeMembers
            | Self::ReadAccessTokens
            | Self::ChangeAccessTokens
            | Self::ReadEnrollmentKeys
            | Self::ChangeEnrollmentKeys
            | Self::ReadAudit
            | Self::ChangeOrganization
            | Self::DisconnectTenants => Role::Admin,
        }
    }

    /// What an access token needs.
    pub const fn of_access_token(self) -> OfAccessToken {
        match self {
            Self::KnowOneself => OfAccessToken::Any,
            Self::ReadInventory => OfAccessToken::With(AccessScope::InventoryRead),
            Self::ReadReports => OfAccessToken::With(AccessScope::ReportsRead),
            Self::ScanInventory => OfAccessToken::With(AccessScope::InventoryScan),
            Self::ReadOperations => OfAccessToken::With(AccessScope::OperationsRead),
            Self::ChangeOperations => OfAccessToken::With(AccessScope::OperationsWrite),
            Self::ReadConsents => OfAccessToken::With(AccessScope::ConsentsRead),
            Self::StartConsents | Self::ChangeAccess => OfAccessToken::With(AccessScope::ConsentsWrite),
            Self::WriteTags => OfAccessToken::With(AccessScope::TagsWrite),
            Self::ReadMembers => OfAccessToken::With(AccessScope::MembersRead),
            Self::ReadEnrollmentKeys => OfAccessToken::With(AccessScope::EnrollmentKeysRead),
            Self::ReadAudit => OfAccessToken::With(AccessScope::AuditRead),
            Self::ChangeOneself
            | Self::ReadInvitations
            | Self::ChangeMembers
            | Self::ReadAccessTokens
            | Self::ChangeAccessTokens
            | Self::DiagnoseTokens
            | Self::ChangeEnrollmentKeys
            | Self::ChangeOrganization
            | Self::DisconnectTenants => OfAccessToken::Never,
        }
    }

    /// Whether `viewer` may; else what is missing, and who can grant it.
    pub fn check(self, viewer: &Viewer) -> Result<(), Missing> {
        match (viewer.actor, self.of_access_token()) {
            (Actor::Member(role), _) if role < self.role() => {
                Err(Missing::Role { needed: self.role(), held: role })
            }
            (Actor::Member(_), _) | (Actor::AccessToken { .. }, OfAccessToken::Any) => Ok(()),
            (Actor::AccessToken { scopes, .. }, OfAccessToken::With(scope)) if scopes.contains(scope) => {
                Ok(())
            }
            (Actor::AccessToken { .. }, OfAccessToken::With(scope)) => Err(Missing::Scope(scope)),
            (Actor::AccessToken { .. }, OfAccessToken::Never) => Err(Missing::Member),
        }
    }
}

/// What an access token needs to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfAccessToken {
    /// Nothing in particular.
    Any,
    /// This scope.
    With(AccessScope),
    /// No access token may.
    Never,
}

/// What a viewer lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A member's role is too low.
    #[error(
        "This needs the role {}; yours is {}. An ADMIN of your organization can change it.",
        needed.as_str(),
        held.as_str()
    )]
    Role {
        /// The least that suffices.
        needed: Role,
        /// What the member has.
        held: Role,
    },
    /// An access token lacks a scope.
    #[error(
        "This needs an access token with the scope {0}. An ADMIN of your organization can create one that has it."
    )]
    Scope(AccessScope),
    /// No access token may do this.
    #[error("No access token may do this: a member has to sign in for it.")]
    Member,
}

impl Missing {
    /// The reason that programs read.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Role { .. } => "INSUFFICIENT_ROLE",
            Self::Scope(_) | Self::Member => "INSUFFICIENT_SCOPE",
        }
    }

    /// The refusal for a resolver to return.
    pub fn error(self) -> async_graphql::Error {
        use async_graphql::ErrorExtensions;

        ErrorCode::Forbidden.error(self.to_string()).extend_with(|_, extensions| {
            extensions.set("reason", self.reason());
            match self {
                Self::Role { needed, .. } => extensions.set("role", needed.as_str()),
                Self::Scope(scope) => extensions.set("scope", scope.as_str()),
                Self::Member => {}
            }
        })
    }
}
