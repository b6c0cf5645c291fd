//! Stores what is wrong with a tenant, and says how it stands.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::health_reason;
use entity::subscription::{self, AccessLevel};
use entity::tenant::{self, State};
use entity::{Failure, Owned, operation, operation_step};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set,
    Unchanged,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::look::Sight;
use super::reasons::{ACCESS_LOST, LOST};
use super::{Finding, reasons};
use crate::context::Context;
use crate::job::JobError;
use crate::{audit, disconnect, failures, transaction};

/// Rows that a statement stores at once.
const CHUNK: usize = 500;

/// Subscriptions that an audit event names at most.
const NAMED: usize = 50;

/// What is known of a tenant, and what becomes of it.
struct Ledger<'a> {
    context: &'a Context,
    transaction: &'a DatabaseTransaction,
    tenant: tenant::Model,
    known: Vec<health_reason::Model>,
    now: DateTime<Utc>,
}

/// Stores what a look found. What changed in the meantime is left to the next one.
pub(crate) async fn store(context: &Context, tenant: &tenant::Model, sight: Sight) -> Result<(), JobError> {
    let transaction = transaction::begin(&context.database).await?;
    let Some(ledger) = Ledger::open(context, &transaction, tenant.organization_id, tenant.id).await? else {
        return Ok(());
    };
    if !ledger.tenant.state.is_checked() {
        return Ok(());
    }
    let current = current(&transaction, tenant).await?;
    let is_same = |id: &Uuid| {
        let before = sight.stored.get(id);
        let same = |now: &subscription::Model, before: &subscription::Model| {
            now.access_level == before.access_level && now.changing_step_id == before.changing_step_id
        };
        before.is_some_and(|before| current.get(id).is_some_and(|now| same(now, before)))
    };
    // Without an access level nothing can be lost.
    let has_access = |id: &Uuid| current.get(id).is_some_and(|now| now.access_level != AccessLevel::None);
    let is_learnt = |of: Option<Uuid>| match of {
        None => !sight.is_tenant_unknown,
        Some(id) => !has_access(&id) || (is_same(&id) && !sight.unknown.contains(&id)),
    };
    let found =
        sight.found.into_iter().filter(|finding| finding.subscription_id.is_none_or(|id| is_same(&id)));
    let failure = sight.missed.as_ref().map(failures::of_microsoft);
    let told = tenant::ActiveModel {
        checked_at: if failure.is_none() {
            Set(Some(ledger.now))
        } else {
            Unchanged(ledger.tenant.checked_at)
        },
        check_failure: Set(failure),
        ..Default::default()
    };
    for (id, seen) in &sight.seen {
        if let Some(now) = current.get(id) {
            describe(&transaction, now, seen, ledger.now).await?;
        }
    }
    let gone = |known: &health_reason::Model| {
        // A warning is found by the calendar, whatever Microsoft says.
        !known.degrades() || is_learnt(known.subscription_id)
    };
    ledger.replace(gone, found.collect(), told).await?;
    transaction.commit().await?;
    Ok(())
}

/// The check could say nothing: the reasons stay as they are.
pub(crate) async fn could_not_say(
    context: &Context,
    tenant: &tenant::Model,
    failure: Failure,
) -> Result<(), DbErr> {
    tenant::Entity::update_many()
        .set(tenant::ActiveModel { check_failure: Set(Some(failure)), ..Default::default() })
        .filter(tenant::Column::OrganizationId.eq(tenant.organization_id))
        .filter(tenant::Column::Id.eq(tenant.id))
        .exec(&context.database)
        .await?;
    Ok(())
}

