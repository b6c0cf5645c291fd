//! Disconnecting a tenant: everything else about it is stopped, what Tenantry created in it is removed as far as a
//! consent window lets it, and then nothing is done about it any more.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::consent::{self, Closed};
use entity::operation_step::{self, Outcome, State as StepState};
use entity::role_assignment;
use entity::subscription::{self, AccessLevel};
use entity::tenant::{self, State};
use entity::{Owned, Work, operation};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QuerySelect, Set, Unchanged,
};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::jobs::DeleteInventory;
use crate::queue::{Queue, QueueError, When};
use crate::{audit, health, office, operations, transaction, window};

/// How long a disconnection waits before it looks again whether what it stopped has ended.
const STOPPING: Duration = Duration::from_secs(1);

/// Rows that a statement stores at once.
const CHUNK: usize = 500;

/// A tenant, which nobody else can change until the transaction ends.
pub async fn lock(
    transaction: &DatabaseTransaction,
    organization_id: Uuid,
    tenant_id: Uuid,
) -> Result<Option<tenant::Model>, DbErr> {
    tenant::Entity::owned_by(organization_id)
        .filter(tenant::Column::Id.eq(tenant_id))
        .lock_exclusive()
        .one(transaction)
        .await
}

/// Asks everything else that is under way in the tenant to stop, and lets nothing new begin.
pub(crate) async fn begin(
    transaction: &DatabaseTransaction,
    request: &operation::Request,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    stop(transaction, request.organization_id, request.tenant_id, now).await?;
    tenant::Entity::update_many()
        .set(tenant::ActiveModel {
            state: Set(State::Disconnecting),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(tenant::Column::OrganizationId.eq(request.organization_id))
        .filter(tenant::Column::Id.eq(request.tenant_id))
        // One that was disconnected before stays so, while what was left behind is removed.
        .filter(tenant::Column::State.ne(State::Disconnected))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn stop(
    transaction: &DatabaseTransaction,
    organization_id: Uuid,
    tenant_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    operation::Entity::update_many()
        .set(operation::ActiveModel { cancel_requested_at: Set(Some(now)), ..Default::default() })
        .filter(operation::Column::OrganizationId.eq(organization_id))
        .filter(operation::Column::TenantId.eq(tenant_id))
        .filter(operation::Column::State.is_in([operation::State::Queued, operation::State::Running]))
        .filter(operation::Column::Kind.ne(operation::Kind::DisconnectTenant))
        .filter(operation::Column::CancelRequestedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}

/// Disconnects the tenant though nothing can be removed from it now. [`ring`] after the commit.
pub async fn at_once(
    transaction: &DatabaseTransaction,
    tenant: &tenant::Model,
    delete_data: bool,
    now: DateTime<Utc>,
) -> Result<tenant::Model, DbErr> {
    stop(transaction, tenant.organization_id, tenant.id, now).await?;
    mark(transaction, tenant, delete_data, now).await
}

/// Rings for what is still under way in a tenant that was disconnected at once: it stops, and the inventory is
/// deleted if that was asked for.
pub async fn ring(
    queue: &Queue,
    tenant: &tenant::Model,
    stopped: &[operation::Model],
) -> Result<(), QueueError> {
    for operation in stopped {
        operations::ring(queue, operation).await?;
    }
    if tenant.deleting_since.is_some() {
        queue.push(&DeleteInventory::of(tenant), When::default()).await?;
    }
    Ok(())
}

/// The tenant is disconnected: nothing is wrong with it any more, and nothing of it is readable for Tenantry.
async fn mark(
    transaction: &DatabaseTransaction,
    tenant: &tenant::Model,
    delete_data: bool,
    now: DateTime<Utc>,
) -> Result<tenant::Model, DbErr> {
    health::forget(transaction, tenant).await?;
    take_levels(transaction, tenant, now).await?;
    // Whoever connects it again needs a consent of that kind again.
    office::disconnect(transaction, tenant).await?;
    let deletes = delete_data && tenant.deleting_since.is_none();
    let disconnected = tenant::ActiveModel {
        id: Unchanged(tenant.id),
        state: Set(State::Disconnected),
        failure: Set(None),
        degraded_since: Set(None),
        check_failure: Set(None),
        disconnected_at: Set(Some(tenant.disconnected_at.unwrap_or(now))),
        deleting_since: Set(if deletes { Some(now) } else { tenant.deleting_since }),
        updated_at: Set(now),
        ..Default::default()
    };
    disconnected.update(transaction).await
}

/// Whatever is left behind in Azure is not used any more.
pub(crate) async fn take_levels(
    transaction: &DatabaseTransaction,
    tenant: &tenant::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    subscription::Entity::update_many()
        .set(subscription::ActiveModel {
            access_level: Set(AccessLevel::None),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(subscription::Column::OrganizationId.eq(tenant.organization_id))
        .filter(subscription::Column::TenantId.eq(tenant.id))
        .filter(subscription::Column::AccessLevel.ne(AccessLevel::None))
        .exec(transaction)
        .await?;
    Ok(())
}

/// A disconnected tenant that somebody consents for again is connected again. What its deletion has not come to yet
/// stays: the scan that follows brings it up to date.
pub async fn reconnect(
    transaction: &DatabaseTransaction,
    tenant: &tenant::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let connecting = tenant::ActiveModel {
        id: Unchanged(tenant.id),
        state: Set(State::Connecting),
        checked_at: Set(None),
        check_begun_at: Set(None),
        disconnected_at: Set(None),
        deleting_since: Set(None),
        deleted_at: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    connecting.update(transaction).await.map(drop)
}

/// Waits until everything else has ended, since that may still add roles or take them back; then stores a step for
/// each subscription with something of ours.
pub(crate) async fn prepare(context: &Context, operation: &mut operation::Model) -> Result<(), JobError> {
    let (organization_id, tenant_id) = (operation.organization_id, operation.tenant_id);
    let others = operation::Entity::under_way(organization_id, tenant_id).all(&context.database).await?;
    if !others.is_empty()
        && window::closes_at(context, organization_id, operation.consent_id).await?.is_some()
    {
        for other in &others {
            operations::ring(&context.queue, other).await?;
        }
        return Err(JobError::RetryAfter(STOPPING));
    }
    add_steps(context, operation).await?;
    let discovered =
        operation::ActiveModel { id: Unchanged(operation.id), discovered: Set(true), ..Default::default() };
    discovered.update(&context.database).await?;
    operation.discovered = true;
    Ok(())
}

/// Sees to it that there is a step wherever something of ours is. False: there is nothing that a step has not tried to
/// remove.
pub(crate) async fn add_steps(context: &Context, operation: &operation::Model) -> Result<bool, DbErr> {
    let ours: HashSet<Uuid> = role_assignment::Entity::ours(operation.organization_id, operation.tenant_id)
        .select_only()
        .column(role_assignment::Column::SubscriptionId)
        .into_tuple()
        .all(&context.database)
        .await?
        .into_iter()
        .collect();
    let steps = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .all(&context.database)
        .await?;
    let steps: HashMap<_, _> = steps.into_iter().map(|step| (step.subscription_id, step)).collect();
    let now = context.clock.now();
    let mut missing: Vec<_> = ours.iter().filter(|id| !steps.contains_key(id)).copied().collect();
    missing.sort_unstable();
    for chunk in missing.chunks(CHUNK) {
        let rows = chunk.iter().map(|id| operation_step::first(operation, *id, now));
        operation_step::Entity::insert_many(rows).exec_without_returning(&context.database).await?;
    }
    // A call that was under way when its operation was stopped has added a role after all.
    let is_again = |step: &&operation_step::Model| {
        step.outcome == Some(Outcome::Removed) && ours.contains(&step.subscription_id)
    };
    let again: Vec<_> = steps.values().filter(is_again).map(|step| step.id).collect();
    for chunk in again.chunks(CHUNK) {
        operation_step::Entity::update_many()
            .set(operation_step::ActiveModel {
                state: Set(StepState::Removing),
                outcome: Set(None),
                updated_at: Set(now),
                ..Default::default()
            })
            .filter(operation_step::Column::Id.is_in(chunk.iter().copied()))
            .exec(&context.database)
            .await?;
    }
    Ok(!missing.is_empty() || !again.is_empty())
}

/// The operation has come to its end: the tenant is disconnected, also where something could not be removed, unless a
/// member called it off.
pub(crate) async fn finish(
    context: &Context,
    operation: &operation::Model,
    is_cancelled: bool,
) -> Result<(), JobError> {
    let transaction = transaction::begin(&context.database).await?;
    let found = lock(&transaction, operation.organization_id, operation.tenant_id).await?;
    let Some(tenant) = found else { return Ok(()) };
    if is_cancelled {
        if tenant.state == State::Disconnecting {
            health::again(context, &transaction, &tenant).await?;
        }
        transaction.commit().await?;
        return Ok(());
    }
    if tenant.state.is_connected() {
        // Somebody connected it again before an old disconnection was retried.
        return Ok(());
    }
    let delete_data = operation.work() == Work::Disconnect { delete_data: true };
    let disconnected = mark(&transaction, &tenant, delete_data, context.clock.now()).await?;
    if tenant.state != State::Disconnected {
        tell(context, &transaction, operation, &tenant).await?;
    }
    transaction.commit().await?;
    for consent in open_windows(context, &disconnected).await? {
        window::close(context, &consent, Closed::WorkDone).await?;
    }
    ring(&context.queue, &disconnected, &[]).await?;
    Ok(())
}

async fn tell(
    context: &Context,
    transaction: &DatabaseTransaction,
    operation: &operation::Model,
    before: &tenant::Model,
) -> Result<(), DbErr> {
    let left = role_assignment::Entity::ours(before.organization_id, before.id).count(transaction).await?;
    let record = Record::of(Action::TenantDisconnected, ObjectKind::Tenant, before.id)
        .before(json!({ "state": before.state.to_value() }))
        .after(json!({
            "state": State::Disconnected.to_value(),
            "roleAssignmentsLeft": left,
            "deletesData": operation.work() == Work::Disconnect { delete_data: true },
            "operation": format!("operation:{}", operation.id),
        }));
    let author = Author::unasked(before.organization_id, Actor::System);
    audit::append(transaction, &context.keyring, context.clock.now(), &author, record).await.map(drop)
}

async fn open_windows(context: &Context, tenant: &tenant::Model) -> Result<Vec<consent::Model>, DbErr> {
    consent::Entity::open_for(tenant.organization_id, tenant.id, context.clock.now())
        .all(&context.database)
        .await
}
