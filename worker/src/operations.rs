//! How an operation is begun, goes on from what its rows say, and ends.

mod store;

use chrono::{DateTime, TimeDelta, Utc};
use entity::operation_step::{Outcome, State as StepState};
use entity::{Failure, Owned, operation, operation_step};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set, Unchanged};
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::jobs::{
    AssignRole, CheckTenant, LoadOffice, OnboardTenant, ReadOwners, ResumeOperation, ScanSubscriptions,
    VerifyRoles, WriteTags,
};
use crate::queue::{Queue, QueueError, When};
use crate::{change_set, disconnect, failures, health, office, window};

pub use store::store;

/// Rings the bell for `operation`: a worker looks at its rows and goes on from there. The same bell
/// starts, resumes, retries and cancels it.
pub async fn ring(queue: &Queue, operation: &operation::Model) -> Result<(), QueueError> {
    let (organization_id, operation_id) = (operation.organization_id, operation.id);
    let when = When { deadline: Some(operation.deadline_at), ..When::default() };
    match operation.kind {
        operation::Kind::OnboardTenant => {
            queue.push(&OnboardTenant { organization_id, operation_id }, when).await
        }
        operation::Kind::ScanTenant => {
            queue.push(&ScanSubscriptions { organization_id, operation_id }, when).await
        }
        operation::Kind::ApplyChangeSet => {
            queue.push(&WriteTags { organization_id, operation_id }, when).await
        }
        operation::Kind::LoadOffice => queue.push(&LoadOffice { organization_id, operation_id }, when).await,
        operation::Kind::ChangeAccess | operation::Kind::DisconnectTenant => {
            queue.push(&ResumeOperation { organization_id, operation_id }, when).await
        }
    }
}

/// Loads an operation that a job is about to work on, says that a worker is at it, and ends it when a
/// member cancelled it or its deadline has passed. None: nothing is left to do.
pub(crate) async fn begin(
    context: &Context,
    organization_id: Uuid,
    operation_id: Uuid,
) -> Result<Option<operation::Model>, JobError> {
    let Some(operation) = find(context, organization_id, operation_id).await? else { return Ok(None) };
    if operation.state.is_final() {
        return Ok(None);
    }
    let now = context.clock.now();
    if operation.cancel_requested_at.is_some() && !cancel(context, &operation).await? {
        return Ok(None);
    }
    if operation.deadline_at <= now {
        end_with(context, &operation, failures::deadline_passed()).await?;
        return Ok(None);
    }
    let mut begun = operation::ActiveModel { heartbeat_at: Set(now), ..Default::default() };
    if operation.state == operation::State::Queued {
        begun.state = Set(operation::State::Running);
        begun.started_at = Set(Some(operation.started_at.unwrap_or(now)));
    }
    update_unfinished(context, operation.id, begun).await?;
    context.progress.publish(operation.id).await;
    Ok(Some(operation))
}

/// Says that a worker is still at it. False: somebody asked for it to stop, or it has ended.
pub(crate) async fn heartbeat(context: &Context, operation: &operation::Model) -> Result<bool, JobError> {
    let beat = operation::ActiveModel { heartbeat_at: Set(context.clock.now()), ..Default::default() };
    update_unfinished(context, operation.id, beat).await?;
    context.progress.publish(operation.id).await;
    let current = find(context, operation.organization_id, operation.id).await?;
    Ok(current.is_some_and(|now| !now.state.is_final() && now.cancel_requested_at.is_none()))
}

/// Ends what was cancelled, but for steps that have added roles: those take them away first. False: it has ended.
async fn cancel(context: &Context, operation: &operation::Model) -> Result<bool, JobError> {
    if roll_back(context, operation, &failures::cancelled()).await? {
        return Ok(true);
    }
    window::close_if_idle(context, operation.organization_id, operation.consent_id).await?;
    end(context, operation, Some(failures::cancelled())).await?;
    Ok(false)
}

