//! A health reason: why a tenant, or one subscription of it, is degraded or will be.

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, Select};

use crate::Failure;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Severity {
    /// Everything works still.
    #[sea_orm(string_value = "WARNING")]
    Warning,
    /// Something that was granted does not work any more.
    #[sea_orm(string_value = "DEGRADED")]
    Degraded,
}

/// One reason. It is there for as long as what it says is true.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "health_reason")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The one subscription that it is about; none: all of the tenant.
    pub subscription_id: Option<Uuid>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and who can mend it.
    #[sea_orm(column_type = "JsonBinary")]
    pub failure: Failure,
    /// Since when it is known.
    pub since: DateTimeUtc,
}

impl Model {
    /// What tells one reason from another.
    pub fn key(&self) -> (Option<Uuid>, &str) {
        (self.subscription_id, &self.failure.code)
    }

    /// Whether the tenant is degraded by it.
    pub fn degrades(&self) -> bool {
        self.severity == Severity::Degraded
    }
}

impl Entity {
    /// Everything that is wrong with a tenant, the first known first.
    pub fn of_tenant(organization_id: Uuid, tenant_id: Uuid) -> Select<Self> {
        <Self as super::Owned>::owned_by(organization_id)
            .filter(Column::TenantId.eq(tenant_id))
            .order_by_asc(Column::Since)
            .order_by_asc(Column::Id)
    }
}

/// A reason's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        let of_tenant = Condition::all()
            .add(Column::SubscriptionId.is_null())
            .add(crate::reach::tenants(Column::TenantId, holder));
        let of_subscription = crate::reach::subscriptions(Column::SubscriptionId, holder);
        rows.filter(Condition::any().add(of_tenant).add(of_subscription))
    }
}
