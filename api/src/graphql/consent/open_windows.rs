//! The consent windows of a tenant in which something can be begun.

use chrono::TimeDelta;
use entity::consent;
use sea_orm::{DatabaseTransaction, DbErr, QuerySelect, Select};
use uuid::Uuid;

use crate::graphql::scope::Scope;

/// How many windows are looked at.
const MOST: u64 = 10;

/// The consents of the tenant whose windows have more than `needed` left, the one that stays open longest first.
pub async fn open_windows(
    scope: Scope<'_>,
    tenant_id: Uuid,
    needed: TimeDelta,
) -> Result<Vec<consent::Model>, DbErr> {
    let open = granted(scope, tenant_id).all(scope.database()).await?;
    Ok(with_room(scope, open, needed))
}

/// The same. None of these is closed until the transaction ends, and then there is something to do in it.
pub async fn keep_windows_open(
    scope: Scope<'_>,
    tenant_id: Uuid,
    needed: TimeDelta,
    transaction: &DatabaseTransaction,
) -> Result<Vec<consent::Model>, DbErr> {
    let open = granted(scope, tenant_id).lock_exclusive().all(transaction).await?;
    Ok(with_room(scope, open, needed))
}

fn granted(scope: Scope<'_>, tenant_id: Uuid) -> Select<consent::Entity> {
    let now = scope.services.clock.now();
    consent::Entity::open_for(scope.viewer.organization_id, tenant_id, now).limit(MOST)
}

fn with_room(scope: Scope<'_>, mut open: Vec<consent::Model>, needed: TimeDelta) -> Vec<consent::Model> {
    let now = scope.services.clock.now();
    open.retain(|consent| consent.remaining(now) > needed);
    open
}
