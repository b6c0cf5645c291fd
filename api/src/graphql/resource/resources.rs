//! The query `resources`, and how resources are ordered wherever they are listed.

use async_graphql::{Context, Enum, InputObject, Object, Result};
use entity::resource::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Iterable, QueryFilter, QuerySelect, Select};
use serde_json::json;
use uuid::Uuid;

use super::{Resource, ResourceFilter, by_tag, search};
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page_along};
use crate::graphql::scope::Scope;
use crate::graphql::text::{folded, folded_text};
use crate::permission::Permission;

/// What resources can be ordered by. Each order has an index; `azureCreatedAt` and `azureChangedAt` are none, since not
/// every source of a scan tells them.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "ResourceOrderField")]
pub enum ResourceOrderField {
    /// The name, without regard to case.
    #[default]
    Name,
    /// When a scan first saw it.
    FirstSeenAt,
    /// When a scan last saw a change of it.
    ChangedAt,
    /// The type.
    Type,
    /// The location; what has none comes before all others.
    Location,
    /// The name of the resource group, without regard to case.
    ResourceGroup,
}

/// In which order resources are listed.
#[derive(InputObject, Default)]
#[graphql(name = "ResourceOrder")]
pub struct ResourceOrder {
    /// By what.
    #[graphql(default)]
    field: ResourceOrderField,
    /// Which end comes first.
    #[graphql(default)]
    direction: OrderDirection,
}

/// The query of this file.
#[derive(Default)]
pub struct Resources;

#[Object(name = "ResourceQuery")]
impl Resources {
    /// The inventory: the resources of all subscriptions of the organization.
    /// Needs the role `VIEWER`, or the scope `inventory:read`.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn resources(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all that are not deleted by default.")] filter: Option<
            ResourceFilter,
        >,
        #[graphql(
            desc = "Words, each of which has to be in the name, the type, the resource group, or the name or value \
                          of a tag, in whichever case: at most 8 words of 200 characters in all."
        )]
        search: Option<String>,
        #[graphql(desc = "In which order.", default)] order: ResourceOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Resource>> {
        let paging = Paging { first, after, last, before };
        list(ctx, None, Asked { filter: filter.unwrap_or_default(), search }, order, &paging).await
    }
}

/// Which resources are asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Those that it lets through.
    pub filter: ResourceFilter,
    /// Those that have all of its words.
    pub search: Option<String>,
}

impl Asked {
    /// Of the resources that the viewer can see, those that are asked for.
    pub fn found(&self, scope: Scope<'_>) -> Result<Select<resource::Entity>> {
        let list = self.filter.apply(scope, scope.owned())?;
        match &self.search {
            Some(search) => Ok(list.filter(search::condition(scope.backend(), search)?)),
            None => Ok(list),
        }
    }
}

/// A page of the resources of one subscription, or of all.
pub async fn list(
    ctx: &Context<'_>,
    subscription_id: Option<Uuid>,
    asked: Asked,
    order: ResourceOrder,
    paging: &Paging,
) -> Result<Connection<Resource>> {
    let scope = Scope::of(ctx, Permission::ReadInventory)?;
    let mut list = asked.found(scope)?;
    if let Some(subscription_id) = subscription_id {
        list = list.filter(Column::SubscriptionId.eq(subscription_id));
    }
    let walk = match (order.field, subscription_id) {
        // Of a tag's resources, few are of one subscription.
        (ResourceOrderField::Name, None) => by_tag::walk(scope, &asked.filter),
        _ => None,
    };
    page_along(scope, without_terms(list), walk, order.sort(scope), paging).await
}

/// The same rows, each as if it had no terms: they are as large as the tags, and no more than what tags are found by.
fn without_terms(list: Select<resource::Entity>) -> Select<resource::Entity> {
    let shown = Column::iter().filter(|column| !matches!(column, Column::TagTerms));
    list.select_only().columns(shown).expr_as(Expr::val(json!([])), Column::TagTerms)
}

impl ResourceOrder {
    fn sort(&self, scope: Scope<'_>) -> Sort<resource::Model> {
        let direction = self.direction;
        match self.field {
            ResourceOrderField::Name => Sort {
                name: "name",
                expression: folded(scope.backend(), Column::Name),
                key: KeyOf::Text(|row| row.name.to_ascii_lowercase()),
                direction,
            },
            ResourceOrderField::FirstSeenAt => Sort {
                name: "first_seen_at",
                expression: Expr::col(Column::FirstSeenAt.as_column_ref()),
                key: KeyOf::Moment(|row| row.first_seen_at),
                direction,
            },
            ResourceOrderField::ChangedAt => Sort {
                name: "changed_at",
                expression: Expr::col(Column::ChangedAt.as_column_ref()),
                key: KeyOf::Moment(|row| row.changed_at),
                direction,
            },
            ResourceOrderField::Type => Sort {
                name: "type",
                expression: folded(scope.backend(), Column::ResourceType),
                key: KeyOf::Text(|row| row.resource_type.to_ascii_lowercase()),
                direction,
            },
            ResourceOrderField::Location => Sort {
                name: "location",
                expression: folded_text(scope.backend(), Expr::cust("coalesce(resource.location, '')")),
                key: KeyOf::Text(|row| row.location.as_deref().unwrap_or_default().to_ascii_lowercase()),
                direction,
            },
            ResourceOrderField::ResourceGroup => Sort {
                name: "resource_group",
                expression: folded(scope.backend(), Column::ResourceGroup),
                key: KeyOf::Text(|row| row.resource_group.to_ascii_lowercase()),
                direction,
            },
        }
    }
}
