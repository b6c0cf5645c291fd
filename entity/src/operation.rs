//! An operation: long-running work a user started, with steps, progress, deadline and outcome.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, QuerySelect, QueryTrait, Select, Set};

use crate::{Estimate, Failure, Work, operation_step};

/// By when an operation ends, whatever happens.
pub const DEADLINE: TimeDelta = TimeDelta::hours(6);

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    /// Finds the subscriptions of a consent, assigns roles, scans.
    #[sea_orm(string_value = "ONBOARD_TENANT")]
    OnboardTenant,
    /// Scans what is already granted.
    #[sea_orm(string_value = "SCAN_TENANT")]
    ScanTenant,
    /// Swaps roles, so that subscriptions have another access level.
    #[sea_orm(string_value = "CHANGE_ACCESS")]
    ChangeAccess,
    /// Removes what Tenantry created in the tenant, and stops everything about it.
    #[sea_orm(string_value = "DISCONNECT_TENANT")]
    DisconnectTenant,
    /// Writes the tags of a change set.
    #[sea_orm(string_value = "APPLY_CHANGE_SET")]
    ApplyChangeSet,
    /// Looks which permissions are held, and reads users, groups and reports.
    #[sea_orm(string_value = "LOAD_OFFICE_365")]
    LoadOffice,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Stored; no worker has begun.
    #[sea_orm(string_value = "QUEUED")]
    Queued,
    /// A worker is at it.
    #[sea_orm(string_value = "RUNNING")]
    Running,
    /// Everything asked for was done.
    #[sea_orm(string_value = "SUCCEEDED")]
    Succeeded,
    /// Some of it was done; the steps say what was not, and why.
    #[sea_orm(string_value = "PARTIAL")]
    Partial,
    /// Nothing was done.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Stopped by a member; what was done stays.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

impl State {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operation")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant it works on.
    pub tenant_id: Uuid,
    /// The consent it acts under, if it needs one.
    pub consent_id: Option<Uuid>,
    /// The member who started it.
    pub member_id: Uuid,
    /// What it does.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Whether its steps are all known: the subscriptions have been listed.
    pub discovered: bool,
    /// Why it failed, when that is not a matter of one step.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// When a member asked for it to stop.
    pub cancel_requested_at: Option<DateTimeUtc>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When a worker first began.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
    /// By when it ends, whatever happens.
    pub deadline_at: DateTimeUtc,
    /// When a worker last said that it is at it.
    pub heartbeat_at: DateTimeUtc,
    /// What it does, in full.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub work: Option<Work>,
    /// How long it was expected to take, as told before it began.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub estimate: Option<Estimate>,
    /// The change set that it applies.
    pub change_set_id: Option<Uuid>,
}

impl Model {
    /// What it does, in full.
    pub fn work(&self) -> Work {
        self.work.clone().unwrap_or(match self.kind {
            Kind::ScanTenant => Work::Scan,
            Kind::LoadOffice => Work::LoadOffice,
            _ => Work::ONBOARD,
        })
    }
}

/// What a member asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The organization it is for.
    pub organization_id: Uuid,
    /// The member who asks.
    pub member_id: Uuid,
    /// The tenant to work on.
    pub tenant_id: Uuid,
    /// The consent to act under, if it needs one.
    pub consent_id: Option<Uuid>,
    /// What to do.
    pub work: Work,
}

impl Request {
    /// The operation that does it, not begun yet; none: this is nothing that an operation does.
    pub fn queued(self, now: DateTime<Utc>) -> Option<ActiveModel> {
        let (kind, change_set_id) = (self.work.operation()?, self.work.change_set());
        Some(ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(self.organization_id),
            tenant_id: Set(self.tenant_id),
            consent_id: Set(self.consent_id),
            member_id: Set(self.member_id),
            kind: Set(kind),
            state: Set(State::Queued),
            // These have to look for what they are about themselves.
            discovered: Set(!matches!(kind, Kind::OnboardTenant | Kind::DisconnectTenant | Kind::LoadOffice)),
            failure: Set(None),
            cancel_requested_at: Set(None),
            created_at: Set(now),
            started_at: Set(None),
            finished_at: Set(None),
            deadline_at: Set(now + DEADLINE),
            heartbeat_at: Set(now),
            work: Set(Some(self.work)),
            estimate: Set(None),
            change_set_id: Set(change_set_id),
        })
    }
}

impl Entity {
    /// Unfinished operations under a consent that still need its window: their subscriptions are not known yet, or
    /// some step waits for the consenting user, or may come to.
    pub fn needing_window(consent_id: Uuid) -> Select<Self> {
        let waiting = operation_step::Entity::needing_window()
            .select_only()
            .column(operation_step::Column::OperationId)
            .into_query();
        Self::find()
            .filter(Column::ConsentId.eq(consent_id))
            .filter(Column::State.is_in([State::Queued, State::Running]))
            .filter(Condition::any().add(Column::Discovered.eq(false)).add(Column::Id.in_subquery(waiting)))
    }

    /// Unfinished operations of a tenant, but for disconnections.
    pub fn under_way(organization_id: Uuid, tenant_id: Uuid) -> Select<Self> {
        <Self as super::Owned>::owned_by(organization_id)
            .filter(Column::TenantId.eq(tenant_id))
            .filter(Column::State.is_in([State::Queued, State::Running]))
            .filter(Column::Kind.ne(Kind::DisconnectTenant))
    }

    /// The operations that apply a change set, one for each tenant.
    pub fn applying(organization_id: Uuid, change_set_id: Uuid) -> Select<Self> {
        <Self as super::Owned>::owned_by(organization_id).filter(Column::ChangeSetId.eq(change_set_id))
    }

    /// Unfinished operations, of every organization, that no worker has touched since `since`.
    pub fn unattended(since: DateTime<Utc>) -> Select<Self> {
        Self::find()
            .filter(Column::State.is_in([State::Queued, State::Running]))
            .filter(Column::HeartbeatAt.lte(since))
            .order_by_asc(Column::HeartbeatAt)
            .limit(1_000)
    }
}

/// An operation's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::tenants(Column::TenantId, holder))
    }
}
