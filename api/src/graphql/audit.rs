//! The audit: who did what to which thing, and when.

mod audit_events;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use entity::audit_event::{self, ActorKind, hex, read};
use uuid::Uuid;

pub use audit_events::AuditEvents;

use super::batch::Batch;
use super::ids::Kind;
use super::int;
use super::member::Member;
use super::scalars::{DateTime, Guid, Json};
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use crate::permission::Permission;

/// What was done. New ones may be added.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AuditAction", remote = "entity::audit_event::Action")]
pub enum AuditAction {
    /// A consent was asked for.
    ConsentStarted,
    /// A consent was granted.
    ConsentGranted,
    /// A consent was refused, or what came back was not acceptable.
    ConsentRefused,
    /// Nobody came back with a consent.
    ConsentExpired,
    /// The delegated token of a consent was erased, and its window closed.
    DelegatedTokenErased,
    /// A role was assigned to the service principal.
    RoleAssigned,
    /// The service principal was found to have a role that it had before.
    RoleFound,
    /// A scan was started.
    ScanStarted,
    /// A load of Office 365 was started.
    #[graphql(name = "OFFICE_365_LOAD_STARTED")]
    OfficeLoadStarted,
    /// A role assignment of Tenantry's own was removed.
    RoleRemoved,
    /// The access level of a subscription was changed.
    AccessChanged,
    /// A change of access levels was started.
    AccessChangeStarted,
    /// A setting of the organization was changed.
    OrganizationChanged,
    /// An operation was asked to stop.
    OperationCancelled,
    /// An operation that had ended was let go on.
    OperationRetried,
    /// An access token was created.
    AccessTokenCreated,
    /// An access token was replaced by one with a new secret.
    AccessTokenRotated,
    /// An access token was revoked.
    AccessTokenRevoked,
    /// A development token was printed for a member.
    DevelopmentTokenPrinted,
    /// An enrollment key was registered.
    EnrollmentKeyRegistered,
    /// An enrollment key was checked, and its state had changed.
    EnrollmentKeyChecked,
    /// An enrollment key was removed.
    EnrollmentKeyRemoved,
    /// Somebody was invited to be a member.
    MemberInvited,
    /// An invitation was accepted: there is a new member.
    InvitationAccepted,
    /// An invitation was revoked.
    InvitationRevoked,
    /// The role or the reach of a member was changed.
    MemberChanged,
    /// A member was removed.
    MemberRemoved,
    /// A member signed in.
    SignedIn,
    /// A member signed out.
    SignedOut,
    /// Every session of a member was ended.
    SignedOutEverywhere,
    /// The audit was exported.
    AuditExported,
    /// Secrets were sealed again, under a new key.
    KeysRotated,
    /// The receipt of a consent was exported.
    ReceiptExported,
    /// An onboarding was started in a window that was open.
    OnboardingStarted,
    /// An owner link was created.
    OwnerLinkCreated,
    /// An owner link was revoked.
    OwnerLinkRevoked,
    /// The consent that an owner link starts was granted: the link is used.
    OwnerLinkUsed,
    /// More of what was granted in a tenant does not work, or less.
    TenantDegraded,
    /// Everything that was granted in a tenant works again.
    TenantRecovered,
    /// The disconnection of a tenant was started.
    DisconnectStarted,
    /// A tenant was disconnected.
    TenantDisconnected,
    /// The inventory of a tenant was deleted.
    InventoryDeleted,
    /// A change set was planned.
    ChangeSetPlanned,
    /// A change set was begun to be written.
    ChangeSetApplied,
    /// A change set came to its end.
    ChangeSetEnded,
    /// A change set was cancelled.
    ChangeSetCancelled,
    /// Conflicts of tags were decided.
    ConflictsResolved,
    /// What is decided about a tag name was changed.
    TagNameChanged,
    /// A tenant was scheduled to be scanned by itself.
    ScanScheduled,
    /// A tenant is not scanned by itself any more.
    ScanUnscheduled,
    /// Tags were exported.
    TagsExported,
    /// Users, groups or rows of a report of a tenant were exported.
    ReportsExported,
}

