//! The query `accessTokens`.

use async_graphql::{Context, Object, Result};
use entity::access_token;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::AccessToken;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct AccessTokens;

#[Object(name = "AccessTokenQuery")]
impl AccessTokens {
    /// The access tokens of the organization, the newest first; never their secrets. Needs the role `ADMIN`; no
    /// access token may do it.
    async fn access_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AccessToken>> {
        let scope = Scope::of(ctx, Permission::ReadAccessTokens)?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(access_token::Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &access_token::Model| row.created_at),
            direction: OrderDirection::Desc,
        };
        page(scope, scope.owned(), sort, &Paging { first, after, last, before }).await
    }
}
