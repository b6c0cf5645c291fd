//! Begins work in a tenant that needs no consent.

use async_graphql::{Context, ID};
use entity::Work;
use entity::audit_event::{Action, ObjectKind, Record};
use entity::operation::{self, Kind, State};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, Select};
use serde_json::json;
use uuid::Uuid;

use super::{Tenant, lock_connected};
use crate::graphql::operation::{Operation, announce};
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::Identified;
use crate::graphql::user_error::{Outcome, UserError};
use crate::permission::Permission;

/// What is to be begun.
pub struct Wish<E: EntityTrait> {
    /// What is done.
    pub work: Work,
    /// What the audit calls it.
    pub action: Action,
    /// Of the rows that it needs, all; given the viewer's scope and the tenant.
    pub needs: fn(Scope<'_>, Uuid) -> Select<E>,
    /// What is said where there is none.
    pub without: fn() -> UserError,
}

/// Begins what is wished for in a tenant, for a viewer who may start scans; answers the operation, or the one under way.
pub async fn begin<E: EntityTrait>(
    ctx: &Context<'_>,
    tenant_id: &ID,
    wish: Wish<E>,
) -> Outcome<operation::Model> {
    let scope = Scope::of(ctx, Permission::ScanInventory)?;
    let tenant_id = Tenant::KIND.row(tenant_id)?;
    let begun = store(scope, tenant_id, wish).await.map_err(|error| internal(&error))?;
    if let Ok(operation) = &begun {
        announce(scope, operation).await;
    }
    Ok(begun)
}

async fn store<E: EntityTrait>(
    scope: Scope<'_>,
    tenant_id: Uuid,
    wish: Wish<E>,
) -> Result<Result<operation::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    if let Err(error) = lock_connected(scope, tenant_id, &transaction).await? {
        return Ok(Err(error));
    }
    if let Some(under_way) = under_way(scope, tenant_id, wish.work.operation(), &transaction).await? {
        return Ok(Ok(under_way));
    }
    if (wish.needs)(scope, tenant_id).one(&transaction).await?.is_none() {
        return Ok(Err((wish.without)()));
    }
    let request = scope.operation(tenant_id, None, wish.work);
    let stored = worker::operations::store(&transaction, request, scope.services.clock.now()).await?;
    let Some(operation) = stored else { return Ok(Err((wish.without)())) };
    let record = Record::of(wish.action, ObjectKind::Tenant, tenant_id).after(json!({
        "operation": Operation::KIND.id(operation.id),
    }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(operation.id = %operation.id, tenant.id = %tenant_id, "work in a tenant asked for");
    Ok(Ok(operation))
}

async fn under_way(
    scope: Scope<'_>,
    tenant_id: Uuid,
    kind: Option<Kind>,
    transaction: &DatabaseTransaction,
) -> Result<Option<operation::Model>, DbErr> {
    scope
        .owned::<operation::Entity>()
        .filter(operation::Column::TenantId.eq(tenant_id))
        .filter(operation::Column::Kind.eq(kind))
        .filter(operation::Column::State.is_in([State::Queued, State::Running]))
        .order_by_desc(operation::Column::CreatedAt)
        .one(transaction)
        .await
}
