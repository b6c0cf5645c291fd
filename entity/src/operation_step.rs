//! A step of an operation: what it does about one subscription.

use chrono::{DateTime, Utc};
use sea_orm::Set;
use sea_orm::entity::prelude::*;

use crate::{Failure, operation};

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
    /// The role works; the scan has not ended.
    #[sea_orm(string_value = "SCANNING")]
    Scanning,
    /// Nothing more will happen.
    #[sea_orm(string_value = "DONE")]
    Done,
}

/// How a subscription ended in an onboarding.
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
    /// Something else went wrong.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

impl Outcome {
    /// Whether the service principal can read the subscription.
    pub fn is_access(self) -> bool {
        matches!(self, Self::Granted | Self::AlreadyGranted | Self::Inherited)
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
}

/// The first step of `operation` about a subscription: an onboarding begins with the role, a scan without.
pub fn first(operation: &operation::Model, subscription_id: Uuid, now: DateTime<Utc>) -> ActiveModel {
    let state = match operation.kind {
        operation::Kind::OnboardTenant => State::Assigning,
        operation::Kind::ScanTenant => State::Scanning,
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
        assigned_at: Set(None),
        updated_at: Set(now),
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
