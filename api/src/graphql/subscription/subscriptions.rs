//! The query `subscriptions`, and how subscriptions are filtered and ordered wherever they are listed.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use entity::subscription::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, Select};
use uuid::Uuid;

use super::{AccessLevel, AzureState, AzureSubscription};
use crate::graphql::ids::Kind;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::scope::Scope;
use crate::graphql::text::{contains, folded};
use crate::permission::Permission;

/// Which subscriptions. What is given has to hold all at once; of a list, any one. An empty list lets nothing
/// through.
#[derive(InputObject, Default)]
#[graphql(name = "AzureSubscriptionFilter")]
pub struct AzureSubscriptionFilter {
    /// With one of these access levels.
    access_levels: Option<Vec<AccessLevel>>,
    /// In one of these states in Azure.
    azure_states: Option<Vec<AzureState>>,
    /// With this in the name, in whichever case.
    name_contains: Option<String>,
}

/// What subscriptions can be ordered by.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "AzureSubscriptionOrderField")]
pub enum AzureSubscriptionOrderField {
    /// The name, without regard to case.
    #[default]
    Name,
    /// How many resources the last complete scan found.
    ResourceCount,
}

/// In which order subscriptions are listed.
#[derive(InputObject, Default)]
#[graphql(name = "AzureSubscriptionOrder")]
pub struct AzureSubscriptionOrder {
    /// By what.
    #[graphql(default)]
    field: AzureSubscriptionOrderField,
    /// Which end comes first.
    #[graphql(default)]
    direction: OrderDirection,
}

/// The query of this file.
#[derive(Default)]
pub struct Subscriptions;

#[Object(name = "SubscriptionQuery")]
impl Subscriptions {
    /// The Azure subscriptions of the organization's tenants. Needs the role `VIEWER`, or the scope
    /// `inventory:read`.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this tenant.")] tenant: Option<ID>,
        #[graphql(desc = "Which of them; all of them by default.")] filter: Option<AzureSubscriptionFilter>,
        #[graphql(desc = "In which order.", default)] order: AzureSubscriptionOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AzureSubscription>> {
        let tenant = tenant.map(|tenant| Kind::Tenant.row(&tenant)).transpose()?;
        list(ctx, tenant, filter.unwrap_or_default(), order, &Paging { first, after, last, before }).await
    }
}

/// A page of the subscriptions of one tenant, or of all.
pub async fn list(
    ctx: &Context<'_>,
    tenant_id: Option<Uuid>,
    filter: AzureSubscriptionFilter,
    order: AzureSubscriptionOrder,
    paging: &Paging,
) -> Result<Connection<AzureSubscription>> {
    let scope = Scope::of(ctx, Permission::ReadInventory)?;
    let mut list = filter.apply(scope, scope.owned())?;
    if let Some(tenant_id) = tenant_id {
        list = list.filter(Column::TenantId.eq(tenant_id));
    }
    page(scope, list, order.sort(scope), paging).await
}

impl AzureSubscriptionFilter {
    fn apply(
        self,
        scope: Scope<'_>,
        mut list: Select<subscription::Entity>,
    ) -> Result<Select<subscription::Entity>> {
        if let Some(levels) = self.access_levels {
            check_length("accessLevels", &levels)?;
            list = list
                .filter(Column::AccessLevel.is_in(levels.into_iter().map(subscription::AccessLevel::from)));
        }
        if let Some(states) = self.azure_states {
            check_length("azureStates", &states)?;
            list =
                list.filter(Column::AzureState.is_in(states.into_iter().map(subscription::AzureState::from)));
        }
        if let Some(part) = self.name_contains {
            list = list.filter(contains(scope.backend(), Column::DisplayName, "nameContains", &part)?);
        }
        Ok(list)
    }
}

impl AzureSubscriptionOrder {
    fn sort(&self, scope: Scope<'_>) -> Sort<subscription::Model> {
        let direction = self.direction;
        match self.field {
            AzureSubscriptionOrderField::Name => Sort {
                name: "name",
                expression: folded(scope.backend(), Column::DisplayName),
                key: KeyOf::Text(|row| row.display_name.to_ascii_lowercase()),
                direction,
            },
            AzureSubscriptionOrderField::ResourceCount => Sort {
                name: "resource_count",
                expression: Expr::col(Column::ResourceCount.as_column_ref()),
                key: KeyOf::Number(|row| row.resource_count),
                direction,
            },
        }
    }
}