/// Ends every step because of `failure`, but for those that have added roles: those take them away first. False: there
/// are none.
async fn roll_back(
    context: &Context,
    operation: &operation::Model,
    failure: &Failure,
) -> Result<bool, JobError> {
    let swapping = [StepState::Assigning, StepState::Verifying, StepState::Writing, StepState::Removing];
    let is_swap = operation_step::Column::AccessLevel.is_not_null();
    operation_step::Entity::update_many()
        .set(operation_step::ActiveModel {
            state: Set(StepState::RollingBack),
            failure: Set(Some(failure.clone())),
            updated_at: Set(context.clock.now()),
            ..Default::default()
        })
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .filter(operation_step::Column::State.is_in(swapping))
        .filter(is_swap)
        .filter(operation_step::Column::RolesAdded.is_not_null())
        .exec(&context.database)
        .await?;
    end_steps(context, operation, failure, |step| step.state != StepState::RollingBack).await?;
    is_any(context, operation, &[StepState::RollingBack]).await
}

/// Pushes the jobs that the operation's rows still ask for, or ends it.
pub(crate) async fn resume(context: &Context, operation: &operation::Model) -> Result<(), JobError> {
    change_roles(context, operation).await?;
    settle(context, operation).await
}

/// Pushes a job for each step that is changing roles by itself.
pub(crate) async fn change_roles(context: &Context, operation: &operation::Model) -> Result<(), JobError> {
    let open = open_steps(context, operation).await?;
    let by_window = window::closes_at(context, operation.organization_id, operation.consent_id).await?;
    let (urgent, others): (Vec<_>, Vec<_>) = open
        .iter()
        .filter(|step| step.state.changes_access() && !is_verified_together(step))
        .partition(|step| step.state.needs_window());
    // What needs the window goes before everything else, and of that what closes first.
    let deadline = by_window.unwrap_or(operation.deadline_at);
    push(context, urgent.into_iter(), deadline).await?;
    push(context, others.into_iter(), operation.deadline_at).await
}

async fn push(
    context: &Context,
    steps: impl Iterator<Item = &operation_step::Model>,
    deadline: DateTime<Utc>,
) -> Result<(), JobError> {
    let jobs: Vec<_> = steps.map(AssignRole::of).collect();
    let when = When { deadline: Some(deadline), ..When::default() };
    context.queue.push_many(&jobs, when).await?;
    Ok(())
}

/// Roles that an onboarding adds are looked for together, by one job.
fn is_verified_together(step: &operation_step::Model) -> bool {
    step.state == StepState::Verifying && step.access_level.is_none()
}

/// Goes on after a step has moved: looks whether new roles work, scans what can be scanned, erases the token when
/// nothing needs it, ends the operation when no step is open.
pub(crate) async fn settle(context: &Context, operation: &operation::Model) -> Result<(), JobError> {
    // With thousands of steps this is asked for thousands of times: what is answered by an index comes first.
    let needs_window = is_any(context, operation, &StepState::OF_WINDOW).await?;
    if !needs_window {
        window::close_if_idle(context, operation.organization_id, operation.consent_id).await?;
    }
    if !needs_window && !is_any(context, operation, &StepState::OPEN).await? {
        if operation.kind == operation::Kind::DisconnectTenant
            && disconnect::add_steps(context, operation).await?
        {
            return Ok(ring(&context.queue, operation).await?);
        }
        let cancelled = operation.cancel_requested_at.map(|_| failures::cancelled());
        return end(context, operation, cancelled).await;
    }
    let (organization_id, operation_id) = (operation.organization_id, operation.id);
    let when = When { deadline: Some(operation.deadline_at), ..When::default() };
    if is_any(context, operation, &[StepState::Scanning]).await? {
        context.queue.push(&ScanSubscriptions { organization_id, operation_id }, when).await?;
    }
    if is_any(context, operation, &[StepState::Writing]).await? {
        context.queue.push(&WriteTags { organization_id, operation_id }, when).await?;
    }
    if operation.kind == operation::Kind::OnboardTenant
        && is_any(context, operation, &[StepState::Verifying]).await?
    {
        context.queue.push(&VerifyRoles { organization_id, operation_id }, when).await?;
    }
    context.progress.publish(operation.id).await;
    Ok(())
}

