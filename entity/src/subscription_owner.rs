//! The owners of a subscription: who may assign roles there, as far as that could be read.

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// More than so many owners of one subscription are not kept.
pub const MOST: usize = 100;

/// Somebody who may assign roles at a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The object id in the tenant.
    pub principal_id: Uuid,
    /// What the object is, in Azure's words.
    pub principal_type: Option<String>,
    /// Azure's id of the role's definition.
    pub role_definition_id: Uuid,
    /// The scope that the role is held at, in lower case.
    pub scope: String,
    /// Whether that is above the subscription.
    pub inherited: bool,
    /// The condition on the role.
    pub condition: Option<String>,
}

/// Owners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Owners(pub Vec<Owner>);

/// The owners of one subscription.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription_owner")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The subscription.
    pub subscription_id: Uuid,
    /// Who they were when they were last read; none: they never could be.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub owners: Option<Owners>,
    /// When they were last read.
    pub read_at: Option<DateTimeUtc>,
    /// When they were last asked for, read or not.
    pub tried_at: DateTimeUtc,
}

/// The subscription is reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
