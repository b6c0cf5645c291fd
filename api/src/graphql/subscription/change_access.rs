//! The mutation `changeAccess`: lets subscriptions have another access level.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::subscription::{self, AccessLevel as Level};
use entity::{Owned, Work, operation, operation_step, role_assignment, tenant};
use sea_orm::{ActiveEnum, ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;
use worker::access::{SWAP, roles_of};

use super::{AccessLevel, AzureSubscription};
use crate::consent::ask;
use crate::graphql::consent::keep_windows_open;
use crate::graphql::operation::{Operation, announce};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::tenant::not_connected;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// The most subscriptions that are changed at once.
const MOST: usize = 5_000;

/// Which subscriptions, and to which level.
#[derive(InputObject)]
#[graphql(name = "ChangeAccessInput")]
pub struct ChangeAccessInput {
    /// The subscriptions, all of one tenant; at most 5000.
    subscription_ids: Vec<ID>,
    /// The level that each of them is to have.
    level: AccessLevel,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The change that was started, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "ChangeAccessPayload")]
pub struct ChangeAccessPayload {
    /// The change. Each of its steps ends with an outcome.
    operation: Option<Operation>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ChangeAccess;

#[Object(name = "ChangeAccessMutation")]
impl ChangeAccess {
    /// Lets subscriptions have another access level. Where that takes other roles, they are swapped as the consenting
    /// user: the new one is added, seen to work, and only then the old one removed; what fails is taken back. Only
    /// roles that Tenantry assigned are ever removed. Without an open consent window `userErrors` says where to
    /// consent; the change begins by itself then. Needs the role `EDITOR`, or the scope `consents:write`.
    /// `userErrors`: `NOT_FOUND`, `INVALID_SELECTION`, `INVALID_LEVEL`, `DIFFERENT_TENANTS`, `NOT_CONNECTED`,
    /// `CONSENT_REQUIRED`.
    async fn change_access(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which subscriptions, and to which level.")] input: ChangeAccessInput,
    ) -> Option<ChangeAccessPayload> {
        let outcome = change(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(ChangeAccessPayload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn change(ctx: &Context<'_>, input: &ChangeAccessInput) -> Outcome<operation::Model> {
    let scope = Scope::of(ctx, Permission::ChangeAccess)?;
    let level = Level::from(input.level);
    if level == Level::None {
        let message =
            "Choose a level at which something can be read. `disconnectTenant` takes every role away.";
        return Ok(Err(UserError::new(UserErrorCode::InvalidLevel, "level", message)));
    }
    if !(1..=MOST).contains(&input.subscription_ids.len()) {
        let message = format!("Name at least one subscription, and at most {MOST} at once.");
        return Ok(Err(UserError::new(UserErrorCode::InvalidSelection, "subscriptionIds", message)));
    }
    let mut ids = AzureSubscription::KIND.rows(&input.subscription_ids)?;
    ids.sort_unstable();
    ids.dedup();
    let begun = begin(scope, &ids, level).await.map_err(|error| internal(&error))?;
    if let Ok(operation) = &begun {
        tracing::info!(operation.id = %operation.id, tenant.id = %operation.tenant_id, "access change asked for");
        announce(scope, operation).await;
    }
    Ok(begun)
}

async fn begin(
    scope: Scope<'_>,
    ids: &[Uuid],
    level: Level,
) -> Result<Result<operation::Model, UserError>, DbErr> {
    let named = match named(scope, ids).await? {
        Ok(named) => named,
        Err(error) => return Ok(Err(error)),
    };
    let work = Work::ChangeAccess { subscriptions: ids.to_vec(), level };
    let transaction = scope.begin().await?;
    // Whoever asks at the same time waits here, and then finds the change that we began.
    let tenant = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(named.tenant_id));
    let tenant = tenant.lock_exclusive().one(&transaction).await?;
    if let Some(error) = tenant.and_then(|tenant| not_connected(&tenant, "subscriptionIds")) {
        return Ok(Err(error));
    }
    if let Some(same) = under_way(scope, named.tenant_id, &work, &transaction).await? {
        return Ok(Ok(same));
    }
    let windows = keep_windows_open(scope, named.tenant_id, SWAP, &transaction).await?;
    let window = windows.into_iter().next();
    let swaps_roles = named.swaps_roles(level)
        || are_changing(ids, &transaction).await?
        || has_spare_roles(scope, ids, level, &transaction).await?;
    if swaps_roles && window.is_none() {
        transaction.rollback().await?;
        return consent_needed(scope, named.tenant_id, work).await.map(Err);
    }
    let request = scope.operation(named.tenant_id, window.map(|consent| consent.id), work);
    let stored = worker::operations::store(&transaction, request, scope.services.clock.now()).await?;
    let operation = stored.ok_or_else(|| DbErr::RecordNotInserted)?;
    let record = Record::of(Action::AccessChangeStarted, ObjectKind::Tenant, named.tenant_id).after(json!({
        "operation": Operation::KIND.id(operation.id),
        "accessLevel": level.to_value(),
        "subscriptions": ids.iter().map(|id| AzureSubscription::KIND.id(*id)).collect::<Vec<_>>(),
    }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Ok(operation))
}

/// The same change, if it has not ended yet.
async fn under_way(
    scope: Scope<'_>,
    tenant_id: Uuid,
    work: &Work,
    transaction: &DatabaseTransaction,
) -> Result<Option<operation::Model>, DbErr> {
    let changes = scope
        .owned::<operation::Entity>()
        .filter(operation::Column::TenantId.eq(tenant_id))
        .filter(operation::Column::Kind.eq(operation::Kind::ChangeAccess))
        .filter(operation::Column::State.is_in([operation::State::Queued, operation::State::Running]))
        .order_by_desc(operation::Column::CreatedAt)
        .all(transaction)
        .await?;
    Ok(changes.into_iter().find(|change| change.work.as_ref() == Some(work)))
}

/// Whether roles of any of these are being changed: nobody knows yet what they will hold.
async fn are_changing(ids: &[Uuid], transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    for chunk in ids.chunks(500) {
        let changing = operation_step::Entity::changing()
            .filter(operation_step::Column::SubscriptionId.is_in(chunk.iter().copied()));
        if changing.one(transaction).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a role that we assigned at any of these is none of those that `level` may hold: a window closed before it was
/// taken away.
async fn has_spare_roles(
    scope: Scope<'_>,
    ids: &[Uuid],
    level: Level,
    transaction: &DatabaseTransaction,
) -> Result<bool, DbErr> {
    let needed = roles_of(level, true).iter().map(|role| role.definition_id());
    let spare = role_assignment::Entity::owned_by(scope.viewer.organization_id)
        .filter(role_assignment::Column::Origin.eq(role_assignment::Origin::Ours))
        .filter(role_assignment::Column::RoleDefinitionId.is_not_in(needed));
    for chunk in ids.chunks(500) {
        let at = role_assignment::Column::SubscriptionId.is_in(chunk.iter().copied());
        if spare.clone().filter(at).one(transaction).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What was named.
struct Named {
    tenant_id: Uuid,
    levels: Vec<Level>,
}

impl Named {
    /// Whether any of the subscriptions holds other roles at `level` than now.
    fn swaps_roles(&self, level: Level) -> bool {
        let reads = [Level::ResourcesOnly, Level::ReadTags];
        !reads.contains(&level) || self.levels.iter().any(|held| !reads.contains(held))
    }
}

async fn named(scope: Scope<'_>, ids: &[Uuid]) -> Result<Result<Named, UserError>, DbErr> {
    let field = "subscriptionIds";
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(500) {
        let rows = scope.owned::<subscription::Entity>();
        let rows = rows.filter(subscription::Column::Id.is_in(chunk.iter().copied()));
        found.extend(rows.all(scope.database()).await?);
    }
    if found.len() < ids.len() {
        let message = "Not all of these subscriptions are in your organization.";
        return Ok(Err(UserError::new(UserErrorCode::NotFound, field, message)));
    }
    let tenant_id = found[0].tenant_id;
    if found.iter().any(|subscription| subscription.tenant_id != tenant_id) {
        let message = "These subscriptions are of different tenants. Change each tenant's on their own.";
        return Ok(Err(UserError::new(UserErrorCode::DifferentTenants, field, message)));
    }
    let levels = found.iter().map(|subscription| subscription.access_level).collect();
    Ok(Ok(Named { tenant_id, levels }))
}

/// Asks for the consent that the change needs; the change begins once it is granted.
async fn consent_needed(scope: Scope<'_>, tenant_id: Uuid, work: Work) -> Result<UserError, DbErr> {
    let tenant = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(tenant_id));
    let tenant = tenant.one(scope.database()).await?;
    let tenant = tenant.ok_or_else(|| DbErr::RecordNotFound("the tenant of a subscription".to_owned()))?;
    let (_, url) = ask(scope.services, scope.asking(tenant.entra_tenant_id, work)).await?;
    let message = "Roles are changed as a user who may assign them, and no consent window is open for that. Let an \
                   owner of the subscriptions consent at `consentUrl`; the change then begins by itself.";
    Ok(UserError::needs_consent("subscriptionIds", message, url.into()))
}