/// Whether any step stands at one of `states`.
async fn is_any(
    context: &Context,
    operation: &operation::Model,
    states: &[StepState],
) -> Result<bool, JobError> {
    let any = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .filter(operation_step::Column::State.is_in(states.iter().copied()))
        .one(&context.database)
        .await?;
    Ok(any.is_some())
}

/// Ends the operation at once: every open step is done, because of `failure`.
pub(crate) async fn end_with(
    context: &Context,
    operation: &operation::Model,
    failure: Failure,
) -> Result<(), JobError> {
    end_steps(context, operation, &failure, |_| true).await?;
    window::close_if_idle(context, operation.organization_id, operation.consent_id).await?;
    end(context, operation, Some(failure)).await
}

/// Ends the operation because the job that takes it on was given up.
pub(crate) async fn give_up(
    context: &Context,
    organization_id: Uuid,
    operation_id: Uuid,
    why: &anyhow::Error,
) -> Result<(), anyhow::Error> {
    let found = find(context, organization_id, operation_id).await?;
    let Some(operation) = found.filter(|operation| !operation.state.is_final()) else { return Ok(()) };
    let failure = failures::of_job(why);
    // A role that is held for a change set goes, whatever became of that.
    if operation.kind == operation::Kind::ApplyChangeSet && roll_back(context, &operation, &failure).await? {
        change_roles(context, &operation).await?;
    } else {
        end_with(context, &operation, failure).await?;
    }
    Ok(())
}

async fn end_steps(
    context: &Context,
    operation: &operation::Model,
    failure: &Failure,
    ends: impl Fn(&operation_step::Model) -> bool,
) -> Result<(), JobError> {
    for step in open_steps(context, operation).await?.into_iter().filter(ends) {
        let outcome = if step.state.needs_window() { Some(Outcome::Failed) } else { step.outcome };
        let ended = operation_step::ActiveModel {
            id: Unchanged(step.id),
            state: Set(StepState::Done),
            outcome: Set(outcome),
            failure: Set(Some(failure.clone())),
            updated_at: Set(context.clock.now()),
            ..Default::default()
        };
        ended.update(&context.database).await?;
    }
    Ok(())
}

pub(crate) async fn end(
    context: &Context,
    operation: &operation::Model,
    failure: Option<Failure>,
) -> Result<(), JobError> {
    let steps = steps(context, operation).await?;
    let cancelled = failure.as_ref().is_some_and(|failure| failure.code == failures::cancelled().code);
    let (done, all) = match operation.kind {
        operation::Kind::LoadOffice => office::end_feeds(context, operation, failure.as_ref()).await?,
        _ => (steps.iter().filter(|step| has_succeeded(operation, step)).count(), steps.len()),
    };
    let is_disconnection = operation.kind == operation::Kind::DisconnectTenant;
    let is_partial = steps.iter().any(|step| {
        let failure = step.failure.as_ref().map(|failure| failure.code.as_str());
        step.outcome == Some(Outcome::PartlyWritten) || failure == Some(failures::ELEVATION_REMAINS)
    });
    let state = match done {
        _ if cancelled => operation::State::Cancelled,
        // Nothing of ours was there.
        _ if steps.is_empty() && is_disconnection => operation::State::Succeeded,
        0 if is_partial => operation::State::Partial,
        0 => operation::State::Failed,
        _ if done == all => operation::State::Succeeded,
        _ => operation::State::Partial,
    };
    let failure = failure
        .or_else(|| (state == operation::State::Failed).then(|| failures::nothing_done(operation.kind)));
    settle_tenant(context, operation, &steps, failure.as_ref(), cancelled).await?;
    let ended = operation::ActiveModel {
        state: Set(state),
        failure: Set(failure),
        finished_at: Set(Some(context.clock.now())),
        ..Default::default()
    };
    update_unfinished(context, operation.id, ended).await?;
    tracing::info!(operation.id = %operation.id, tenant.id = %operation.tenant_id, ?state, "operation ended");
    context.progress.publish(operation.id).await;
    look_for_owners(context, operation).await
}

