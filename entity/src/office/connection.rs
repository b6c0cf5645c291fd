//! The connection of a tenant to Office 365: what may be read of it, and when it is read again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{FromJsonQueryResult, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};

/// Names of the application permissions that the service principal holds, as Microsoft spells them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Permissions(pub BTreeSet<String>);

impl Permissions {
    /// Whether a permission of this name is held.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "office_connection")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant; it has one connection at most.
    pub tenant_id: Uuid,
    /// The member who asked for the consent: loads that nobody starts are theirs.
    pub member_id: Uuid,
    /// What was held when it was looked at last; none: not looked at yet.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub permissions: Option<Permissions>,
    /// When it was looked at.
    pub permissions_read_at: Option<DateTimeUtc>,
    /// Whether the tenant conceals names in its reports, by its setting; none: the setting may not be read.
    pub conceals_names: Option<bool>,
    /// When it is loaded by itself the next time; none: the tenant was disconnected, and what was read before is kept.
    pub next_load_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

impl Model {
    /// Whether more may be read.
    pub fn is_connected(&self) -> bool {
        self.next_load_at.is_some()
    }

    /// Whether the service principal holds a permission, as far as is known.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.as_ref().is_some_and(|held| held.has(permission))
    }
}

impl Entity {
    /// Connections, of every organization, that are to be loaded by now.
    pub fn due(now: DateTime<Utc>) -> Select<Self> {
        Self::find().filter(Column::NextLoadAt.lte(now)).order_by_asc(Column::NextLoadAt).limit(1_000)
    }
}

/// A connection's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_tenants(Column::TenantId, holder))
    }
}
