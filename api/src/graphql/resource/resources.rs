//! The query `resources`, and how resources are ordered wherever they are listed.

use async_graphql::{Context, Enum, InputObject, Object, Result};
use entity::resource::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::{Resource, ResourceFilter};
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::Scope;
use crate::graphql::text::folded;
use crate::permission::Permission;

/// What resources can be ordered by.
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
        #[graphql(desc = "In which order.", default)] order: ResourceOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Resource>> {
        let paging = Paging { first, after, last, before };
        list(ctx, None, &filter.unwrap_or_default(), order, &paging).await
    }
}

/// A page of the resources of one subscription, or of all.
pub async fn list(
    ctx: &Context<'_>,
    subscription_id: Option<Uuid>,
    filter: &ResourceFilter,
    order: ResourceOrder,
    paging: &Paging,
) -> Result<Connection<Resource>> {
    let scope = Scope::of(ctx, Permission::ReadInventory)?;
    let mut list = filter.apply(scope, scope.owned())?;
    if let Some(subscription_id) = subscription_id {
        list = list.filter(Column::SubscriptionId.eq(subscription_id));
    }
    page(scope, list, order.sort(scope), paging).await
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
        }
    }
}
