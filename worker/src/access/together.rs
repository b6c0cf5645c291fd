//! Looks whether the roles that an onboarding added work: one list tells of every subscription.

use std::collections::{HashMap, HashSet};

use entity::operation_step::{self, Outcome, State};
use entity::role_assignment;
use entity::subscription::{self, AccessLevel};
use entity::{Failure, Owned, operation, tenant};
use microsoft::{Caller, Role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};
use uuid::Uuid;

use super::record;
use super::verify::telling_action;
use crate::context::Context;
use crate::job::JobError;
use crate::{failures, operations};

/// Rows that a statement names at once.
const CHUNK: usize = 500;

/// Lets those of `waiting` go on whose roles work; answers those that still wait.
pub(crate) async fn look(
    context: &Context,
    operation: &operation::Model,
    waiting: Vec<operation_step::Model>,
) -> Result<Vec<operation_step::Model>, JobError> {
    if waiting.is_empty() {
        return Ok(waiting);
    }
    let organization_id = operation.organization_id;
    let tenant = tenant::Entity::owned_by(organization_id)
        .filter(tenant::Column::Id.eq(operation.tenant_id))
        .one(&context.database)
        .await?
        .ok_or_else(|| JobError::Fail(anyhow::anyhow!("the operation's tenant is gone")))?;
    let visible = visible(context, tenant.entra_tenant_id).await?;
    let mut left = Vec::new();
    let mut working = Vec::new();
    for chunk in waiting.chunks(CHUNK) {
        let azure_ids = azure_ids(context, organization_id, chunk).await?;
        let azure_id = |step: &operation_step::Model| azure_ids.get(&step.subscription_id).copied();
        let (seen, unseen): (Vec<_>, Vec<_>) = chunk
            .iter()
            .cloned()
            .partition(|step| azure_id(step).is_some_and(|azure_id| visible.contains(&azure_id)));
        left.extend(unseen);
        let many = with_other_roles(context, organization_id, &seen).await?;
        for step in seen {
            let Some(azure_id) = azure_id(&step) else { continue };
            let works = !many.contains(&step.subscription_id)
                || reads(context, tenant.entra_tenant_id, azure_id, step.outcome).await?;
            if works { working.push(step) } else { left.push(step) }
        }
    }
    go_on(context, operation, &working).await?;
    let now = context.clock.now();
    let (overdue, left): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|step| operations::is_overdue(step.assigned_at, now));
    abandon(context, overdue, &failures::role_not_effective()).await?;
    Ok(left)
}

/// Ends steps whose roles do not work.
pub(crate) async fn abandon(
    context: &Context,
    steps: Vec<operation_step::Model>,
    failure: &Failure,
) -> Result<(), JobError> {
    move_on(
        context,
        &steps,
        operation_step::ActiveModel {
            state: Set(State::Done),
            outcome: Set(Some(Outcome::Failed)),
            failure: Set(Some(failure.clone())),
            ..Default::default()
        },
    )
    .await
}

/// The subscriptions that our service principal sees, with a token that knows of every new role.
pub(crate) async fn visible(context: &Context, entra_tenant_id: Uuid) -> Result<HashSet<Uuid>, JobError> {
    let caller = Caller::FreshApp { tenant: entra_tenant_id };
    match context.microsoft.arm().subscriptions(&caller).await {
        Ok(found) => Ok(found.into_iter().map(|found| found.subscription_id).collect()),
        Err(microsoft::MicrosoftError::Forbidden { .. }) => Ok(HashSet::new()),
        Err(error) => Err(error.into()),
    }
}

/// Where another role was held before, being seen says nothing of the new one.
async fn reads(
    context: &Context,
    entra_tenant_id: Uuid,
    azure_id: Uuid,
    outcome: Option<Outcome>,
) -> Result<bool, JobError> {
    if outcome != Some(Outcome::Granted) {
        return Ok(true);
    }
    let caller = Caller::FreshApp { tenant: entra_tenant_id };
    let permissions = context.microsoft.arm().effective_permissions(&caller, azure_id).await?;
    Ok(permissions.allows(telling_action(Role::Reader)))
}

/// Azure's ids of the steps' subscriptions, by ours. While thousands wait this is asked for at every look, so nothing
/// else of them is read.
async fn azure_ids(
    context: &Context,
    organization_id: Uuid,
    steps: &[operation_step::Model],
) -> Result<HashMap<Uuid, Uuid>, JobError> {
    let found: Vec<(Uuid, Uuid)> = subscription::Entity::owned_by(organization_id)
        .filter(subscription::Column::Id.is_in(steps.iter().map(|step| step.subscription_id)))
        .select_only()
        .columns([subscription::Column::Id, subscription::Column::AzureSubscriptionId])
        .into_tuple()
        .all(&context.database)
        .await?;
    Ok(found.into_iter().collect())
}

async fn with_other_roles(
    context: &Context,
    organization_id: Uuid,
    steps: &[operation_step::Model],
) -> Result<HashSet<Uuid>, JobError> {
    if steps.is_empty() {
        return Ok(HashSet::new());
    }
    let held = role_assignment::Entity::owned_by(organization_id)
        .filter(role_assignment::Column::SubscriptionId.is_in(steps.iter().map(|step| step.subscription_id)))
        .all(&context.database)
        .await?;
    let mut once = HashSet::new();
    Ok(held.into_iter().map(|row| row.subscription_id).filter(|id| !once.insert(*id)).collect())
}

async fn go_on(
    context: &Context,
    operation: &operation::Model,
    working: &[operation_step::Model],
) -> Result<(), JobError> {
    let now = context.clock.now();
    for chunk in working.chunks(CHUNK) {
        let ids: Vec<_> = chunk.iter().map(|step| step.subscription_id).collect();
        record::verified(context, operation.organization_id, &ids, now).await?;
        subscription::Entity::update_many()
            .set(subscription::ActiveModel {
                access_level: Set(AccessLevel::ReadTags),
                updated_at: Set(now),
                ..Default::default()
            })
            .filter(subscription::Column::Id.is_in(ids))
            .filter(subscription::Column::AccessLevel.eq(AccessLevel::None))
            .exec(&context.database)
            .await?;
    }
    move_on(
        context,
        working,
        operation_step::ActiveModel { state: Set(State::Scanning), ..Default::default() },
    )
    .await
}

/// Moves steps that still stand at `VERIFYING`.
async fn move_on(
    context: &Context,
    steps: &[operation_step::Model],
    mut changes: operation_step::ActiveModel,
) -> Result<(), JobError> {
    changes.updated_at = Set(context.clock.now());
    for chunk in steps.chunks(CHUNK) {
        operation_step::Entity::update_many()
            .set(changes.clone())
            .filter(operation_step::Column::Id.is_in(chunk.iter().map(|step| step.id)))
            .filter(operation_step::Column::State.eq(State::Verifying))
            .exec(&context.database)
            .await?;
    }
    Ok(())
}
