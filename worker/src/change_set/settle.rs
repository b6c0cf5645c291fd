//! How an operation that writes a change set ends, and with the last of them the change set.

use std::collections::HashMap;

use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::change_set::{self, State};
use entity::tag_write::{self, Outcome};
use entity::{Failure, Owned, operation, operation_step};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, Set, Unchanged,
};
use serde_json::json;

use crate::context::Context;
use crate::job::JobError;
use crate::{audit, failures, transaction};

/// Says of every write that the operation did not come to why, and ends the change set if nothing else writes it.
pub(crate) async fn settle(
    context: &Context,
    operation: &operation::Model,
    failure: Option<&Failure>,
) -> Result<(), JobError> {
    let Some(change_set_id) = operation.change_set_id else { return Ok(()) };
    let transaction = transaction::begin(&context.database).await?;
    // Of two operations that end at once, the second finds the steps of both done.
    let found = change_set::Entity::owned_by(operation.organization_id)
        .filter(change_set::Column::Id.eq(change_set_id))
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let Some(change_set) = found else { return Ok(()) };
    leave(context, operation, failure, &transaction).await?;
    if change_set.state == State::Applying && !is_being_written(&transaction, &change_set).await? {
        end(context, &transaction, change_set).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// What is left when the operation ends.
async fn leave(
    context: &Context,
    operation: &operation::Model,
    failure: Option<&Failure>,
    transaction: &DatabaseTransaction,
) -> Result<(), DbErr> {
    let outcome = match failure {
        Some(failure) if failure.code == failures::cancelled().code => Outcome::Cancelled,
        Some(failure) if failure.code == failures::deadline_passed().code => Outcome::Throttled,
        _ => Outcome::Failed,
    };
    let steps = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id));
    let leave = |of: Select<operation_step::Entity>, outcome, failure: Option<Failure>| {
        let of = of.select_only().column(operation_step::Column::SubscriptionId);
        let left = tag_write::ActiveModel {
            outcome: Set(Some(outcome)),
            failure: Set(failure),
            ended_at: Set(Some(context.clock.now())),
            ..Default::default()
        };
        tag_write::Entity::update_many()
            .set(left)
            .filter(tag_write::Column::ChangeSetId.eq(operation.change_set_id))
            .filter(tag_write::Column::SubscriptionId.in_subquery(of.into_query()))
            .filter(tag_write::Column::Outcome.is_null())
            .exec(transaction)
    };
    if outcome == Outcome::Failed {
        // Where a step was ended, or could not hold a role for long enough, it says why.
        let ended = steps.clone().filter(operation_step::Column::Failure.is_not_null());
        for step in ended.all(transaction).await? {
            let of = steps.clone().filter(operation_step::Column::Id.eq(step.id));
            let lacks_role = step.access_level.is_some();
            let outcome = if lacks_role { Outcome::MissingRole } else { Outcome::Failed };
            leave(of, outcome, step.failure).await?;
        }
    }
    leave(steps, outcome, failure.cloned()).await?;
    Ok(())
}

async fn is_being_written(
    transaction: &DatabaseTransaction,
    change_set: &change_set::Model,
) -> Result<bool, DbErr> {
    let operations = operation::Entity::applying(change_set.organization_id, change_set.id)
        .select_only()
        .column(operation::Column::Id);
    let open = operation_step::Entity::owned_by(change_set.organization_id)
        .filter(operation_step::Column::OperationId.in_subquery(operations.into_query()))
        .filter(operation_step::Column::State.ne(operation_step::State::Done))
        .one(transaction)
        .await?;
    Ok(open.is_some())
}

async fn end(
    context: &Context,
    transaction: &DatabaseTransaction,
    change_set: change_set::Model,
) -> Result<(), DbErr> {
    let counts = counts(transaction, &change_set).await?;
    let of = |outcomes: &[Outcome]| outcomes.iter().filter_map(|outcome| counts.get(outcome)).sum::<i64>();
    let (all, done) = (counts.values().sum::<i64>(), of(&Outcome::DONE));
    let state = match done {
        _ if of(&[Outcome::Cancelled]) > 0 => State::Cancelled,
        _ if done == all => State::Applied,
        0 => State::Failed,
        _ => State::Partial,
    };
    let now = context.clock.now();
    let ended = change_set::ActiveModel {
        id: Unchanged(change_set.id),
        state: Set(state),
        finished_at: Set(Some(now)),
        ..Default::default()
    };
    ended.update(transaction).await?;
    let told: HashMap<String, i64> =
        counts.into_iter().map(|(outcome, count)| (outcome.to_value(), count)).collect();
    let author = Author::unasked(change_set.organization_id, Actor::System);
    let record = Record::of(Action::ChangeSetEnded, ObjectKind::ChangeSet, change_set.id)
        .before(json!({ "state": change_set.state.to_value() }))
        .after(json!({ "state": state.to_value(), "writes": told }));
    audit::append(transaction, &context.keyring, now, &author, record).await?;
    Ok(())
}

async fn counts(
    transaction: &DatabaseTransaction,
    change_set: &change_set::Model,
) -> Result<HashMap<Outcome, i64>, DbErr> {
    let counts: Vec<(Option<Outcome>, i64)> = tag_write::Entity::owned_by(change_set.organization_id)
        .filter(tag_write::Column::ChangeSetId.eq(change_set.id))
        .select_only()
        .column(tag_write::Column::Outcome)
        .expr_as(Expr::cust("count(*)"), "count")
        .group_by(tag_write::Column::Outcome)
        .into_tuple()
        .all(transaction)
        .await?;
    Ok(counts.into_iter().filter_map(|(outcome, count)| Some((outcome?, count))).collect())
}
