//! The queries `tenant` and `tenants`.

use async_graphql::{Context, ID, Object, Result};
use entity::tenant;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::Tenant;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::find;
use crate::permission::Permission;

/// The queries of this file.
#[derive(Default)]
pub struct Tenants;

#[Object(name = "TenantQuery")]
impl Tenants {
    /// One tenant; null if there is none. Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] id: ID,
    ) -> Option<Tenant> {
        let found = async { find(Scope::of(ctx, Permission::ReadInventory)?, &id).await };
        or_null(ctx, found.await)
    }

    /// The tenants that the organization connected, the first connected first.
    /// Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn tenants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Tenant>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(tenant::Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|tenant: &tenant::Model| tenant.created_at),
            direction: OrderDirection::Asc,
        };
        page(scope, scope.owned(), sort, &Paging { first, after, last, before }).await
    }
}
