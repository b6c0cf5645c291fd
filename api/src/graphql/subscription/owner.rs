//! Who could consent for a subscription.

use std::collections::HashMap;

use async_graphql::{Enum, SimpleObject};
use entity::subscription_owner;
use microsoft::OwnerRole;
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use uuid::Uuid;

use crate::graphql::scalars::Guid;
use crate::graphql::scope::Scope;

/// A role that lets its holder assign roles.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "SubscriptionOwnerRole", remote = "microsoft::OwnerRole")]
pub enum SubscriptionOwnerRole {
    /// Does everything.
    Owner,
    /// Reads everything, and gives and takes roles.
    UserAccessAdministrator,
    /// Gives and takes roles.
    RoleBasedAccessControlAdministrator,
}

/// What somebody is who holds a role.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "PrincipalType")]
pub enum PrincipalType {
    /// A user.
    User,
    /// A group: each of its members.
    Group,
    /// A service principal.
    ServicePrincipal,
    /// Anything else.
    Other,
}

/// Somebody who could consent for a subscription. Their names are not shown, since reading them takes a permission
/// that Tenantry does not ask for: look the object id up in the tenant's directory.
#[derive(SimpleObject)]
#[graphql(name = "SubscriptionOwner")]
pub struct SubscriptionOwner {
    /// The object id in the tenant's directory.
    principal_id: Guid,
    /// What the object is.
    principal_type: PrincipalType,
    /// By which role.
    role: SubscriptionOwnerRole,
    /// Where the role is held, in lower case.
    scope: String,
    /// Whether that is above the subscription.
    inherited: bool,
    /// What limits the role, in Azure's words; it may forbid the consent. Null: nothing.
    condition: Option<String>,
}

impl SubscriptionOwner {
    /// The owners of a row, those of the subscription itself first; none: they could never be read.
    pub fn all(row: &subscription_owner::Model) -> Option<Vec<Self>> {
        row.owners.as_ref().map(|owners| owners.0.iter().filter_map(Self::of).collect())
    }

    fn of(owner: &subscription_owner::Owner) -> Option<Self> {
        Some(Self {
            principal_id: owner.principal_id.into(),
            principal_type: principal_type(owner.principal_type.as_deref()),
            role: OwnerRole::of(owner.role_definition_id)?.into(),
            scope: owner.scope.clone(),
            inherited: owner.inherited,
            condition: owner.condition.clone(),
        })
    }
}

fn principal_type(said: Option<&str>) -> PrincipalType {
    match said {
        Some("User") => PrincipalType::User,
        Some("Group") => PrincipalType::Group,
        Some("ServicePrincipal") => PrincipalType::ServicePrincipal,
        _ => PrincipalType::Other,
    }
}

/// The owners of each of `subscriptions` where they could be read.
pub async fn of_subscriptions(
    scope: Scope<'_>,
    subscriptions: Vec<Uuid>,
) -> Result<HashMap<Uuid, subscription_owner::Model>, DbErr> {
    let rows = scope
        .owned::<subscription_owner::Entity>()
        .filter(subscription_owner::Column::SubscriptionId.is_in(subscriptions))
        .all(scope.database())
        .await?;
    Ok(rows.into_iter().map(|row| (row.subscription_id, row)).collect())
}
