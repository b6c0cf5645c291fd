//! The mutation `disconnectTenant`: removes what Tenantry created in a tenant, and stops everything about it.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::operation::{self, Kind, State};
use entity::{Work, consent, role_assignment, tenant};
use sea_orm::{
    ActiveEnum, ColumnTrait, DatabaseTransaction, DbErr, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;
use uuid::Uuid;
use worker::window::CHANGE;

use super::Tenant;
use super::plan_disconnect::DisconnectPlan;
use crate::consent::ask;
use crate::graphql::consent::keep_windows_open;
use crate::graphql::operation::{Operation, announce};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// What becomes of the data of a tenant that is disconnected.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "DisconnectedData")]
pub enum DisconnectedData {
    /// Subscriptions, resources, tags and what was read of Office 365 stay as they are.
    Keep,
    /// Subscriptions, resources, tags, role assignments and what was read of Office 365 are deleted, and the steps of
    /// operations with the subscription that they are about; operations, consents, receipts and the audit stay. What Tenantry created in Azure and could not remove is remembered until it is removed.
    Delete,
}

/// Which tenant to disconnect, and how.
#[derive(InputObject)]
#[graphql(name = "DisconnectTenantInput")]
pub struct DisconnectTenantInput {
    /// The tenant.
    tenant_id: ID,
    /// What becomes of its data.
    data: DisconnectedData,
    /// Disconnect also if no consent window is open: at once, and what Tenantry created in Azure is left to be removed
    /// by hand, as the plan says.
    #[graphql(default)]
    without_window: bool,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The disconnection that was begun or is done, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "DisconnectTenantPayload")]
