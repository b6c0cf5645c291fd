//! Begins the scans that are due by their schedules.

use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::{Work, operation, scan_schedule};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set};
use serde_json::json;

use crate::context::Context;
use crate::job::JobError;
use crate::{audit, disconnect, operations, transaction};

/// Begins each scan that is due, once, however many ask at the same time. What is overdue by more than one turn is made
/// up for by one scan; a tenant that is being scanned, or is not connected, is let be until its next turn.
pub(crate) async fn begin_due(context: &Context) -> Result<(), JobError> {
    let due = scan_schedule::Entity::due(context.clock.now()).all(&context.database).await?;
    for schedule in due {
        if let Some(operation) = begin(context, &schedule).await? {
            tracing::info!(operation.id = %operation.id, tenant.id = %operation.tenant_id, "scheduled scan begun");
            operations::ring(&context.queue, &operation).await?;
        }
    }
    Ok(())
}

async fn begin(
    context: &Context,
    schedule: &scan_schedule::Model,
) -> Result<Option<operation::Model>, JobError> {
    let transaction = transaction::begin(&context.database).await?;
    if !take_turn(context, &transaction, schedule).await? {
        return Ok(None);
    }
    let tenant = disconnect::lock(&transaction, schedule.organization_id, schedule.tenant_id).await?;
    let is_connected = tenant.is_some_and(|tenant| tenant.state.is_connected());
    let begun = if is_connected && !is_scanned(&transaction, schedule).await? {
        store(context, &transaction, schedule).await?
    } else {
        None
    };
    transaction.commit().await?;
    Ok(begun)
}

/// Moves the schedule on to its next turn. False: somebody else has, or it was changed.
async fn take_turn(
    context: &Context,
    transaction: &DatabaseTransaction,
    schedule: &scan_schedule::Model,
) -> Result<bool, DbErr> {
    let now = context.clock.now();
    let Some(rhythm) = schedule.rhythm(now) else { return Ok(false) };
    let taken = scan_schedule::Entity::update_many()
        .set(scan_schedule::ActiveModel {
            next_at: Set(rhythm.next(schedule.tenant_id, now)),
            ..Default::default()
        })
        .filter(scan_schedule::Column::Id.eq(schedule.id))
        .filter(scan_schedule::Column::NextAt.eq(schedule.next_at))
        .exec(transaction)
        .await?;
    Ok(taken.rows_affected > 0)
}

async fn is_scanned(
    transaction: &DatabaseTransaction,
    schedule: &scan_schedule::Model,
) -> Result<bool, DbErr> {
    let under_way = operation::Entity::under_way(schedule.organization_id, schedule.tenant_id)
        .filter(operation::Column::Kind.is_in([operation::Kind::ScanTenant, operation::Kind::OnboardTenant]));
    Ok(under_way.one(transaction).await?.is_some())
}

async fn store(
    context: &Context,
    transaction: &DatabaseTransaction,
    schedule: &scan_schedule::Model,
) -> Result<Option<operation::Model>, JobError> {
    let now = context.clock.now();
    let request = operation::Request {
        organization_id: schedule.organization_id,
        member_id: schedule.member_id,
        tenant_id: schedule.tenant_id,
        consent_id: None,
        work: Work::Scan,
    };
    let Some(operation) = operations::store(transaction, request, now).await? else { return Ok(None) };
    scan_schedule::Entity::update_many()
        .set(scan_schedule::ActiveModel { last_operation_id: Set(Some(operation.id)), ..Default::default() })
        .filter(scan_schedule::Column::Id.eq(schedule.id))
        .exec(transaction)
        .await?;
    let author = Author::unasked(schedule.organization_id, Actor::System);
    let record = Record::of(Action::ScanStarted, ObjectKind::Tenant, schedule.tenant_id)
        .after(json!({ "operation": format!("operation:{}", operation.id), "scheduled": true }));
    audit::append(transaction, &context.keyring, now, &author, record).await?;
    Ok(Some(operation))
}
