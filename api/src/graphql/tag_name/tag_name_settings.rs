//! The query `tagNameSettings`.

use async_graphql::{Context, Object, Result};
use entity::tag_name::{self, Column};
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::TagNameSetting;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct TagNameSettings;

#[Object(name = "TagNameSettingQuery")]
impl TagNameSettings {
    /// What is decided about tag names, in the order in which it was first decided. Every other name is kept in sync, and
    /// its conflicts go by the organization's policy. Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn tag_name_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TagNameSetting>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let sort = Sort {
            name: "id",
            expression: Expr::col(Column::Id.as_column_ref()),
            key: KeyOf::Id(|row: &tag_name::Model| row.id),
            direction: OrderDirection::Asc,
        };
        page(scope, scope.owned(), sort, &Paging { first, after, last, before }).await
    }
}
