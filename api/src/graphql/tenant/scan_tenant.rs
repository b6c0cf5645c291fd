//! The mutation `scanTenant`: takes inventory of what is already granted.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::Work;
use entity::audit_event::{Action, ObjectKind, Record};
use entity::operation::{self, Kind, State};
use entity::subscription::{self, AccessLevel};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QueryOrder};
use serde_json::json;
use uuid::Uuid;

use super::{Tenant, lock_connected};
use crate::graphql::operation::{Operation, announce};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which tenant to scan.
#[derive(InputObject)]
#[graphql(name = "ScanTenantInput")]
pub struct ScanTenantInput {
    /// The tenant.
    tenant_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The scan that was started, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "ScanTenantPayload")]
pub struct ScanTenantPayload {
    /// The scan; the one under way, if there was one.
    operation: Option<Operation>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ScanTenant;

#[Object(name = "ScanTenantMutation")]
impl ScanTenant {
    /// Takes inventory of every subscription of a tenant that can be read.
    /// Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`, `NOTHING_GRANTED`.
    async fn scan_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant.")] input: ScanTenantInput,
    ) -> Option<ScanTenantPayload> {
        let outcome = scan(ctx, &input.tenant_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(ScanTenantPayload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn scan(ctx: &Context<'_>, tenant_id: &ID) -> Outcome<operation::Model> {
    let scope = Scope::of(ctx, Permission::ScanInventory)?;
    let tenant_id = Tenant::KIND.row(tenant_id)?;
    let begun = begin(scope, tenant_id).await.map_err(|error| internal(&error))?;
    if let Ok(operation) = &begun {
        announce(scope, operation).await;
    }
    Ok(begun)
}

async fn begin(scope: Scope<'_>, tenant_id: Uuid) -> Result<Result<operation::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    if let Err(error) = lock_connected(scope, tenant_id, &transaction).await? {
        return Ok(Err(error));
    }
    if let Some(under_way) = under_way(scope, tenant_id, &transaction).await? {
        return Ok(Ok(under_way));
    }
    let nothing = || {
        let message = "No subscription of this tenant can be read yet. Start a consent for it first.";
        Ok(Err(UserError::new(UserErrorCode::NothingGranted, "tenantId", message)))
    };
    if !can_read_any(scope, tenant_id, &transaction).await? {
        return nothing();
    }
    let request = scope.operation(tenant_id, None, Work::Scan);
    let stored = worker::operations::store(&transaction, request, scope.services.clock.now()).await?;
    let Some(operation) = stored else { return nothing() };
    let record = Record::of(Action::ScanStarted, ObjectKind::Tenant, tenant_id).after(json!({
        "operation": Operation::KIND.id(operation.id),
    }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(operation.id = %operation.id, tenant.id = %tenant_id, "scan asked for");
    Ok(Ok(operation))
}

async fn under_way(
    scope: Scope<'_>,
    tenant_id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<Option<operation::Model>, DbErr> {
    scope
        .owned::<operation::Entity>()
        .filter(operation::Column::TenantId.eq(tenant_id))
        .filter(operation::Column::Kind.eq(Kind::ScanTenant))
        .filter(operation::Column::State.is_in([State::Queued, State::Running]))
        .order_by_desc(operation::Column::CreatedAt)
        .one(transaction)
        .await
}

async fn can_read_any(
    scope: Scope<'_>,
    tenant_id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<bool, DbErr> {
    let readable = scope
        .owned::<subscription::Entity>()
        .filter(subscription::Column::TenantId.eq(tenant_id))
        .filter(subscription::Column::AccessLevel.ne(AccessLevel::None));
    Ok(readable.one(transaction).await?.is_some())
}
