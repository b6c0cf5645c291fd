//! The query `ownerLinks`.

use async_graphql::{Context, Object, Result};
use entity::owner_link;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::OwnerLink;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct OwnerLinks;

#[Object(name = "OwnerLinkQuery")]
impl OwnerLinks {
    /// The owner links of the organization, the newest first; never their secrets. Needs the role `VIEWER`, or the
    /// scope `consents:read`.
    async fn owner_links(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OwnerLink>> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(owner_link::Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &owner_link::Model| row.created_at),
            direction: OrderDirection::Desc,
        };
        page(scope, scope.owned(), sort, &Paging { first, after, last, before }).await
    }
}
