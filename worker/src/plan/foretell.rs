//! What an operation whose steps are known will take, stored with it.

use std::collections::HashMap;

use entity::operation_step::{self, State};
use entity::{Owned, Work, consent, operation, organization, subscription};
use microsoft::Caller;
use sea_orm::{ActiveModelTrait, ColumnTrait, QueryFilter, Set, Unchanged};
use uuid::Uuid;

use super::asked::counts;
use super::{Aim, Facts, Plan, Window, known, pace};
use crate::context::Context;
use crate::job::JobError;

/// Stores what `operation` is expected to take, once; `user` counts resources where nobody has yet.
pub(crate) async fn foretell(
    context: &Context,
    operation: &operation::Model,
    user: Option<&Caller>,
) -> Result<(), JobError> {
    if operation.estimate.is_some() {
        return Ok(());
    }
    let Some(aim) = aim(context, operation).await? else { return Ok(()) };
    let mut facts = facts(context, operation, aim).await?;
    if let Some(user) = user {
        let is_open = |one: &&mut Facts| one.resources.is_none();
        let uncounted: Vec<_> =
            facts.iter_mut().filter(is_open).map(|one| one.azure_subscription_id).collect();
        let counted = counts(&context.microsoft, user, &uncounted).await;
        for one in facts.iter_mut().filter(is_open) {
            one.resources = counted.get(&one.azure_subscription_id).copied();
        }
    }
    let pace = pace(&context.database, operation.organization_id).await?;
    let estimate = Plan::of(aim, facts, pace, window(context, operation).await?).estimate;
    let told = operation::ActiveModel {
        id: Unchanged(operation.id),
        estimate: Set(Some(estimate)),
        ..Default::default()
    };
    told.update(&context.database).await?;
    Ok(())
}

async fn aim(context: &Context, operation: &operation::Model) -> Result<Option<Aim>, JobError> {
    let level = match operation.work() {
        Work::Onboard { .. } => return Ok(Some(Aim::Onboard)),
        Work::ChangeAccess { level, .. } => level,
        Work::Scan
        | Work::Disconnect { .. }
        | Work::ApplyChangeSet { .. }
        | Work::Hold
        | Work::LoadOffice => {
            return Ok(None);
        }
    };
    let organization =
        organization::Entity::by_ids(&[operation.organization_id]).one(&context.database).await?;
    let keep_reader = organization.is_some_and(|organization| organization.keep_reader);
    Ok(Some(Aim::Change { level, keep_reader }))
}

/// What is known of the subscriptions that something is left to do about.
async fn facts(context: &Context, operation: &operation::Model, aim: Aim) -> Result<Vec<Facts>, JobError> {
    let database = &context.database;
    let steps = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .filter(operation_step::Column::State.ne(State::Done))
        .all(database)
        .await?;
    let states: HashMap<Uuid, _> = steps.into_iter().map(|step| (step.subscription_id, step.state)).collect();
    let mut rows = subscription::Entity::owned_by(operation.organization_id)
        .filter(subscription::Column::TenantId.eq(operation.tenant_id))
        .all(database)
        .await?;
    rows.retain(|row| states.contains_key(&row.id));
    let mut facts = known(database, operation.organization_id, rows).await?;
    if aim == Aim::Onboard {
        for one in &mut facts {
            let state = one.subscription_id.and_then(|id| states.get(&id));
            one.is_read = state == Some(&State::Scanning);
        }
    }
    Ok(facts)
}

async fn window(context: &Context, operation: &operation::Model) -> Result<Window, JobError> {
    let now = context.clock.now();
    let Some(consent_id) = operation.consent_id else {
        return Ok(Window { remaining: consent::WINDOW, now });
    };
    let consent = consent::Entity::owned_by(operation.organization_id)
        .filter(consent::Column::Id.eq(consent_id))
        .one(&context.database)
        .await?;
    let remaining = consent.map(|consent| consent.remaining(now)).unwrap_or_default();
    Ok(Window { remaining, now })
}
