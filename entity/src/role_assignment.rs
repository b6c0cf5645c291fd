//! A role assignment of our service principal at a subscription, or one inherited from above it.

use sea_orm::entity::prelude::*;
use sea_orm::{QuerySelect, QueryTrait, Select};

use crate::subscription;

/// Where an assignment comes from; only `Ours` is ever removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Origin {
    /// Tenantry created it.
    #[sea_orm(string_value = "OURS")]
    Ours,
    /// Somebody else created it at the subscription.
    #[sea_orm(string_value = "ADOPTED")]
    Adopted,
    /// It stands above the subscription.
    #[sea_orm(string_value = "INHERITED")]
    Inherited,
}

/// One role assignment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_assignment")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The subscription it gives access to.
    pub subscription_id: Uuid,
    /// Azure's id of the assignment, in lower case.
    pub arm_id: String,
    /// Azure's id of the role definition.
    pub role_definition_id: Uuid,
    /// The service principal's object id.
    pub principal_id: Uuid,
    /// The scope it stands at, in lower case.
    pub scope: String,
    /// Where it comes from.
    pub origin: Origin,
    /// When Tenantry first knew of it.
    pub created_at: DateTimeUtc,
    /// When the service principal was first seen to have it.
    pub verified_at: Option<DateTimeUtc>,
}

impl Entity {
    /// What Tenantry created in a tenant, as far as it is known to be there.
    pub fn ours(organization_id: Uuid, tenant_id: Uuid) -> Select<Self> {
        Self::of_tenant(organization_id, tenant_id).filter(Column::Origin.eq(Origin::Ours))
    }

    /// Every assignment that gives access to something in a tenant.
    pub fn of_tenant(organization_id: Uuid, tenant_id: Uuid) -> Select<Self> {
        let subscriptions = <subscription::Entity as super::Owned>::owned_by(organization_id)
            .filter(subscription::Column::TenantId.eq(tenant_id))
            .select_only()
            .column(subscription::Column::Id);
        <Self as super::Owned>::owned_by(organization_id)
            .filter(Column::SubscriptionId.in_subquery(subscriptions.into_query()))
    }

    /// The same assignment, where another organization of this installation relies on it.
    pub fn of_others(arm_id: &str, organization_id: Uuid) -> Select<Self> {
        Self::find()
            .filter(Column::ArmId.eq(arm_id.to_lowercase()))
            .filter(Column::OrganizationId.ne(organization_id))
    }
}

/// An assignment's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
