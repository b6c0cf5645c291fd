//! Stores an operation with the steps that are known before it begins.

use chrono::{DateTime, Utc};
use entity::role_assignment::{self, Origin};
use entity::subscription::{self, AccessLevel};
use entity::{Owned, Work, operation, operation_step};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

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
    let Some(queued) = request.queued(now) else { return Ok(None) };
    let operation = queued.insert(transaction).await?;
    for chunk in subscriptions.chunks(CHUNK) {
        let steps = chunk.iter().map(|id| operation_step::first(&operation, *id, now));
        operation_step::Entity::insert_many(steps).exec_without_returning(transaction).await?;
    }
    Ok(Some(operation))
}

/// The subscriptions that it is about, as far as they are known.
async fn subscriptions(
    transaction: &DatabaseTransaction,
    request: &operation::Request,
) -> Result<Vec<Uuid>, DbErr> {
    let of_tenant = subscription::Entity::owned_by(request.organization_id)
        .filter(subscription::Column::TenantId.eq(request.tenant_id));
    let wanted = match &request.work {
        // An onboarding looks for them itself.
        Work::Onboard { .. } | Work::Hold => return Ok(Vec::new()),
        Work::Scan => of_tenant.filter(subscription::Column::AccessLevel.ne(AccessLevel::None)),
        Work::ChangeAccess { subscriptions, .. } => {
            of_tenant.filter(subscription::Column::Id.is_in(subscriptions.iter().copied()))
        }
        Work::Disconnect { .. } => {
            of_tenant.filter(subscription::Column::Id.in_subquery(ours(request).into_query()))
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

/// Subscriptions at which a role assignment of ours stands.
fn ours(request: &operation::Request) -> Select<role_assignment::Entity> {
    role_assignment::Entity::owned_by(request.organization_id)
        .filter(role_assignment::Column::Origin.eq(Origin::Ours))
        .select_only()
        .column(role_assignment::Column::SubscriptionId)
}
