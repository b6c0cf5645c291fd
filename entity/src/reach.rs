//! Reach: of an organization's tenants and subscriptions, those that a member, an invitation or an access
//! token is limited to.
//!
//! Who is limited has a row for each tenant of which it reaches every subscription, future ones included, and
//! a row for each single subscription. Who is not limited has none and reaches everything.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{Condition, QuerySelect, QueryTrait};

use crate::{consent, subscription, tenant};

/// One thing that somebody reaches.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reach")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The member, the invitation or the access token.
    pub holder_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The one subscription of it; none: all of them, future ones included.
    pub subscription_id: Option<Uuid>,
}

/// What is reached is told by ids.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(Column::HolderId.eq(holder))
    }
}

/// Holds for a column of tenants of which `holder` reaches something.
pub fn tenants(column: impl ColumnTrait, holder: Uuid) -> Condition {
    Condition::all().add(column.in_subquery(of(holder).column(Column::TenantId).into_query()))
}

/// Holds for a column of tenants of which `holder` reaches every subscription.
pub fn whole_tenants(column: impl ColumnTrait, holder: Uuid) -> Condition {
    Condition::all().add(column.in_subquery(whole(holder)))
}

/// Holds for a column of Microsoft's ids of tenants of which `holder` reaches something.
pub fn entra_tenants(column: impl ColumnTrait, holder: Uuid) -> Condition {
    let reached = tenant::Entity::find()
        .select_only()
        .column(tenant::Column::EntraTenantId)
        .filter(tenants(tenant::Column::Id, holder));
    Condition::all().add(column.in_subquery(reached.into_query()))
}

/// Holds for a column of subscriptions that `holder` reaches.
pub fn subscriptions(column: impl ColumnTrait, holder: Uuid) -> Condition {
    let of_tenants = subscription::Entity::find()
        .select_only()
        .column(subscription::Column::Id)
        .filter(subscription::Column::TenantId.in_subquery(whole(holder)));
    Condition::any().add(column.in_subquery(of_tenants.into_query())).add(column.in_subquery(single(holder)))
}

/// Holds for a column of consents of tenants of which `holder` reaches every subscription.
pub fn whole_consents(column: impl ColumnTrait, holder: Uuid) -> Condition {
    let reached = consent::Entity::find()
        .select_only()
        .column(consent::Column::Id)
        .filter(whole_tenants(consent::Column::TenantId, holder));
    Condition::all().add(column.in_subquery(reached.into_query()))
}

fn of(holder: Uuid) -> Select<Entity> {
    Entity::find().select_only().filter(Column::HolderId.eq(holder))
}

fn whole(holder: Uuid) -> SelectStatement {
    of(holder).column(Column::TenantId).filter(Column::SubscriptionId.is_null()).into_query()
}

fn single(holder: Uuid) -> SelectStatement {
    of(holder).column(Column::SubscriptionId).filter(Column::SubscriptionId.is_not_null()).into_query()
}
