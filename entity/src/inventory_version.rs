//! The version of a subscription's inventory: it moves on whenever a resource of it is written.

use sea_orm::entity::prelude::*;

/// The version of one subscription's inventory. The database's own triggers write it, in the transaction that
/// writes the resources. A subscription of which no resource was ever stored has none.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inventory_version")]
pub struct Model {
    /// The subscription.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subscription_id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// Another one than before: nothing else can be told from it.
    pub version: i64,
}

/// A version's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
