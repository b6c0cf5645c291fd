//! A subscription: an Azure subscription of a tenant, as last seen.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// What Tenantry may do with a subscription's tags; each level includes the ones before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccessLevel {
    /// No role is held.
    #[sea_orm(string_value = "NONE")]
    None,
    /// Resources are read, tags live here only.
    #[sea_orm(string_value = "RESOURCES_ONLY")]
    ResourcesOnly,
    /// Resources and tags are read.
    #[sea_orm(string_value = "READ_TAGS")]
    ReadTags,
    /// Tags are read and written.
    #[sea_orm(string_value = "WRITE_TAGS")]
    WriteTags,
}

/// Azure's state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum AzureState {
    /// In use.
    #[sea_orm(string_value = "ENABLED")]
    Enabled,
    /// Azure warned its owner; still writable.
    #[sea_orm(string_value = "WARNED")]
    Warned,
    /// Payment is late; still writable.
    #[sea_orm(string_value = "PAST_DUE")]
    PastDue,
    /// Read-only.
    #[sea_orm(string_value = "DISABLED")]
    Disabled,
    /// Deleted.
    #[sea_orm(string_value = "DELETED")]
    Deleted,
    /// A state that Azure added later.
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant it belongs to.
    pub tenant_id: Uuid,
    /// Azure's subscription id.
    pub azure_subscription_id: Uuid,
    /// Its name in Azure.
    pub display_name: String,
    /// Its state in Azure.
    pub azure_state: AzureState,
    /// What Tenantry may do with its tags.
    pub access_level: AccessLevel,
    /// How many resources the last complete scan found.
    pub resource_count: i64,
    /// When the last complete scan ended.
    pub scanned_at: Option<DateTimeUtc>,
    /// Why the inventory is older than the last scan, if it is.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub stale: Option<Failure>,
    /// When it was first seen.
    pub created_at: DateTimeUtc,
    /// When this row last changed.
    pub updated_at: DateTimeUtc,
    /// The step that changes its roles now, or did last.
    pub changing_step_id: Option<Uuid>,
}

/// A subscription's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::Id, holder))
    }
}
