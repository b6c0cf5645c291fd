//! A tenant: a Microsoft Entra tenant that an organization connected.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, QuerySelect, Select};

use crate::Failure;

/// How the connection to a tenant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Consented; the first onboarding has not ended.
    #[sea_orm(string_value = "CONNECTING")]
    Connecting,
    /// Our service principal reaches it.
    #[sea_orm(string_value = "CONNECTED")]
    Connected,
    /// Something that was granted is gone; the data is kept.
    #[sea_orm(string_value = "DEGRADED")]
    Degraded,
    /// A member asked to disconnect it, and what Tenantry created is being removed: nothing else is begun.
    #[sea_orm(string_value = "DISCONNECTING")]
    Disconnecting,
    /// A member disconnected it; nothing is done about it any more.
    #[sea_orm(string_value = "DISCONNECTED")]
    Disconnected,
}

impl State {
    /// Whether work may be begun in it.
    pub fn is_connected(self) -> bool {
        !matches!(self, Self::Disconnecting | Self::Disconnected)
    }

    /// Whether it is looked at whether everything that was granted works.
    pub fn is_checked(self) -> bool {
        Self::CHECKED.contains(&self)
    }

    const CHECKED: [Self; 2] = [Self::Connected, Self::Degraded];
}

/// One tenant of one organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization that connected it.
    pub organization_id: Uuid,
    /// Microsoft's tenant id.
    pub entra_tenant_id: Uuid,
    /// Its name in Entra ID, once it could be read.
    pub display_name: Option<String>,
    /// Its default domain, once it could be read.
    pub default_domain: Option<String>,
    /// How the connection stands.
    pub state: State,
    /// Why it is degraded.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// The object id of our service principal in it, once known. Changes when it is re-created.
    pub principal_id: Option<Uuid>,
    /// When it was first consented for.
    pub created_at: DateTimeUtc,
    /// When this row last changed.
    pub updated_at: DateTimeUtc,
    /// Since when it is degraded.
    pub degraded_since: Option<DateTimeUtc>,
    /// When the last check began.
    pub check_begun_at: Option<DateTimeUtc>,
    /// When the last check ended that could say everything.
    pub checked_at: Option<DateTimeUtc>,
    /// Why the last check could not say everything.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub check_failure: Option<Failure>,
    /// When it was disconnected.
    pub disconnected_at: Option<DateTimeUtc>,
    /// Since when its inventory is being deleted.
    pub deleting_since: Option<DateTimeUtc>,
    /// When its inventory was deleted.
    pub deleted_at: Option<DateTimeUtc>,
}

impl Entity {
    /// Tenants, of every organization, whose last check, or whose connection, is from before `since`.
    pub fn due(since: DateTime<Utc>) -> Select<Self> {
        let never = Condition::all().add(Column::CheckBegunAt.is_null()).add(Column::CreatedAt.lte(since));
        Self::find()
            .filter(Column::State.is_in(State::CHECKED))
            .filter(Condition::any().add(never).add(Column::CheckBegunAt.lte(since)))
            .order_by_asc(Column::CheckBegunAt)
            .limit(1_000)
    }

    /// Tenants, of every organization, whose inventory is being deleted.
    pub fn deleting() -> Select<Self> {
        Self::find()
            .filter(Column::State.eq(State::Disconnected))
            .filter(Column::DeletingSince.is_not_null())
            .order_by_asc(Column::DeletingSince)
            .limit(1_000)
    }
}

/// A tenant's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::tenants(Column::Id, holder))
    }
}
