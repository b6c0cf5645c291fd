//! A licence that is assigned to a user.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

/// One licence of one user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assigned_licence")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// Microsoft's id of the product.
    pub sku_id: Uuid,
}

/// The id of a user's licence.
pub fn id_of(user_id: Uuid, sku_id: Uuid) -> Uuid {
    Uuid::new_v5(&user_id, format!("licence:{sku_id}").as_bytes())
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