pub struct DisconnectTenantPayload {
    /// The tenant as it stands now.
    tenant: Option<Tenant>,
    /// What removes the role assignments; null if the tenant is disconnected already, since there was nothing to
    /// remove or no consent window to do it in.
    operation: Option<Operation>,
    /// What is removed and what people have to do themselves, as it stands now.
    plan: Option<DisconnectPlan>,
    /// Why the tenant is not disconnected.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct DisconnectTenant;

#[Object(name = "DisconnectTenantMutation")]
impl DisconnectTenant {
    /// Disconnects a tenant: every operation of it is stopped, the role assignments that Tenantry created are removed
    /// in the open consent window, and nothing is done about it any more. What cannot be removed does not keep it
    /// connected: the steps say why, and `planDisconnect` how to remove it by hand. Ask for `planDisconnect` first.
    /// Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`, `CONSENT_REQUIRED`, `ALREADY_DISCONNECTED`.
    async fn disconnect_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant, and how.")] input: DisconnectTenantInput,
    ) -> Option<DisconnectTenantPayload> {
        let outcome = disconnect(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (begun, user_errors) = halves(outcome);
                let (tenant, operation) = begun.map(|begun| (begun.tenant, begun.operation)).unzip();
                Some(DisconnectTenantPayload {
                    plan: tenant.clone().map(DisconnectPlan::of),
                    tenant: tenant.and_then(object),
                    operation: operation.flatten().and_then(object),
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

/// A disconnection that was begun.
struct Begun {
    tenant: tenant::Model,
    /// None: it is done.
    operation: Option<operation::Model>,
    /// What was asked to stop.
    stopped: Vec<operation::Model>,
}

/// Why none was begun.
enum Refusal {
    NotFound,
    AlreadyDisconnected,
    /// Of the tenant that Microsoft knows by this id.
    NeedsConsent(Uuid),
}

async fn disconnect(ctx: &Context<'_>, input: &DisconnectTenantInput) -> Outcome<Begun> {
    let scope = Scope::of(ctx, Permission::DisconnectTenants)?;
    let id = Tenant::KIND.row(&input.tenant_id)?;
    let request = Request { scope, id, delete_data: input.data == DisconnectedData::Delete };
    let begun = request.begin(input.without_window).await.map_err(|error| internal(&error))?;
    let refusal = match begun {
        Ok(begun) => {
            tracing::info!(tenant.id = %id, "disconnection asked for");
            ring(scope, &begun).await;
            return Ok(Ok(begun));
        }
        Err(refusal) => refusal,
    };
    Ok(Err(match refusal {
        Refusal::NotFound => {
            let message = "There is no such tenant in your organization.";
            UserError::new(UserErrorCode::NotFound, "tenantId", message)
        }
        Refusal::AlreadyDisconnected => {
            let message =
                "The tenant is disconnected already, and there is nothing left to do that was asked for.";
            UserError::new(UserErrorCode::AlreadyDisconnected, "tenantId", message)
        }
        Refusal::NeedsConsent(entra_tenant_id) => {
            request.ask_for_consent(entra_tenant_id).await.map_err(|error| internal(&error))?
        }
    }))
}

/// The rows are stored: should a bell be lost, the sweep rings it.
async fn ring(scope: Scope<'_>, begun: &Begun) {
    if let Some(operation) = &begun.operation {
        announce(scope, operation).await;
    }
    let rung = worker::disconnect::ring(&scope.services.queue, &begun.tenant, &begun.stopped).await;
    if let Err(error) = rung {
        tracing::warn!(tenant.id = %begun.tenant.id, %error, "the bell did not ring; the sweep will");
    }
}

/// What a member asks for.
struct Request<'a> {
    scope: Scope<'a>,
    id: Uuid,
    delete_data: bool,
}

impl Request<'_> {
    async fn begin(&self, without_window: bool) -> Result<Result<Begun, Refusal>, DbErr> {
        let transaction = self.scope.begin().await?;
        let found = self.scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(self.id));
        // Whoever begins something else in it waits here, and is refused then.
        let Some(tenant) = found.lock_exclusive().one(&transaction).await? else {
            return Ok(Err(Refusal::NotFound));
        };
        if let Some(operation) = self.under_way(&transaction).await? {
            return Ok(Ok(Begun { tenant, operation: Some(operation), stopped: Vec::new() }));
        }
        let organization_id = self.scope.viewer.organization_id;
        let ours = role_assignment::Entity::ours(organization_id, self.id).count(&transaction).await?;
        let is_first = tenant.state != tenant::State::Disconnected;
        let deletes_more = self.delete_data && tenant.deleting_since.is_none() && tenant.deleted_at.is_none();
        let windows = keep_windows_open(self.scope, self.id, CHANGE, &transaction).await?;
        match windows.into_iter().next() {
            Some(consent) if is_first || ours > 0 => self.begin_in(transaction, consent).await.map(Ok),
            None if is_first && ours > 0 && !without_window => {
                Ok(Err(Refusal::NeedsConsent(tenant.entra_tenant_id)))
            }
            _ if is_first || deletes_more => self.finish(transaction, tenant, ours).await.map(Ok),
            None if ours > 0 && !without_window => Ok(Err(Refusal::NeedsConsent(tenant.entra_tenant_id))),
            _ => Ok(Err(Refusal::AlreadyDisconnected)),
        }
    }

    /// The disconnection under way, if there is one.
    async fn under_way(&self, transaction: &DatabaseTransaction) -> Result<Option<operation::Model>, DbErr> {
        self.scope
            .owned::<operation::Entity>()
            .filter(operation::Column::TenantId.eq(self.id))
            .filter(operation::Column::Kind.eq(Kind::DisconnectTenant))
            .filter(operation::Column::State.is_in([State::Queued, State::Running]))
            .order_by_desc(operation::Column::CreatedAt)
            .one(transaction)
            .await
    }

    async fn begin_in(
        &self,
        transaction: DatabaseTransaction,
        consent: consent::Model,
    ) -> Result<Begun, DbErr> {
        let request = self.scope.operation(self.id, Some(consent.id), self.work());
        let now = self.scope.services.clock.now();
        let stopped = self.others(&transaction).await?;
        let operation = worker::operations::store(&transaction, request, now).await?;
        let operation = operation.ok_or_else(|| DbErr::RecordNotInserted)?;
        let found = self.scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(self.id));
        let tenant = found.one(&transaction).await?.ok_or_else(|| DbErr::RecordNotUpdated)?;
        let record = Record::of(Action::DisconnectStarted, ObjectKind::Tenant, self.id).after(json!({
            "state": tenant.state.to_value(),
            "operation": Operation::KIND.id(operation.id),
            "consent": format!("consent:{}", consent.id),
            "deletesData": self.delete_data,
        }));
        self.scope.audit(&transaction, record).await?;
        transaction.commit().await?;
        Ok(Begun { tenant, operation: Some(operation), stopped })
    }

    /// Disconnects the tenant now.
    async fn finish(
        &self,
        transaction: DatabaseTransaction,
        tenant: tenant::Model,
        left: u64,
    ) -> Result<Begun, DbErr> {
        let stopped = self.others(&transaction).await?;
        let now = self.scope.services.clock.now();
        let disconnected = worker::disconnect::at_once(&transaction, &tenant, self.delete_data, now).await?;
        let record = Record::of(Action::TenantDisconnected, ObjectKind::Tenant, tenant.id)
            .before(json!({ "state": tenant.state.to_value() }))
            .after(json!({
                "state": disconnected.state.to_value(),
                "roleAssignmentsLeft": left,
                "deletesData": self.delete_data,
            }));
        self.scope.audit(&transaction, record).await?;
        transaction.commit().await?;
        Ok(Begun { tenant: disconnected, operation: None, stopped })
    }

    async fn others(&self, transaction: &DatabaseTransaction) -> Result<Vec<operation::Model>, DbErr> {
        let organization_id = self.scope.viewer.organization_id;
        operation::Entity::under_way(organization_id, self.id).all(transaction).await
    }

    fn work(&self) -> Work {
        Work::Disconnect { delete_data: self.delete_data }
    }

    async fn ask_for_consent(&self, entra_tenant_id: Uuid) -> Result<UserError, DbErr> {
        let asking = self.scope.asking(entra_tenant_id, self.work());
        let (_, url) = ask(self.scope.services, asking).await?;
        let message = "Removing role assignments takes a consent window, and none is open. Ask an owner of the \
             subscriptions to consent at consentUrl within ten minutes: the tenant is disconnected then. Or \
             disconnect withoutWindow, and remove by hand what the plan says.";
        Ok(UserError::needs_consent("tenantId", message, url.into()))
    }
}
