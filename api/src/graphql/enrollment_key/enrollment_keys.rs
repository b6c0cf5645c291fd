//! The query `enrollmentKeys`.

use async_graphql::{Context, Object, Result};
use entity::enrollment_key::{self, Column};
use sea_orm::ColumnTrait;
use sea_orm::sea_query::Expr;

use super::EnrollmentKey;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct EnrollmentKeys;

#[Object(name = "EnrollmentKeyQuery")]
impl EnrollmentKeys {
    /// The enrollment keys of the organization, the newest first; never the keys themselves. Needs the role
    /// `ADMIN`, or the scope `enrollment-keys:read`.
    async fn enrollment_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<EnrollmentKey>> {
        let scope = Scope::of(ctx, Permission::ReadEnrollmentKeys)?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &enrollment_key::Model| row.created_at),
            direction: OrderDirection::Desc,
        };
        page(scope, scope.owned(), sort, &Paging { first, after, last, before }).await
    }
}
