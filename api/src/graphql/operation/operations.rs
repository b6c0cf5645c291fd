//! The queries `operation` and `operations`.

use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::operation::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, Select};

use super::{Operation, OperationKind, OperationState};
use crate::graphql::ids::Kind;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::find;
use crate::permission::Permission;

/// Which operations. What is given has to hold all at once; of a list, any one. An empty list lets nothing
/// through.
#[derive(InputObject, Default)]
#[graphql(name = "OperationFilter")]
pub struct OperationFilter {
    /// On one of these tenants.
    tenants: Option<Vec<ID>>,
    /// Of one of these kinds.
    kinds: Option<Vec<OperationKind>>,
    /// In one of these states.
    states: Option<Vec<OperationState>>,
}

/// The queries of this file.
#[derive(Default)]
pub struct Operations;

#[Object(name = "OperationQuery")]
impl Operations {
    /// One operation as it is now; null if there is none. Needs the role `VIEWER`, or the scope
    /// `operations:read`.
    async fn operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The operation's id.")] id: ID,
    ) -> Option<Operation> {
        let found = async { find(Scope::of(ctx, Permission::ReadOperations)?, &id).await };
        or_null(ctx, found.await)
    }

    /// The operations that members started, the newest first. Needs the role `VIEWER`, or the scope
    /// `operations:read`.
    async fn operations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all of them by default.")] filter: Option<OperationFilter>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Operation>> {
        let scope = Scope::of(ctx, Permission::ReadOperations)?;
        let operations = filter.unwrap_or_default().apply(scope.owned())?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &operation::Model| row.created_at),
            direction: OrderDirection::Desc,
        };
        page(scope, operations, sort, &Paging { first, after, last, before }).await
    }
}

impl OperationFilter {
    fn apply(self, mut list: Select<operation::Entity>) -> Result<Select<operation::Entity>> {
        if let Some(tenants) = self.tenants {
            check_length("tenants", &tenants)?;
            list = list.filter(Column::TenantId.is_in(Kind::Tenant.rows(&tenants)?));
        }
        if let Some(kinds) = self.kinds {
            check_length("kinds", &kinds)?;
            list = list.filter(Column::Kind.is_in(kinds.into_iter().map(operation::Kind::from)));
        }
        if let Some(states) = self.states {
            check_length("states", &states)?;
            list = list.filter(Column::State.is_in(states.into_iter().map(operation::State::from)));
        }
        Ok(list)
    }
}
