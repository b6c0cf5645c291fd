//! By which role assignments the service principal has access to a subscription.

use std::collections::HashMap;

use async_graphql::{Enum, SimpleObject};
use entity::role_assignment;
use microsoft::Role;
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::graphql::scalars::{DateTime, Guid};
use crate::graphql::scope::Scope;

/// A role that Tenantry knows what to do with.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AzureRole")]
pub enum AzureRole {
    /// Reads everything but secrets.
    Reader,
    /// Reads resources and writes their tags.
    TagContributor,
    /// Any other; `roleDefinitionId` says which.
    Other,
}

impl From<Role> for AzureRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Reader => Self::Reader,
            Role::TagContributor => Self::TagContributor,
            Role::Other(_) => Self::Other,
        }
    }
}

/// Where a role assignment comes from.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "RoleAssignmentOrigin", remote = "entity::role_assignment::Origin")]
pub enum Origin {
    /// Tenantry created it: only such a one is ever removed.
    Ours,
    /// Somebody else created it at the subscription.
    Adopted,
    /// It stands above the subscription.
    Inherited,
}

/// One role assignment of the service principal.
#[derive(SimpleObject)]
#[graphql(name = "RoleAssignment")]
pub struct RoleAssignment {
    /// Azure's id of it, in lower case.
    arm_id: String,
    /// The role.
    role: AzureRole,
    /// Azure's id of the role's definition.
    role_definition_id: Guid,
    /// The scope that it stands at, in lower case.
    scope: String,
    /// Where it comes from.
    origin: Origin,
    /// When Tenantry first knew of it.
    created_at: DateTime,
    /// When the service principal was first seen to have it; null until then.
    verified_at: Option<DateTime>,
}

impl From<role_assignment::Model> for RoleAssignment {
    fn from(row: role_assignment::Model) -> Self {
        let role = Role::from(row.role_definition_id).into();
        Self {
            arm_id: row.arm_id,
            role,
            role_definition_id: row.role_definition_id.into(),
            scope: row.scope,
            origin: row.origin.into(),
            created_at: row.created_at.into(),
            verified_at: row.verified_at.map(Into::into),
        }
    }
}

/// The role assignments of each of `subscriptions`, the first known first.
pub async fn of_subscriptions(
    scope: Scope<'_>,
    subscriptions: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<RoleAssignment>>, DbErr> {
    let rows = scope
        .owned::<role_assignment::Entity>()
        .filter(role_assignment::Column::SubscriptionId.is_in(subscriptions))
        .order_by_asc(role_assignment::Column::Id)
        .all(scope.database())
        .await?;
    let mut found: HashMap<Uuid, Vec<RoleAssignment>> = HashMap::new();
    for row in rows {
        found.entry(row.subscription_id).or_default().push(row.into());
    }
    Ok(found)
}
