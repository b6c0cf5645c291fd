//! How far an operation is, as counts over its steps.

use std::collections::HashMap;

use async_graphql::SimpleObject;
use entity::operation;
use entity::operation_step::{self, Column, State};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::graphql::int;
use crate::graphql::scope::Scope;

/// How far an operation is.
#[derive(SimpleObject)]
#[graphql(name = "OperationProgress")]
pub struct OperationProgress {
    /// How many subscriptions it is about; null until they are found.
    subscriptions_total: Option<i32>,
    /// About how many of these nothing more will happen.
    subscriptions_done: i32,
    /// How many resources were seen so far.
    resources_seen: i32,
    /// How many of these were stored, because they were new or had changed.
    resources_written: i32,
    /// How many were found to be gone.
    resources_deleted: i32,
}

/// The counts over the steps of one operation.
#[derive(FromQueryResult)]
pub struct Counts {
    operation_id: Uuid,
    total: i64,
    done: i64,
    seen: i64,
    written: i64,
    deleted: i64,
}

impl OperationProgress {
    /// An operation without steps has no counts.
    pub fn of(operation: &operation::Model, counts: Option<&Counts>) -> Self {
        let count = |of: fn(&Counts) -> i64| int(counts.map(of).unwrap_or_default());
        Self {
            subscriptions_total: operation.discovered.then(|| count(|counts| counts.total)),
            subscriptions_done: count(|counts| counts.done),
            resources_seen: count(|counts| counts.seen),
            resources_written: count(|counts| counts.written),
            resources_deleted: count(|counts| counts.deleted),
        }
    }
}

/// The counts of each of `operations` that has steps.
pub async fn counts(scope: Scope<'_>, operations: Vec<Uuid>) -> Result<HashMap<Uuid, Counts>, DbErr> {
    let done = CaseStatement::new().case(Column::State.eq(State::Done), 1).finally(0);
    // PostgreSQL's sum of integers is no integer.
    let sum = |of: Expr| of.sum().cast_as("bigint");
    let counts = scope
        .owned::<operation_step::Entity>()
        .filter(Column::OperationId.is_in(operations))
        .select_only()
        .column(Column::OperationId)
        .expr_as(Expr::cust("count(*)"), "total")
        .expr_as(sum(done.into()), "done")
        .expr_as(sum(Expr::col(Column::ResourcesSeen)), "seen")
        .expr_as(sum(Expr::col(Column::ResourcesWritten)), "written")
        .expr_as(sum(Expr::col(Column::ResourcesDeleted)), "deleted")
        .group_by(Column::OperationId)
        .into_model::<Counts>()
        .all(scope.database())
        .await?;
    Ok(counts.into_iter().map(|counts| (counts.operation_id, counts)).collect())
}
