//! The queries `consent` and `consents`.

use async_graphql::{Context, ID, Object, Result};
use entity::consent::{self, Column};
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::Consent;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::find;
use crate::permission::Permission;

/// The queries of this file.
#[derive(Default)]
pub struct Consents;

#[Object(name = "ConsentQuery")]
impl Consents {
    /// One consent, and how it stands; null if there is none. Needs the role `VIEWER`, or the scope
    /// `consents:read`.
    async fn consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The consent's id.")] id: ID,
    ) -> Option<Consent> {
        let found = async { find(Scope::of(ctx, Permission::ReadConsents)?, &id).await };
        or_null(ctx, found.await)
    }

    /// The consents that members asked for, the newest first. Needs the role `VIEWER`, or the scope
    /// `consents:read`.
    async fn consents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Consent>> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &consent::Model| row.created_at),
            direction: OrderDirection::Desc,
        };
        page(scope, scope.owned(), sort, &Paging { first, after, last, before }).await
    }
}
