//! A tenant: a Microsoft Entra tenant that an organization connected.

use sea_orm::entity::prelude::*;

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
    /// A member disconnected it; nothing is done about it any more.
    #[sea_orm(string_value = "DISCONNECTED")]
    Disconnected,
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