/// Nobody waits for it: it is done after everything that has a deadline.
async fn look_for_owners(context: &Context, operation: &operation::Model) -> Result<(), JobError> {
    if matches!(operation.kind, operation::Kind::OnboardTenant | operation::Kind::ScanTenant) {
        let (organization_id, tenant_id) = (operation.organization_id, operation.tenant_id);
        context.queue.push(&ReadOwners { organization_id, tenant_id }, When::default()).await?;
    }
    Ok(())
}

/// Whether a step did all that was asked of it.
fn has_succeeded(operation: &operation::Model, step: &operation_step::Model) -> bool {
    let is_done = match operation.kind {
        operation::Kind::OnboardTenant | operation::Kind::ScanTenant => step.scanned,
        operation::Kind::ChangeAccess => {
            matches!(step.outcome, Some(Outcome::Changed | Outcome::Unchanged))
        }
        operation::Kind::DisconnectTenant => step.outcome == Some(Outcome::Removed),
        operation::Kind::ApplyChangeSet => step.outcome == Some(Outcome::Written),
        // It has no steps.
        operation::Kind::LoadOffice => false,
    };
    is_done && step.failure.is_none()
}

/// What the end of the operation means for its tenant.
async fn settle_tenant(
    context: &Context,
    operation: &operation::Model,
    steps: &[operation_step::Model],
    failure: Option<&Failure>,
    is_cancelled: bool,
) -> Result<(), JobError> {
    if operation.kind == operation::Kind::DisconnectTenant {
        return disconnect::finish(context, operation, is_cancelled).await;
    }
    if operation.kind == operation::Kind::ApplyChangeSet {
        return change_set::settle(context, operation, failure).await;
    }
    if health::after_operation(context, operation, steps, failure).await? {
        let (organization_id, tenant_id) = (operation.organization_id, operation.tenant_id);
        context.queue.push(&CheckTenant { organization_id, tenant_id }, When::default()).await?;
    }
    Ok(())
}

/// Whether the fifteen minutes that Azure may take to let a new role work are over.
pub(crate) fn is_overdue(assigned_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    assigned_at.is_none_or(|assigned_at| now - assigned_at > TimeDelta::minutes(15))
}

pub(crate) async fn find(
    context: &Context,
    organization_id: Uuid,
    operation_id: Uuid,
) -> Result<Option<operation::Model>, JobError> {
    let found = operation::Entity::owned_by(organization_id)
        .filter(operation::Column::Id.eq(operation_id))
        .one(&context.database)
        .await?;
    Ok(found)
}

async fn steps(
    context: &Context,
    operation: &operation::Model,
) -> Result<Vec<operation_step::Model>, JobError> {
    let steps = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .order_by_asc(operation_step::Column::Id)
        .all(&context.database)
        .await?;
    Ok(steps)
}

async fn open_steps(
    context: &Context,
    operation: &operation::Model,
) -> Result<Vec<operation_step::Model>, JobError> {
    let mut open = steps(context, operation).await?;
    open.retain(|step| step.state != StepState::Done);
    Ok(open)
}

/// An operation that has ended is never touched again.
async fn update_unfinished(
    context: &Context,
    operation_id: Uuid,
    changes: operation::ActiveModel,
) -> Result<(), JobError> {
    operation::Entity::update_many()
        .set(changes)
        .filter(operation::Column::Id.eq(operation_id))
        .filter(operation::Column::State.is_in([operation::State::Queued, operation::State::Running]))
        .exec(&context.database)
        .await?;
    Ok(())
}
