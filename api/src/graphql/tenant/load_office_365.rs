//! The mutation `loadOffice365`: reads what Office 365 tells of a tenant, now and not only once a day.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::Work;
use entity::audit_event::{Action, ObjectKind, Record};
use entity::office::connection;
use entity::operation::{self, Kind, State};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QueryOrder};
use serde_json::json;
use uuid::Uuid;

use super::{Tenant, lock_connected};
use crate::graphql::operation::{Operation, announce};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which tenant to load.
#[derive(InputObject)]
#[graphql(name = "LoadOffice365Input")]
pub struct LoadOffice365Input {
    /// The tenant.
    tenant_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The load that was started, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "LoadOffice365Payload")]
pub struct LoadOffice365Payload {
    /// The load; the one under way, if there was one.
    operation: Option<Operation>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct LoadOffice365;

#[Object(name = "LoadOffice365Mutation")]
impl LoadOffice365 {
    /// Reads users, groups and reports of a tenant that is connected to Office 365, as far as its permissions go.
    /// Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`.
    #[graphql(name = "loadOffice365")]
    async fn load_office_365(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant.")] input: LoadOffice365Input,
    ) -> Option<LoadOffice365Payload> {
        let outcome = load(ctx, &input.tenant_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(LoadOffice365Payload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn load(ctx: &Context<'_>, tenant_id: &ID) -> Outcome<operation::Model> {
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
        let message =
            "The tenant is not connected to Office 365. Start a consent of the kind OFFICE_365 for it first.";
        Ok(Err(UserError::new(UserErrorCode::NotConnected, "tenantId", message)))
    };
    if !is_office_connected(scope, tenant_id, &transaction).await? {
        return nothing();
    }
    let request = scope.operation(tenant_id, None, Work::LoadOffice);
    let stored = worker::operations::store(&transaction, request, scope.services.clock.now()).await?;
    let Some(operation) = stored else { return nothing() };
    let record = Record::of(Action::OfficeLoadStarted, ObjectKind::Tenant, tenant_id).after(json!({
        "operation": Operation::KIND.id(operation.id),
    }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(operation.id = %operation.id, tenant.id = %tenant_id, "load asked for");
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
        .filter(operation::Column::Kind.eq(Kind::LoadOffice))
        .filter(operation::Column::State.is_in([State::Queued, State::Running]))
        .order_by_desc(operation::Column::CreatedAt)
        .one(transaction)
        .await
}

async fn is_office_connected(
    scope: Scope<'_>,
    tenant_id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<bool, DbErr> {
    let connected = scope.owned::<connection::Entity>().filter(connection::Column::TenantId.eq(tenant_id));
    Ok(connected.one(transaction).await?.is_some())
}
