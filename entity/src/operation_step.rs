//! A step of an operation: what it does about one subscription.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, FromJsonQueryResult, Select, Set};
use serde::{Deserialize, Serialize};

use crate::subscription::AccessLevel;
use crate::{Failure, Work, operation};

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// The role is not assigned yet; needs the consent window.
    #[sea_orm(string_value = "ASSIGNING")]
    Assigning,
    /// The role is assigned, and the service principal does not see its effect yet.
    #[sea_orm(string_value = "VERIFYING")]
    Verifying,
    /// The new role works; what the level does not need any more is not removed yet. Needs the consent window.
    #[sea_orm(string_value = "REMOVING")]
    Removing,
    /// The change did not work out, and what it added is not removed yet. Needs the consent window.
    #[sea_orm(string_value = "ROLLING_BACK")]
    RollingBack,
    /// The role works; the scan has not ended.
    #[sea_orm(string_value = "SCANNING")]
    Scanning,
    /// Tags are being written.
    #[sea_orm(string_value = "WRITING")]
    Writing,
    /// Nothing more will happen.
    #[sea_orm(string_value = "DONE")]
    Done,
}

impl State {
    /// Those in which only the consenting user can take the step further.
    pub const OF_WINDOW: [Self; 3] = [Self::Assigning, Self::Removing, Self::RollingBack];

    /// Those in which something more will happen.
    pub const OPEN: [Self; 6] =
        [Self::Assigning, Self::Verifying, Self::Removing, Self::RollingBack, Self::Scanning, Self::Writing];

    /// Whether only the consenting user can take the step further.
    pub fn needs_window(self) -> bool {
        Self::OF_WINDOW.contains(&self)
    }

    /// Whether the step is changing roles.
    pub fn changes_access(self) -> bool {
        self.needs_window() || self == Self::Verifying
    }
}

/// How a subscription ended in an operation that changes access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Outcome {
    /// The role was assigned.
    #[sea_orm(string_value = "GRANTED")]
    Granted,
    /// The role was already there.
    #[sea_orm(string_value = "ALREADY_GRANTED")]
    AlreadyGranted,
    /// The role comes from above the subscription.
    #[sea_orm(string_value = "INHERITED")]
    Inherited,
    /// The consenting user may not assign roles there.
    #[sea_orm(string_value = "NOT_PERMITTED")]
    NotPermitted,
    /// A condition on the consenting user's own role forbids it.
    #[sea_orm(string_value = "CONDITION_BLOCKED")]
    ConditionBlocked,
    /// The subscription is disabled.
    #[sea_orm(string_value = "SUBSCRIPTION_DISABLED")]
    SubscriptionDisabled,
    /// The subscription holds as many role assignments as Azure allows.
    #[sea_orm(string_value = "LIMIT_REACHED")]
    LimitReached,
    /// The consent window closed first.
    #[sea_orm(string_value = "NEEDS_RECONSENT")]
    NeedsReconsent,
    /// It has another access level now.
    #[sea_orm(string_value = "CHANGED")]
    Changed,
    /// It had the access level before.
    #[sea_orm(string_value = "UNCHANGED")]
    Unchanged,
    /// The change did not work out, and all roles are as they were before.
    #[sea_orm(string_value = "ROLLED_BACK")]
    RolledBack,
    /// What Tenantry created there is removed.
    #[sea_orm(string_value = "REMOVED")]
    Removed,
    /// Every tag write was done.
    #[sea_orm(string_value = "WRITTEN")]
    Written,
    /// Some tag writes were done; each says what became of it.
    #[sea_orm(string_value = "PARTLY_WRITTEN")]
    PartlyWritten,
    /// Something else went wrong.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

impl Outcome {
    /// Whether the service principal can read the subscription.
    pub fn is_access(self) -> bool {
        matches!(
            self,
            Self::Granted | Self::AlreadyGranted | Self::Inherited | Self::Changed | Self::Unchanged
        )
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operation_step")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation it is part of.
    pub operation_id: Uuid,
    /// The subscription it is about.
    pub subscription_id: Uuid,
    /// Where it stands.
    pub state: State,
    /// How access to the subscription ended; none in a scan, which changes no access.
    pub outcome: Option<Outcome>,
    /// What went wrong, if anything did.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// Whether the scan saw the whole subscription.
    pub scanned: bool,
    /// Resources seen so far.
    pub resources_seen: i64,
    /// Resources stored because they were new or had changed.
    pub resources_written: i64,
    /// Resources found to be gone.
    pub resources_deleted: i64,
    /// When the role was assigned.
    pub assigned_at: Option<DateTimeUtc>,
    /// When this row last changed.
    pub updated_at: DateTimeUtc,
    /// The level that the subscription is to have, or whose roles are held while tags are written; none: the step asks
    /// for no level of its own.
    pub access_level: Option<AccessLevel>,
    /// Definitions of the roles that this step assigns, written down before it does.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub roles_added: Option<Roles>,
}

/// Azure's ids of role definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Roles(pub Vec<Uuid>);

/// The first step of `operation` about a subscription.
pub fn first(operation: &operation::Model, subscription_id: Uuid, now: DateTime<Utc>) -> ActiveModel {
    let (state, access_level) = match operation.work() {
        Work::Onboard { .. } => (State::Assigning, None),
        // Without a consent the roles are held already, and are only looked at again.
        Work::ChangeAccess { level, .. } if operation.consent_id.is_none() => (State::Verifying, Some(level)),
        Work::ChangeAccess { level, .. } => (State::Assigning, Some(level)),
        Work::Disconnect { .. } => (State::Removing, Some(AccessLevel::None)),
        Work::ApplyChangeSet { .. } => (State::Writing, None),
        // Without a subscription there is no step.
        Work::Scan | Work::Hold | Work::LoadOffice => (State::Scanning, None),
    };
    ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(operation.organization_id),
        operation_id: Set(operation.id),
        subscription_id: Set(subscription_id),
        state: Set(state),
        outcome: Set(None),
        failure: Set(None),
        scanned: Set(false),
        resources_seen: Set(0),
        resources_written: Set(0),
        resources_deleted: Set(0),
        assigned_at: Set((state == State::Verifying).then_some(now)),
        updated_at: Set(now),
        access_level: Set(access_level),
        roles_added: Set(None),
    }
}

/// The same where tags are written by a role that is held for that alone.
pub fn elevated(operation: &operation::Model, subscription_id: Uuid, now: DateTime<Utc>) -> ActiveModel {
    ActiveModel {
        state: Set(State::Assigning),
        access_level: Set(Some(AccessLevel::WriteTags)),
        ..first(operation, subscription_id, now)
    }
}

impl Entity {
    /// Steps, of every operation, that need a consent window now or, where roles are swapped or held for a while, later.
    pub fn needing_window() -> Select<Self> {
        let later = Condition::all()
            .add(Column::State.is_in([State::Verifying, State::Writing]))
            .add(Column::AccessLevel.is_not_null());
        Self::find().filter(Condition::any().add(Column::State.is_in(State::OF_WINDOW)).add(later))
    }

    /// Steps, of every operation, that are changing roles, or hold some for a while.
    pub fn changing() -> Select<Self> {
        let holding =
            Condition::all().add(Column::State.eq(State::Writing)).add(Column::AccessLevel.is_not_null());
        let changes = Column::State.is_in(State::OF_WINDOW.into_iter().chain([State::Verifying]));
        Self::find().filter(Condition::any().add(changes).add(holding))
    }
}

/// A step's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
