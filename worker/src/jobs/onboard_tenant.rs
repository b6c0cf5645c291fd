//! Finds every subscription that the consenting user can see, and has a role assigned at each.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use entity::operation_step::{Outcome, State};
use entity::role_assignment::{self, Origin};
use entity::subscription::{AccessLevel, AzureState};
use entity::{Owned, Work, operation, operation_step, subscription, tenant};
use microsoft::{Audience, Caller, Freshness, MicrosoftError, SubscriptionState};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Set, Unchanged,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{access, failures, operations, plan, window};

/// How long after a consent Entra ID may still deny knowing our service principal.
const REPLICATION: TimeDelta = TimeDelta::minutes(5);

/// Rows a statement stores at once.
const CHUNK: usize = 500;

/// Takes an onboarding from wherever its rows say it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OnboardTenant {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
}

impl Job for OnboardTenant {
    const NAME: &'static str = "onboard-tenant";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 20;
    type Context = Context;

    fn key(&self) -> String {
        self.operation_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        if !operation.discovered && !discover(context, &operation).await? {
            return Ok(());
        }
        operations::resume(context, &operation).await
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        operations::give_up(context, self.organization_id, self.operation_id, why).await
    }
}

/// Stores the subscriptions and a step for each. False: the operation has ended instead.
async fn discover(context: &Context, operation: &operation::Model) -> Result<bool, JobError> {
    let opened = window::open(context, operation.organization_id, operation.consent_id).await?;
    let Some(window::Open { user, .. }) = opened else {
        operations::end_with(context, operation, failures::window_closed()).await?;
        return Ok(false);
    };
    let Caller::Delegated { tenant: entra_tenant_id, .. } = &user else {
        return Err(JobError::Fail(anyhow::anyhow!("a consent window opens with a delegated token")));
    };
    match discover_as(context, operation, &user, *entra_tenant_id).await {
        Err(JobError::Fail(error)) => {
            if let Some(because) = error.downcast_ref().and_then(window::closed_by) {
                let (organization_id, consent_id) = (operation.organization_id, operation.consent_id);
                window::close_by_id(context, organization_id, consent_id, because).await?;
            }
            Err(JobError::Fail(error))
        }
        discovered => discovered,
    }
}

async fn discover_as(
    context: &Context,
    operation: &operation::Model,
    user: &Caller,
    entra_tenant_id: Uuid,
) -> Result<bool, JobError> {
    let principal_id = service_principal(context, operation, entra_tenant_id).await?;
    describe_tenant(context, operation, entra_tenant_id, principal_id, user).await?;
    let found = context.microsoft.arm().subscriptions(user).await?;
    let found: Vec<_> = found.into_iter().filter(|found| found.tenant_id == entra_tenant_id).collect();
    if found.is_empty() {
        operations::end_with(context, operation, failures::no_subscriptions()).await?;
        return Ok(false);
    }
    tracing::info!(operation.id = %operation.id, subscription.count = found.len(), "found subscriptions");
    let found = only_asked_for(context, operation, found).await?;
    store_subscriptions(context, operation, &found).await?;
    let granted = granted(context, operation, entra_tenant_id).await?;
    store_steps(context, operation, &found, &granted).await?;
    store_invisible(context, operation, &found).await?;
    plan::foretell(context, operation, Some(user)).await?;
    let discovered =
        operation::ActiveModel { id: Unchanged(operation.id), discovered: Set(true), ..Default::default() };
    discovered.update(&context.database).await?;
    Ok(true)
}

/// Who consents for some subscriptions shows the organization no others.
async fn only_asked_for(
    context: &Context,
    operation: &operation::Model,
    mut found: Vec<microsoft::Subscription>,
) -> Result<Vec<microsoft::Subscription>, JobError> {
    let asked = asked_for(operation);
    if asked.is_empty() {
        return Ok(found);
    }
    let mut azure_ids = HashSet::new();
    for chunk in asked.chunks(CHUNK) {
        let stored = subscription::Entity::owned_by(operation.organization_id)
            .filter(subscription::Column::TenantId.eq(operation.tenant_id))
            .filter(subscription::Column::Id.is_in(chunk.iter().copied()))
            .all(&context.database)
            .await?;
        azure_ids.extend(stored.into_iter().map(|stored| stored.azure_subscription_id));
    }
    found.retain(|found| azure_ids.contains(&found.subscription_id));
    Ok(found)
}

