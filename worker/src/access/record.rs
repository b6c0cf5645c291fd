//! Stores what changed in Azure, with its audit event, in one transaction each.

use chrono::{DateTime, Utc};
use entity::Owned;
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::operation_step::{self, Outcome, State};
use entity::role_assignment::{self, Origin};
use entity::subscription::{self, AccessLevel};
use microsoft::RoleAssignment;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, Set, Unchanged,
};
use serde_json::json;
use uuid::Uuid;

use super::Work;
use crate::context::Context;
use crate::job::JobError;
use crate::{audit, transaction};

/// The roles that the step is about to add.
pub(super) async fn planned(work: &Work<'_>) -> Result<(), JobError> {
    let planned = operation_step::ActiveModel {
        id: Unchanged(work.step.id),
        roles_added: Set(work.step.roles_added.clone()),
        ..Default::default()
    };
    planned.update(&work.context.database).await?;
    Ok(())
}

/// The assignments that are held now, and if these are all, that others are not any more; the step waits until they
/// work.
pub(super) async fn held(
    work: &mut Work<'_>,
    held: Vec<(RoleAssignment, Origin)>,
    is_all: bool,
    outcome: Outcome,
) -> Result<(), JobError> {
    let now = work.context.clock.now();
    let transaction = transaction::begin(&work.context.database).await?;
    let has_moved = verify_from_now(work, outcome, now, &transaction).await?;
    let mut news = Vec::new();
    for (assignment, origin) in &held {
        let is_new = store(work, &transaction, assignment, *origin, now).await?;
        // Another attempt may have come this far before; and what was assigned is told even if the operation was
        // ended meanwhile.
        if is_new || (has_moved && assignment.correlation_id.is_some()) {
            news.push((assignment, origin));
        }
    }
    if is_all {
        forget_others(work, &transaction, &held).await?;
    }
    for (assignment, origin) in news {
        tell_held(work, &transaction, assignment, *origin, now).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// What somebody else removed from Azure is not held any more.
async fn forget_others(
    work: &Work<'_>,
    transaction: &DatabaseTransaction,
    held: &[(RoleAssignment, Origin)],
) -> Result<(), DbErr> {
    let held = held.iter().map(|(assignment, _)| assignment.arm_id.to_lowercase());
    role_assignment::Entity::delete_many()
        .filter(role_assignment::Column::OrganizationId.eq(work.step.organization_id))
        .filter(role_assignment::Column::SubscriptionId.eq(work.step.subscription_id))
        .filter(role_assignment::Column::ArmId.is_not_in(held))
        .exec(transaction)
        .await?;
    Ok(())
}

/// An assignment of ours whose answer was lost.
pub(super) async fn found(work: &Work<'_>, assignment: &RoleAssignment) -> Result<(), JobError> {
    let now = work.context.clock.now();
    let transaction = transaction::begin(&work.context.database).await?;
    if store(work, &transaction, assignment, Origin::Ours, now).await? {
        tell_held(work, &transaction, assignment, Origin::Ours, now).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Stores an assignment; answers whether it is new. What is known keeps its origin: one of ours that is met again
/// is still ours.
async fn store(
    work: &Work<'_>,
    transaction: &DatabaseTransaction,
    assignment: &RoleAssignment,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let arm_id = assignment.arm_id.to_lowercase();
    let known = role_assignment::Entity::owned_by(work.step.organization_id)
        .filter(role_assignment::Column::SubscriptionId.eq(work.step.subscription_id))
        .filter(role_assignment::Column::ArmId.eq(&arm_id));
    let is_new = known.count(transaction).await? == 0;
    let row = role_assignment::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(work.step.organization_id),
        subscription_id: Set(work.step.subscription_id),
        arm_id: Set(arm_id),
        role_definition_id: Set(assignment.role.definition_id()),
        principal_id: Set(assignment.principal_id),
        scope: Set(assignment.scope.to_lowercase()),
        origin: Set(origin),
        created_at: Set(now),
        verified_at: Set(None),
    };
    let known =
        OnConflict::columns([role_assignment::Column::SubscriptionId, role_assignment::Column::ArmId])
            .update_columns([role_assignment::Column::PrincipalId])
            .to_owned();
    role_assignment::Entity::insert_many([row])
        .on_conflict(known)
        .exec_without_returning(transaction)
        .await?;
    Ok(is_new)
}

async fn tell_held(
    work: &Work<'_>,
    transaction: &DatabaseTransaction,
    assignment: &RoleAssignment,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let action = if origin == Origin::Ours { Action::RoleAssigned } else { Action::RoleFound };
    let record = Record::of(action, ObjectKind::Subscription, work.step.subscription_id)
        .after(json!({
            "roleDefinitionId": assignment.role.definition_id(),
            "principalId": assignment.principal_id,
            "scope": assignment.scope.to_lowercase(),
            "origin": origin.to_value(),
            "outcome": work.step.outcome.map(|outcome| outcome.to_value()),
            "operation": format!("operation:{}", work.operation.id),
            "consent": work.operation.consent_id.map(|id| format!("consent:{id}")),
        }))
        .correlated(assignment.correlation_id.map(|id| id.to_string()));
    append(work, transaction, now, record).await
}

/// Lets the step wait for the roles to work. False: somebody has moved the step meanwhile; it is done then.
async fn verify_from_now(
    work: &mut Work<'_>,
    outcome: Outcome,
    now: DateTime<Utc>,
    transaction: &DatabaseTransaction,
) -> Result<bool, DbErr> {
    let verifying = operation_step::ActiveModel {
        state: Set(State::Verifying),
        outcome: Set(Some(outcome)),
        failure: Set(None),
        assigned_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    let moved = operation_step::Entity::update_many()
        .set(verifying)
        .filter(operation_step::Column::Id.eq(work.step.id))
        .filter(operation_step::Column::State.eq(State::Assigning))
        .exec(transaction)
        .await?;
    let has_moved = moved.rows_affected > 0;
    work.step.state = if has_moved { State::Verifying } else { State::Done };
    work.step.outcome = Some(outcome);
    work.step.assigned_at = Some(now);
    Ok(has_moved)
}

/// The service principal was seen to have the roles at these subscriptions.
pub(super) async fn verified(
    context: &Context,
    organization_id: Uuid,
    subscriptions: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    role_assignment::Entity::update_many()
        .set(role_assignment::ActiveModel { verified_at: Set(Some(now)), ..Default::default() })
        .filter(role_assignment::Column::OrganizationId.eq(organization_id))
        .filter(role_assignment::Column::SubscriptionId.is_in(subscriptions.iter().copied()))
        .filter(role_assignment::Column::VerifiedAt.is_null())
        .exec(&context.database)
        .await?;
    Ok(())
}

/// An assignment is removed; without a correlation id it is left to others who rely on it.
pub(super) async fn removed(
    work: &Work<'_>,
    row: &role_assignment::Model,
    correlation_id: Option<Uuid>,
) -> Result<(), JobError> {
    let now = work.context.clock.now();
    let transaction = transaction::begin(&work.context.database).await?;
    let gone = role_assignment::Entity::delete_many()
        .filter(role_assignment::Column::OrganizationId.eq(row.organization_id))
        .filter(role_assignment::Column::Id.eq(row.id))
        .exec(&transaction)
        .await?;
    if gone.rows_affected > 0 {
        let record = Record::of(Action::RoleRemoved, ObjectKind::Subscription, row.subscription_id)
            .before(json!({
                "roleDefinitionId": row.role_definition_id,
                "principalId": row.principal_id,
                "scope": row.scope,
                "operation": format!("operation:{}", work.operation.id),
                "consent": work.operation.consent_id.map(|id| format!("consent:{id}")),
            }))
            .correlated(correlation_id.map(|id| id.to_string()));
        append(work, &transaction, now, record).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The subscription has another level now.
pub(super) async fn level(work: &Work<'_>, level: AccessLevel) -> Result<(), JobError> {
    let now = work.context.clock.now();
    let transaction = transaction::begin(&work.context.database).await?;
    let changed = subscription::ActiveModel {
        id: Unchanged(work.subscription.id),
        access_level: Set(level),
        updated_at: Set(now),
        ..Default::default()
    };
    changed.update(&transaction).await?;
    let record = Record::of(Action::AccessChanged, ObjectKind::Subscription, work.subscription.id)
        .before(json!({ "accessLevel": work.subscription.access_level.to_value() }))
        .after(json!({
            "accessLevel": level.to_value(),
            "operation": format!("operation:{}", work.operation.id),
        }));
    append(work, &transaction, now, record).await?;
    transaction.commit().await?;
    Ok(())
}

async fn append(
    work: &Work<'_>,
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    record: Record,
) -> Result<(), DbErr> {
    let author = Author::unasked(work.step.organization_id, Actor::System);
    audit::append(transaction, &work.context.keyring, now, &author, record).await.map(drop)
}
