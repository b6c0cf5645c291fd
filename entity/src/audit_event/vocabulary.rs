//! What the audit has words for: what was done, by whom, and to what.

use sea_orm::entity::prelude::*;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Action {
    /// A consent was asked for.
    #[sea_orm(string_value = "CONSENT_STARTED")]
    ConsentStarted,
    /// A consent was granted.
    #[sea_orm(string_value = "CONSENT_GRANTED")]
    ConsentGranted,
    /// A consent was refused, or what came back was not acceptable.
    #[sea_orm(string_value = "CONSENT_REFUSED")]
    ConsentRefused,
    /// Nobody came back with a consent.
    #[sea_orm(string_value = "CONSENT_EXPIRED")]
    ConsentExpired,
    /// The delegated token of a consent was erased, and its window closed.
    #[sea_orm(string_value = "DELEGATED_TOKEN_ERASED")]
    DelegatedTokenErased,
    /// A role was assigned to the service principal.
    #[sea_orm(string_value = "ROLE_ASSIGNED")]
    RoleAssigned,
    /// The service principal was found to have a role that it had before.
    #[sea_orm(string_value = "ROLE_FOUND")]
    RoleFound,
    /// A role assignment of Tenantry's own was removed.
    #[sea_orm(string_value = "ROLE_REMOVED")]
    RoleRemoved,
    /// The access level of a subscription was changed.
    #[sea_orm(string_value = "ACCESS_CHANGED")]
    AccessChanged,
    /// A change of access levels was started.
    #[sea_orm(string_value = "ACCESS_CHANGE_STARTED")]
    AccessChangeStarted,
    /// A setting of the organization was changed.
    #[sea_orm(string_value = "ORGANIZATION_CHANGED")]
    OrganizationChanged,
    /// A scan was started.
    #[sea_orm(string_value = "SCAN_STARTED")]
    ScanStarted,
    /// A load of Office 365 was started.
    #[sea_orm(string_value = "OFFICE_365_LOAD_STARTED")]
    OfficeLoadStarted,
    /// An operation was asked to stop.
    #[sea_orm(string_value = "OPERATION_CANCELLED")]
    OperationCancelled,
    /// An operation that had ended was let go on.
    #[sea_orm(string_value = "OPERATION_RETRIED")]
    OperationRetried,
    /// An access token was created.
    #[sea_orm(string_value = "ACCESS_TOKEN_CREATED")]
    AccessTokenCreated,
    /// An access token was replaced by one with a new secret.
    #[sea_orm(string_value = "ACCESS_TOKEN_ROTATED")]
    AccessTokenRotated,
    /// An access token was revoked.
    #[sea_orm(string_value = "ACCESS_TOKEN_REVOKED")]
    AccessTokenRevoked,
    /// A development token was printed for a member.
    #[sea_orm(string_value = "DEVELOPMENT_TOKEN_PRINTED")]
    DevelopmentTokenPrinted,
    /// An enrollment key was registered.
    #[sea_orm(string_value = "ENROLLMENT_KEY_REGISTERED")]
    EnrollmentKeyRegistered,
    /// An enrollment key was checked, and its state had changed.
    #[sea_orm(string_value = "ENROLLMENT_KEY_CHECKED")]
    EnrollmentKeyChecked,
    /// An enrollment key was removed.
    #[sea_orm(string_value = "ENROLLMENT_KEY_REMOVED")]
    EnrollmentKeyRemoved,
    /// Somebody was invited to be a member.
    #[sea_orm(string_value = "MEMBER_INVITED")]
    MemberInvited,
    /// An invitation was accepted: there is a new member.
    #[sea_orm(string_value = "INVITATION_ACCEPTED")]
    InvitationAccepted,
    /// An invitation was revoked.
    #[sea_orm(string_value = "INVITATION_REVOKED")]
    InvitationRevoked,
    /// The role or the reach of a member was changed.
    #[sea_orm(string_value = "MEMBER_CHANGED")]
    MemberChanged,
    /// A member was removed.
    #[sea_orm(string_value = "MEMBER_REMOVED")]
    MemberRemoved,
    /// A member signed in.
    #[sea_orm(string_value = "SIGNED_IN")]
    SignedIn,
    /// A member signed out.
    #[sea_orm(string_value = "SIGNED_OUT")]
    SignedOut,
    /// Every session of a member was ended.
    #[sea_orm(string_value = "SIGNED_OUT_EVERYWHERE")]
    SignedOutEverywhere,
    /// The audit was exported.
    #[sea_orm(string_value = "AUDIT_EXPORTED")]
    AuditExported,
    /// Secrets were sealed again, under a new key.
    #[sea_orm(string_value = "KEYS_ROTATED")]
    KeysRotated,
    /// The receipt of a consent was exported.
    #[sea_orm(string_value = "RECEIPT_EXPORTED")]
    ReceiptExported,
    /// An onboarding was started in a window that was open.
    #[sea_orm(string_value = "ONBOARDING_STARTED")]
    OnboardingStarted,
    /// An owner link was created.
    #[sea_orm(string_value = "OWNER_LINK_CREATED")]
    OwnerLinkCreated,
    /// An owner link was revoked.
    #[sea_orm(string_value = "OWNER_LINK_REVOKED")]
    OwnerLinkRevoked,
    /// The consent that an owner link starts was granted: the link is used.
    #[sea_orm(string_value = "OWNER_LINK_USED")]
    OwnerLinkUsed,
    /// More of what was granted in a tenant does not work, or less.
    #[sea_orm(string_value = "TENANT_DEGRADED")]
    TenantDegraded,
    /// Everything that was granted in a tenant works again.
    #[sea_orm(string_value = "TENANT_RECOVERED")]
    TenantRecovered,
    /// The disconnection of a tenant was started.
    #[sea_orm(string_value = "DISCONNECT_STARTED")]
    DisconnectStarted,
    /// A tenant was disconnected.
    #[sea_orm(string_value = "TENANT_DISCONNECTED")]
    TenantDisconnected,
    /// The inventory of a tenant was deleted.
    #[sea_orm(string_value = "INVENTORY_DELETED")]
    InventoryDeleted,
    /// A change set was planned.
    #[sea_orm(string_value = "CHANGE_SET_PLANNED")]
    ChangeSetPlanned,
    /// A change set was begun to be written.
    #[sea_orm(string_value = "CHANGE_SET_APPLIED")]
    ChangeSetApplied,
    /// A change set came to its end.
    #[sea_orm(string_value = "CHANGE_SET_ENDED")]
    ChangeSetEnded,
    /// A change set was cancelled.
    #[sea_orm(string_value = "CHANGE_SET_CANCELLED")]
    ChangeSetCancelled,
    /// Conflicts of tags were decided.
    #[sea_orm(string_value = "CONFLICTS_RESOLVED")]
    ConflictsResolved,
    /// What is decided about a tag name was changed.
    #[sea_orm(string_value = "TAG_NAME_CHANGED")]
    TagNameChanged,
    /// A tenant was scheduled to be scanned by itself.
    #[sea_orm(string_value = "SCAN_SCHEDULED")]
    ScanScheduled,
    /// A tenant is not scanned by itself any more.
    #[sea_orm(string_value = "SCAN_UNSCHEDULED")]
    ScanUnscheduled,
    /// Tags were exported.
    #[sea_orm(string_value = "TAGS_EXPORTED")]
    TagsExported,
    /// Users, groups or rows of a report of a tenant were exported.
    #[sea_orm(string_value = "REPORTS_EXPORTED")]
    ReportsExported,
}

