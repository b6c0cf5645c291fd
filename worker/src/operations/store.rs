//! Stores an operation with the steps that are known before it begins.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::subscription::{self, AccessLevel};
use entity::{Owned, Work, operation, operation_step, tag_write};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use crate::change_set::elevated as elevated_in;
use crate::disconnect;

/// Rows that a statement stores at once.
const CHUNK: usize = 500;

/// Stores the operation that does what is asked for, not begun yet; [`ring`](super::ring) it after the commit. None:
/// there is nothing that an operation does.
pub async fn store(
    transaction: &DatabaseTransaction,
    request: operation::Request,
    now: DateTime<Utc>,
) -> Result<Option<operation::Model>, DbErr> {
    let subscriptions = subscriptions(transaction, &request).await?;
    if matches!(request.work, Work::Disconnect { .. }) {
        disconnect::begin(transaction, &request, now).await?;
    }
    let Some(queued) = request.queued(now) else { return Ok(None) };
    let operation = queued.insert(transaction).await?;
    let elevated = elevated(transaction, &operation).await?;
    for chunk in subscriptions.chunks(CHUNK) {
        let steps = chunk.iter().map(|id| {
            let of = if elevated.contains(id) { operation_step::elevated } else { operation_step::first };
            of(&operation, *id, now)
        });
        operation_step::Entity::insert_many(steps).exec_without_returning(transaction).await?;
    }
    Ok(Some(operation))
}

/// Those of its subscriptions that tags are written to by a role that is held for that alone.
async fn elevated(
    transaction: &DatabaseTransaction,
    operation: &operation::Model,
) -> Result<BTreeSet<Uuid>, DbErr> {
    match operation.change_set_id {
        Some(id) => elevated_in(transaction, operation.organization_id, id, Some(operation.tenant_id)).await,
        None => Ok(BTreeSet::new()),
    }
}

/// The subscriptions that it is about, as far as they are known.
async fn subscriptions(
    transaction: &DatabaseTransaction,
    request: &operation::Request,
) -> Result<Vec<Uuid>, DbErr> {
    let of_tenant = subscription::Entity::owned_by(request.organization_id)
        .filter(subscription::Column::TenantId.eq(request.tenant_id));
    let wanted = match &request.work {
        // These look for them themselves, or are about none.
        Work::Onboard { .. } | Work::Disconnect { .. } | Work::Hold | Work::LoadOffice => {
            return Ok(Vec::new());
        }
        Work::ApplyChangeSet { change_set_id } => {
            of_tenant.filter(subscription::Column::Id.in_subquery(tag_write::written_in(*change_set_id)))
        }
        Work::Scan => of_tenant.filter(subscription::Column::AccessLevel.ne(AccessLevel::None)),
        Work::ChangeAccess { subscriptions, .. } => {
            of_tenant.filter(subscription::Column::Id.is_in(subscriptions.iter().copied()))
        }
    };
    wanted
        .select_only()
        .column(subscription::Column::Id)
        .order_by_asc(subscription::Column::Id)
        .into_tuple()
        .all(transaction)
        .await
}
