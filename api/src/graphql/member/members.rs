//! The query `members`, and how members are found before they are changed.

use async_graphql::{Context, Object, Result};
use entity::member::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, PaginatorTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Member;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scope::Scope;
use crate::graphql::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct Members;

#[Object(name = "MemberQuery")]
impl Members {
    /// The members of the organization, the longest member first; not those who were removed. Needs the role
    /// `VIEWER`, or the scope `members:read`.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Member>> {
        let scope = Scope::of(ctx, Permission::ReadMembers)?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &member::Model| row.created_at),
            direction: OrderDirection::Asc,
        };
        let present = scope.owned().filter(Column::RemovedAt.is_null());
        page(scope, present, sort, &Paging { first, after, last, before }).await
    }
}

/// The member `id`, if there is one that was not removed. Whoever changes members at the same time waits.
pub(super) async fn held(
    scope: Scope<'_>,
    id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<Result<member::Model, UserError>, DbErr> {
    let organization = scope.owned::<entity::organization::Entity>().lock_exclusive();
    organization.one(transaction).await?;
    let found = scope.owned::<member::Entity>().filter(Column::Id.eq(id)).filter(Column::RemovedAt.is_null());
    let missing = || {
        let message = "There is no such member in your organization.";
        UserError::new(UserErrorCode::NotFound, "memberId", message)
    };
    Ok(found.one(transaction).await?.ok_or_else(missing))
}

/// Whether `member` is the only one left who decides who may do what.
pub(super) async fn is_last_admin(
    scope: Scope<'_>,
    member: &member::Model,
    transaction: &DatabaseTransaction,
) -> Result<bool, DbErr> {
    let others = scope
        .owned::<member::Entity>()
        .filter(Column::Role.eq(member::Role::Admin))
        .filter(Column::RemovedAt.is_null())
        .filter(Column::Id.ne(member.id));
    Ok(member.role == member::Role::Admin && others.count(transaction).await? == 0)
}

/// Why the last of them stays.
pub(super) fn last_admin() -> UserError {
    let message = "This is the organization's last ADMIN. Make somebody else an ADMIN first.";
    UserError::new(UserErrorCode::LastAdmin, "memberId", message)
}