/// What somebody who did something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ActorKind {
    /// A member.
    #[sea_orm(string_value = "MEMBER")]
    Member,
    /// An access token.
    #[sea_orm(string_value = "ACCESS_TOKEN")]
    AccessToken,
    /// The consenting user, who need not be a member.
    #[sea_orm(string_value = "CONSENTING_USER")]
    ConsentingUser,
    /// Whoever runs this installation, by the command line.
    #[sea_orm(string_value = "OPERATOR")]
    Operator,
    /// Tenantry itself: a job, or the passing of time.
    #[sea_orm(string_value = "SYSTEM")]
    System,
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The member with this id.
    Member(Uuid),
    /// The access token with this id.
    AccessToken(Uuid),
    /// The consenting user, by Microsoft's object id if that is known.
    ConsentingUser(Option<Uuid>),
    /// Whoever runs this installation, by the command line.
    Operator,
    /// Tenantry itself: a job, or the passing of time.
    System,
}

impl Actor {
    /// What it is.
    pub fn kind(self) -> ActorKind {
        match self {
            Self::Member(_) => ActorKind::Member,
            Self::AccessToken(_) => ActorKind::AccessToken,
            Self::ConsentingUser(_) => ActorKind::ConsentingUser,
            Self::Operator => ActorKind::Operator,
            Self::System => ActorKind::System,
        }
    }

    /// Which one of these it is.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::Member(id) | Self::AccessToken(id) => Some(id),
            Self::ConsentingUser(id) => id,
            Self::Operator | Self::System => None,
        }
    }
}

/// Of what kind the thing is that something was done to. The names are those with which global ids begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ObjectKind {
    /// An organization.
    #[sea_orm(string_value = "organization")]
    Organization,
    /// A member.
    #[sea_orm(string_value = "member")]
    Member,
    /// An invitation.
    #[sea_orm(string_value = "invitation")]
    Invitation,
    /// A session.
    #[sea_orm(string_value = "session")]
    Session,
    /// A tenant.
    #[sea_orm(string_value = "tenant")]
    Tenant,
    /// A subscription.
    #[sea_orm(string_value = "subscription")]
    Subscription,
    /// An operation.
    #[sea_orm(string_value = "operation")]
    Operation,
    /// A consent.
    #[sea_orm(string_value = "consent")]
    Consent,
    /// An access token.
    #[sea_orm(string_value = "access-token")]
    AccessToken,
    /// An enrollment key.
    #[sea_orm(string_value = "enrollment-key")]
    EnrollmentKey,
    /// An owner link.
    #[sea_orm(string_value = "owner-link")]
    OwnerLink,
    /// A change set.
    #[sea_orm(string_value = "change-set")]
    ChangeSet,
    /// A tag name.
    #[sea_orm(string_value = "tag-name")]
    TagName,
}