/// What an operation that has ended says of the tenant's health. True: something was lost, and a check can say more.
pub(crate) async fn after_operation(
    context: &Context,
    operation: &operation::Model,
    steps: &[operation_step::Model],
    failure: Option<&Failure>,
) -> Result<bool, JobError> {
    let read: HashSet<_> =
        steps.iter().filter(|step| step.scanned).map(|step| step.subscription_id).collect();
    let lost: Vec<_> = steps.iter().filter(|step| is_lost(step)).map(|step| step.subscription_id).collect();
    let transaction = transaction::begin(&context.database).await?;
    let ledger = Ledger::open(context, &transaction, operation.organization_id, operation.tenant_id).await?;
    let Some(ledger) = ledger else { return Ok(false) };
    if ledger.tenant.state == State::Disconnected {
        // It was disconnected while this was going on.
        disconnect::take_levels(&transaction, &ledger.tenant, ledger.now).await?;
        transaction.commit().await?;
        return Ok(false);
    }
    let has_news = !read.is_empty() || !lost.is_empty() || ledger.tenant.state == State::Connecting;
    if !ledger.tenant.state.is_connected() || !has_news {
        return Ok(false);
    }
    let known_lost: HashSet<_> =
        ledger.known.iter().filter(|known| is_loss(known)).map(|known| known.subscription_id).collect();
    let mut found: Vec<_> = lost
        .iter()
        .filter(|id| !known_lost.contains(&Some(**id)))
        .map(|id| Finding::of_subscription(*id, failures::access_lost()))
        .collect();
    if read.is_empty() && lost.is_empty() {
        found.extend(failure.cloned().map(Finding::of_tenant));
    }
    let kind = operation.kind;
    let gone = |known: &health_reason::Model| match known.subscription_id {
        Some(id) => read.contains(&id) && is_loss(known),
        // What was read was read with a token of the service principal that is there now.
        None if known.failure.code == reasons::principal_recreated().code => {
            !read.is_empty() && kind == operation::Kind::OnboardTenant
        }
        None => known.degrades() && !read.is_empty(),
    };
    ledger.replace(gone, found, <tenant::ActiveModel as Default>::default()).await?;
    transaction.commit().await?;
    Ok(!lost.is_empty())
}

fn is_lost(step: &operation_step::Model) -> bool {
    step.failure.as_ref().is_some_and(|failure| failure.code == ACCESS_LOST)
}

fn is_loss(known: &health_reason::Model) -> bool {
    LOST.contains(&known.failure.code.as_str())
}

/// A tenant that was being disconnected is not any more: it stands as its reasons say.
pub(crate) async fn again(
    context: &Context,
    transaction: &DatabaseTransaction,
    tenant: &tenant::Model,
) -> Result<(), JobError> {
    if let Some(ledger) = Ledger::open(context, transaction, tenant.organization_id, tenant.id).await? {
        ledger.replace(|_| false, Vec::new(), <tenant::ActiveModel as Default>::default()).await?;
    }
    Ok(())
}

/// Nothing is wrong with a tenant that nobody works in any more.
pub(crate) async fn forget(transaction: &DatabaseTransaction, tenant: &tenant::Model) -> Result<(), DbErr> {
    health_reason::Entity::delete_many()
        .filter(health_reason::Column::OrganizationId.eq(tenant.organization_id))
        .filter(health_reason::Column::TenantId.eq(tenant.id))
        .exec(transaction)
        .await?;
    Ok(())
}

impl<'a> Ledger<'a> {
    /// What is known of the tenant, which nobody else can change until the transaction ends.
    async fn open(
        context: &'a Context,
        transaction: &'a DatabaseTransaction,
        organization_id: Uuid,
        tenant_id: Uuid,
    ) -> Result<Option<Self>, DbErr> {
        let Some(tenant) = disconnect::lock(transaction, organization_id, tenant_id).await? else {
            return Ok(None);
        };
        let known = health_reason::Entity::of_tenant(organization_id, tenant_id).all(transaction).await?;
        Ok(Some(Self { context, transaction, tenant, known, now: context.clock.now() }))
    }

    /// Puts what was found in the place of what is `gone`. What is found again stays as it is, with its `since`.
    async fn replace(
        self,
        gone: impl Fn(&health_reason::Model) -> bool,
        found: Vec<Finding>,
        mut told: tenant::ActiveModel,
    ) -> Result<(), JobError> {
        let again: HashSet<_> = found.iter().map(Finding::key).collect();
        let (left, kept): (Vec<_>, Vec<_>) =
            self.known.iter().partition(|known| gone(known) && !again.contains(&known.key()));
        let before: HashSet<_> = self.known.iter().map(health_reason::Model::key).collect();
        let new: Vec<_> = found
            .iter()
            .filter(|found| !before.contains(&found.key()))
            .map(|found| self.row(found, &left))
            .collect();
        let mut stand: Vec<_> = kept.into_iter().chain(&new).filter(|reason| reason.degrades()).collect();
        stand.sort_by_key(|reason| (reason.subscription_id.is_some(), reason.since, reason.id));
        let state = if stand.is_empty() { State::Connected } else { State::Degraded };
        let record = self.record(&stand, &new, state);
        self.delete(&left).await?;
        self.insert(&new).await?;
        told.id = Unchanged(self.tenant.id);
        told.state = Set(state);
        told.failure = Set(stand.first().map(|reason| reason.failure.clone()));
        told.degraded_since = Set(self.degraded_since(state));
        if state != self.tenant.state {
            told.updated_at = Set(self.now);
        }
        told.update(self.transaction).await?;
        let Some(record) = record else { return Ok(()) };
        tracing::info!(tenant.id = %self.tenant.id, ?state, reason.count = stand.len(), "health changed");
        let author = Author::unasked(self.tenant.organization_id, Actor::System);
        audit::append(self.transaction, &self.context.keyring, self.now, &author, record).await?;
        Ok(())
    }

