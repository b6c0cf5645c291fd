//! Begins the loads that are due: each connected tenant once a day.

use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::office::connection;
use entity::{Work, operation};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set};
use serde_json::json;

use super::{EVERY, jitter};
use crate::context::Context;
use crate::job::JobError;
use crate::{audit, disconnect, operations, transaction};

/// Begins each load that is due, once, however many ask at the same time. A tenant that is being loaded, or is not
/// connected, is let be until its next turn.
pub(crate) async fn begin_due(context: &Context) -> Result<(), JobError> {
    for connection in connection::Entity::due(context.clock.now()).all(&context.database).await? {
        if let Some(operation) = begin(context, &connection).await? {
            tracing::info!(operation.id = %operation.id, tenant.id = %operation.tenant_id, "daily load begun");
            operations::ring(&context.queue, &operation).await?;
        }
    }
    Ok(())
}

async fn begin(
    context: &Context,
    connection: &connection::Model,
) -> Result<Option<operation::Model>, JobError> {
    let transaction = transaction::begin(&context.database).await?;
    if !take_turn(context, &transaction, connection).await? {
        return Ok(None);
    }
    let tenant = disconnect::lock(&transaction, connection.organization_id, connection.tenant_id).await?;
    let is_connected = tenant.is_some_and(|tenant| tenant.state.is_connected());
    let under_way = operation::Entity::under_way(connection.organization_id, connection.tenant_id)
        .filter(operation::Column::Kind.eq(operation::Kind::LoadOffice));
    let is_loaded = under_way.one(&transaction).await?.is_some();
    let begun =
        if is_connected && !is_loaded { store(context, &transaction, connection).await? } else { None };
    transaction.commit().await?;
    Ok(begun)
}

/// Puts the next load a day later. False: somebody else has.
async fn take_turn(
    context: &Context,
    transaction: &DatabaseTransaction,
    connection: &connection::Model,
) -> Result<bool, DbErr> {
    let now = context.clock.now();
    let Some(due) = connection.next_load_at else { return Ok(false) };
    // At the same time of day, but for one that is more than a day late.
    let same_time = due + EVERY;
    let next = if same_time > now { same_time } else { now + EVERY + jitter(connection.tenant_id) };
    let taken = connection::Entity::update_many()
        .set(connection::ActiveModel { next_load_at: Set(Some(next)), ..Default::default() })
        .filter(connection::Column::Id.eq(connection.id))
        .filter(connection::Column::NextLoadAt.eq(due))
        .exec(transaction)
        .await?;
    Ok(taken.rows_affected > 0)
}

async fn store(
    context: &Context,
    transaction: &DatabaseTransaction,
    connection: &connection::Model,
) -> Result<Option<operation::Model>, JobError> {
    let now = context.clock.now();
    let request = operation::Request {
        organization_id: connection.organization_id,
        member_id: connection.member_id,
        tenant_id: connection.tenant_id,
        consent_id: None,
        work: Work::LoadOffice,
    };
    let Some(operation) = operations::store(transaction, request, now).await? else { return Ok(None) };
    let author = Author::unasked(connection.organization_id, Actor::System);
    let record = Record::of(Action::OfficeLoadStarted, ObjectKind::Tenant, connection.tenant_id)
        .after(json!({ "operation": format!("operation:{}", operation.id), "scheduled": true }));
    audit::append(transaction, &context.keyring, now, &author, record).await?;
    Ok(Some(operation))
}