/// What somebody who did something is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AuditActorKind", remote = "entity::audit_event::ActorKind")]
pub enum AuditActorKind {
    /// A member.
    Member,
    /// An access token.
    AccessToken,
    /// The consenting user, who need not be a member.
    ConsentingUser,
    /// Whoever runs this installation, by the command line.
    Operator,
    /// Tenantry itself: a job, or the passing of time.
    System,
}

/// An audit event.
pub struct AuditEvent {
    row: audit_event::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    members: Batch<Member>,
}

impl Stored for AuditEvent {
    type Entity = audit_event::Entity;
    const READ: Permission = Permission::ReadAudit;
    const ID: audit_event::Column = audit_event::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings { members: Batch::of(rows.iter().filter_map(member_of)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

fn member_of(row: &audit_event::Model) -> Option<Uuid> {
    row.actor_id.filter(|_| row.actor_kind == ActorKind::Member)
}

impl Identified for AuditEvent {
    const KIND: Kind = Kind::AuditEvent;
}

/// Something that was done: who did what to which thing, and when. It is never changed, and only ever removed when
/// it is older than events are kept. Needs the role `ADMIN`, or the scope `audit:read`; who is limited to some
/// tenants sees none.
#[Object(name = "AuditEvent")]
impl AuditEvent {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// Its number in the organization, from one and without gaps.
    async fn sequence(&self) -> i32 {
        int(self.row.sequence)
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime {
        self.row.occurred_at.into()
    }

    /// What whoever did it is.
    async fn actor_kind(&self) -> AuditActorKind {
        self.row.actor_kind.into()
    }

    /// The id of the member or access token that did it; null for anybody else.
    async fn actor(&self) -> Option<ID> {
        self.row.actor().map(ID)
    }

    /// The member who did it; null if it was no member.
    async fn member(&self, ctx: &Context<'_>) -> Option<&Member> {
        let member_id = member_of(&self.row)?;
        let found =
            async { self.siblings.members.find(Scope::of(ctx, Permission::ReadMembers)?, member_id).await };
        or_null(ctx, found.await)
    }

    /// Microsoft's object id of the consenting user who did it, if that is known.
    async fn consenting_user_id(&self) -> Option<Guid> {
        self.row.consenting_user_id().map(Into::into)
    }

    /// What was done.
    async fn action(&self) -> AuditAction {
        self.row.action.into()
    }

    /// The id of what it was done to, which may be gone by now.
    async fn object(&self) -> ID {
        ID(self.row.object())
    }

    /// What the change replaced; null if it replaced nothing.
    async fn before(&self) -> Option<Json> {
        self.row.before.as_deref().map(|before| read(before).into())
    }

    /// What the change made; null if it made nothing.
    async fn after(&self) -> Option<Json> {
        self.row.after.as_deref().map(|after| read(after).into())
    }

    /// From which address it was asked for; null if nobody asked.
    async fn address(&self) -> Option<&str> {
        self.row.address.as_deref()
    }

    /// The `x-request-id` of the request that asked for it; null if none did.
    async fn request_id(&self) -> Option<&str> {
        self.row.request_id.as_deref()
    }

    /// By which Microsoft finds the calls that did it; null if none were made or it is not known.
    async fn microsoft_correlation_id(&self) -> Option<&str> {
        self.row.microsoft_correlation_id.as_deref()
    }

    /// The hash of the event before it, in hexadecimal.
    async fn previous_hash(&self) -> String {
        hex(&self.row.previous_hash)
    }

    /// Its own hash, in hexadecimal: it covers everything above.
    async fn hash(&self) -> String {
        hex(&self.row.hash)
    }
}
