//! How many licences of a product a tenant has bought.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

/// One product.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "purchased_licence")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// Microsoft's id of the product.
    pub sku_id: Uuid,
    /// Its part number.
    pub part_number: String,
    /// Whether it may be used, in Microsoft's words: `Enabled`, `Warning`, `Suspended`, `Deleted`, `LockedOut`.
    pub capability_status: String,
    /// Whether it is assigned to users, and not to the company as a whole.
    pub is_per_user: bool,
    /// Licences that may be used.
    pub enabled: i64,
    /// Licences of a subscription that was cancelled.
    pub suspended: i64,
    /// Licences of a subscription that has run out and can be renewed still.
    pub warning: i64,
    /// Licences that are in use.
    pub consumed: i64,
    /// When this was read.
    pub read_at: DateTimeUtc,
}

/// Its relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_tenants(Column::TenantId, holder))
    }
}
