//! The query `accessTokens`, and the tenants that a token reaches.

use async_graphql::{Context, Object, Result};
use entity::{access_token, reach, tenant};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::AccessToken;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::Stored;
use crate::graphql::tenant::Tenant;
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

/// The tenants that the access token `id` is limited to.
pub(super) async fn reached(scope: Scope<'_>, id: Uuid) -> Result<Vec<Tenant>> {
    let rows = scope
        .owned::<tenant::Entity>()
        .filter(reach::whole_tenants(tenant::Column::Id, id))
        .order_by_asc(tenant::Column::CreatedAt)
        .all(scope.database())
        .await
        .map_err(|error| internal(&error))?;
    Ok(Tenant::together(rows))
}