/// The object id of our service principal, which right after the consent Entra ID may not know yet.
async fn service_principal(
    context: &Context,
    operation: &operation::Model,
    entra_tenant_id: Uuid,
) -> Result<Uuid, JobError> {
    let token = context.microsoft.login().app_token(entra_tenant_id, Audience::Arm, Freshness::Fresh).await;
    match token {
        Ok(token) => Ok(token.principal_id),
        Err(MicrosoftError::ConsentWithdrawn { .. })
            if context.clock.now() - operation.created_at < REPLICATION =>
        {
            Err(JobError::RetryAfter(Duration::from_secs(2)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Its name and domain are good to have; a user who may not read them is no reason to stop.
async fn describe_tenant(
    context: &Context,
    operation: &operation::Model,
    entra_tenant_id: Uuid,
    principal_id: Uuid,
    user: &Caller,
) -> Result<(), JobError> {
    let mut described = tenant::ActiveModel {
        id: Unchanged(operation.tenant_id),
        principal_id: Set(Some(principal_id)),
        updated_at: Set(context.clock.now()),
        ..Default::default()
    };
    match context.microsoft.arm().tenants(user).await {
        Ok(tenants) => {
            if let Some(found) = tenants.into_iter().find(|found| found.tenant_id == entra_tenant_id) {
                described.display_name = Set(found.display_name);
                described.default_domain = Set(found.default_domain);
            }
        }
        // The token is refused everywhere: nothing more is tried with it.
        Err(error) if window::closed_by(&error).is_some() => return Err(error.into()),
        Err(error) => tracing::warn!(tenant.id = %operation.tenant_id, %error, "tenant not described"),
    }
    described.update(&context.database).await?;
    Ok(())
}

async fn store_subscriptions(
    context: &Context,
    operation: &operation::Model,
    found: &[microsoft::Subscription],
) -> Result<(), JobError> {
    let now = context.clock.now();
    let rows = found.iter().map(|found| subscription::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(operation.organization_id),
        tenant_id: Set(operation.tenant_id),
        azure_subscription_id: Set(found.subscription_id),
        display_name: Set(found.display_name.clone()),
        azure_state: Set(azure_state(&found.state)),
        access_level: Set(AccessLevel::None),
        changing_step_id: Set(None),
        resource_count: Set(0),
        scanned_at: Set(None),
        stale: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let rows: Vec<_> = rows.collect();
    for chunk in rows.chunks(CHUNK) {
        let known =
            OnConflict::columns([subscription::Column::TenantId, subscription::Column::AzureSubscriptionId])
                .update_columns([
                    subscription::Column::DisplayName,
                    subscription::Column::AzureState,
                    subscription::Column::UpdatedAt,
                ])
                .to_owned();
        subscription::Entity::insert_many(chunk.to_vec())
            .on_conflict(known)
            .exec_without_returning(&context.database)
            .await?;
    }
    Ok(())
}

/// Subscriptions that are ours to read already: a new consent does not touch what is granted, and is needed only
/// where that was lost.
async fn granted(
    context: &Context,
    operation: &operation::Model,
    entra_tenant_id: Uuid,
) -> Result<HashMap<Uuid, Outcome>, JobError> {
    let stored = subscription::Entity::owned_by(operation.organization_id)
        .filter(subscription::Column::TenantId.eq(operation.tenant_id))
        .filter(subscription::Column::AccessLevel.ne(AccessLevel::None))
        .all(&context.database)
        .await?;
    if stored.is_empty() {
        return Ok(HashMap::new());
    }
    let visible = access::visible(context, entra_tenant_id).await?;
    let held_there = held_there(context, operation).await?;
    let seen = stored.into_iter().filter(|stored| visible.contains(&stored.azure_subscription_id));
    let outcome = |id| if held_there.contains(&id) { Outcome::AlreadyGranted } else { Outcome::Inherited };
    Ok(seen.map(|stored| (stored.id, outcome(stored.id))).collect())
}

/// Subscriptions at which a role stands itself, and not only above.
async fn held_there(context: &Context, operation: &operation::Model) -> Result<HashSet<Uuid>, JobError> {
    let of_tenant = subscription::Entity::owned_by(operation.organization_id)
        .filter(subscription::Column::TenantId.eq(operation.tenant_id))
        .select_only()
        .column(subscription::Column::Id);
    let held = role_assignment::Entity::owned_by(operation.organization_id)
        .filter(role_assignment::Column::Origin.ne(Origin::Inherited))
        .filter(role_assignment::Column::SubscriptionId.in_subquery(of_tenant.into_query()))
        .all(&context.database)
        .await?;
    Ok(held.into_iter().map(|held| held.subscription_id).collect())
}

async fn store_steps(
    context: &Context,
    operation: &operation::Model,
    found: &[microsoft::Subscription],
    granted: &HashMap<Uuid, Outcome>,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let asked = asked_for(operation);
    let mut rows = Vec::with_capacity(found.len());
    for chunk in found.chunks(CHUNK) {
        let stored = subscription::Entity::owned_by(operation.organization_id)
            .filter(subscription::Column::TenantId.eq(operation.tenant_id))
            .filter(
                subscription::Column::AzureSubscriptionId
                    .is_in(chunk.iter().map(|found| found.subscription_id)),
            )
            .all(&context.database)
            .await?;
        let wanted = stored.into_iter().filter(|stored| asked.is_empty() || asked.contains(&stored.id));
        rows.extend(wanted.map(|stored| {
            let mut step = operation_step::first(operation, stored.id, now);
            if let Some(outcome) = granted.get(&stored.id) {
                step.state = Set(State::Scanning);
                step.outcome = Set(Some(*outcome));
            }
            step
        }));
    }
    insert_steps(context, rows).await
}

/// The subscriptions that were asked for; none: whatever is found.
fn asked_for(operation: &operation::Model) -> Vec<Uuid> {
    match operation.work() {
        Work::Onboard { subscriptions } => subscriptions,
        _ => Vec::new(),
    }
}

/// What was asked for and is not seen by the consenting user ends at once, and says so.
async fn store_invisible(
    context: &Context,
    operation: &operation::Model,
    found: &[microsoft::Subscription],
) -> Result<(), JobError> {
    let asked = asked_for(operation);
    if asked.is_empty() {
        return Ok(());
    }
    let found: HashSet<_> = found.iter().map(|found| found.subscription_id).collect();
    let stored = subscription::Entity::owned_by(operation.organization_id)
        .filter(subscription::Column::TenantId.eq(operation.tenant_id))
        .filter(subscription::Column::Id.is_in(asked))
        .all(&context.database)
        .await?;
    let now = context.clock.now();
    let hidden = stored.into_iter().filter(|stored| !found.contains(&stored.azure_subscription_id));
    let rows = hidden.map(|hidden| operation_step::ActiveModel {
        state: Set(State::Done),
        outcome: Set(Some(Outcome::NotPermitted)),
        failure: Set(Some(failures::not_visible())),
        ..operation_step::first(operation, hidden.id, now)
    });
    insert_steps(context, rows.collect()).await
}

async fn insert_steps(context: &Context, rows: Vec<operation_step::ActiveModel>) -> Result<(), JobError> {
    for chunk in rows.chunks(CHUNK) {
        let known = OnConflict::columns([
            operation_step::Column::OperationId,
            operation_step::Column::SubscriptionId,
        ])
        .do_nothing()
        .to_owned();
        operation_step::Entity::insert_many(chunk.to_vec())
            .on_conflict(known)
            .exec_without_returning(&context.database)
            .await?;
    }
    Ok(())
}

/// How Azure's state of a subscription is stored.
pub(crate) fn azure_state(state: &SubscriptionState) -> AzureState {
    match state {
        SubscriptionState::Enabled => AzureState::Enabled,
        SubscriptionState::Warned => AzureState::Warned,
        SubscriptionState::PastDue => AzureState::PastDue,
        SubscriptionState::Disabled => AzureState::Disabled,
        SubscriptionState::Deleted => AzureState::Deleted,
        SubscriptionState::Other(_) => AzureState::Unknown,
    }
}