    fn degraded_since(&self, state: State) -> Option<DateTime<Utc>> {
        (state == State::Degraded).then(|| self.tenant.degraded_since.unwrap_or(self.now))
    }

    fn row(&self, found: &Finding, left: &[&health_reason::Model]) -> health_reason::Model {
        // A scan that does not see a subscription cannot say why; what a check says later is the same loss.
        let unexplained = left
            .iter()
            .find(|left| left.subscription_id == found.subscription_id && left.failure.code == ACCESS_LOST);
        health_reason::Model {
            id: Uuid::now_v7(),
            organization_id: self.tenant.organization_id,
            tenant_id: self.tenant.id,
            subscription_id: found.subscription_id,
            severity: found.severity,
            failure: found.failure.clone(),
            since: unexplained.map_or(self.now, |left| left.since),
        }
    }

    /// What the audit is told, if the tenant is degraded by other things than before.
    fn record(
        &self,
        stand: &[&health_reason::Model],
        new: &[health_reason::Model],
        state: State,
    ) -> Option<Record> {
        let before: Vec<_> = self.known.iter().filter(|known| known.degrades()).collect();
        let keys = |reasons: &[&health_reason::Model]| {
            reasons
                .iter()
                .map(|reason| (reason.subscription_id, reason.failure.code.clone()))
                .collect::<BTreeSet<_>>()
        };
        if keys(&before) == keys(stand) {
            return None;
        }
        let action = if state == State::Degraded { Action::TenantDegraded } else { Action::TenantRecovered };
        let lost = new.iter().filter(|new| new.degrades()).filter_map(|new| new.subscription_id);
        let named: Vec<_> = lost.take(NAMED).map(|id| format!("subscription:{id}")).collect();
        let record = Record::of(action, ObjectKind::Tenant, self.tenant.id)
            .before(json!({ "state": self.tenant.state.to_value(), "reasons": counts(&before) }))
            .after(json!({ "state": state.to_value(), "reasons": counts(stand), "subscriptions": named }));
        Some(record)
    }

    async fn delete(&self, left: &[&health_reason::Model]) -> Result<(), DbErr> {
        for chunk in left.chunks(CHUNK) {
            health_reason::Entity::delete_many()
                .filter(health_reason::Column::OrganizationId.eq(self.tenant.organization_id))
                .filter(health_reason::Column::Id.is_in(chunk.iter().map(|left| left.id)))
                .exec(self.transaction)
                .await?;
        }
        Ok(())
    }

    async fn insert(&self, new: &[health_reason::Model]) -> Result<(), DbErr> {
        for chunk in new.chunks(CHUNK) {
            let rows = chunk.iter().cloned().map(|row| health_reason::ActiveModel::from(row).reset_all());
            health_reason::Entity::insert_many(rows).exec_without_returning(self.transaction).await?;
        }
        Ok(())
    }
}

/// How many reasons there are of each code.
fn counts(reasons: &[&health_reason::Model]) -> Value {
    let mut counts = BTreeMap::<&str, usize>::new();
    for reason in reasons {
        *counts.entry(&reason.failure.code).or_default() += 1;
    }
    json!(counts)
}

/// The tenant's subscriptions as they are now.
async fn current(
    transaction: &DatabaseTransaction,
    tenant: &tenant::Model,
) -> Result<HashMap<Uuid, subscription::Model>, DbErr> {
    let found = subscription::Entity::owned_by(tenant.organization_id)
        .filter(subscription::Column::TenantId.eq(tenant.id))
        .all(transaction)
        .await?;
    Ok(found.into_iter().map(|found| (found.id, found)).collect())
}

/// Keeps the name and the state that Azure shows, if they are others now.
async fn describe(
    transaction: &DatabaseTransaction,
    stored: &subscription::Model,
    seen: &microsoft::Subscription,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let azure_state = crate::jobs::azure_state(&seen.state);
    if stored.azure_state == azure_state && stored.display_name == seen.display_name {
        return Ok(());
    }
    let described = subscription::ActiveModel {
        id: Unchanged(stored.id),
        azure_state: Set(azure_state),
        display_name: Set(seen.display_name.clone()),
        updated_at: Set(now),
        ..Default::default()
    };
    described.update(transaction).await.map(drop)
}
