//! Remembers who could consent for a subscription: who may assign roles there.

use chrono::{DateTime, TimeDelta, Utc};
use entity::operation_step::{self, Outcome};
use entity::subscription::AccessLevel;
use entity::subscription_owner::{self, MOST, Owner, Owners};
use entity::{Owned, consent, operation, subscription, tenant};
use futures::{StreamExt, TryStreamExt, stream};
use microsoft::{Caller, MicrosoftError};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set,
};
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::{transaction, window};

/// How many subscriptions are asked at once.
const AT_ONCE: usize = 8;

/// At how many subscriptions owners are looked for in one window.
pub(crate) const IN_A_WINDOW: u64 = 1_000;

/// Rows that are read at once.
const CHUNK: u64 = 500;

/// Rows that a statement stores at once.
const CLAIMED: usize = 500;

/// How long owners are taken for the same where the service principal can read them.
const GOOD_FOR: TimeDelta = TimeDelta::days(7);

/// Who could consent for the subscriptions where the consenting user could not, asked as this user: our service
/// principal has no role there. It is the last thing that is done in the window, and nothing depends on it.
pub(crate) async fn remember(context: &Context, consent: &consent::Model) -> Result<(), JobError> {
    let refused = claim(context, consent).await?;
    if refused.is_empty() {
        return Ok(());
    }
    match window::open(context, consent.organization_id, Some(consent.id)).await? {
        Some(window::Open { user, .. }) => read(context, &user, Some(consent), refused).await,
        None => Ok(()),
    }
}

/// The subscriptions that are to be asked about, which nobody else asks about from now on: several steps may be the last
/// at once.
async fn claim(context: &Context, consent: &consent::Model) -> Result<Vec<subscription::Model>, JobError> {
    // This is looked at after every step, and mostly there is nothing to claim.
    if refused(&context.database, consent).await?.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = transaction::begin(&context.database).await?;
    let held = consent::Entity::owned_by(consent.organization_id).filter(consent::Column::Id.eq(consent.id));
    held.lock_exclusive().one(&transaction).await?;
    let refused = refused(&transaction, consent).await?;
    let now = context.clock.now();
    for chunk in refused.chunks(CLAIMED) {
        tried(&transaction, chunk.iter().map(|one| row(one, None, now)), &[]).await?;
    }
    transaction.commit().await?;
    Ok(refused)
}

/// The subscriptions at which the consenting user could assign no role, unless they were asked in this window. Who
/// cancelled wants no more calls.
async fn refused(
    database: &impl ConnectionTrait,
    consent: &consent::Model,
) -> Result<Vec<subscription::Model>, JobError> {
    let organization_id = consent.organization_id;
    let operations = operation::Entity::owned_by(organization_id)
        .filter(operation::Column::ConsentId.eq(consent.id))
        .filter(operation::Column::CancelRequestedAt.is_null())
        .select_only()
        .column(operation::Column::Id);
    let steps = operation_step::Entity::owned_by(organization_id)
        .filter(operation_step::Column::OperationId.in_subquery(operations.into_query()))
        .filter(operation_step::Column::Outcome.is_in([Outcome::NotPermitted, Outcome::ConditionBlocked]))
        .select_only()
        .column(operation_step::Column::SubscriptionId);
    let since = consent.granted_at.unwrap_or(consent.created_at);
    let refused = not_asked_since(organization_id, since)
        .filter(subscription::Column::Id.in_subquery(steps.into_query()))
        .limit(IN_A_WINDOW)
        .all(database)
        .await?;
    Ok(refused)
}

/// Who could consent for the subscriptions of a tenant that the service principal reads.
pub(crate) async fn refresh(
    context: &Context,
    organization_id: Uuid,
    tenant_id: Uuid,
) -> Result<(), JobError> {
    let tenant = tenant::Entity::owned_by(organization_id)
        .filter(tenant::Column::Id.eq(tenant_id))
        .one(&context.database)
        .await?;
    let Some(tenant) = tenant else { return Ok(()) };
    let caller = Caller::App { tenant: tenant.entra_tenant_id };
    let since = context.clock.now() - GOOD_FOR;
    let mut last = Uuid::nil();
    loop {
        let due = not_asked_since(organization_id, since)
            .filter(subscription::Column::TenantId.eq(tenant_id))
            .filter(subscription::Column::AccessLevel.ne(AccessLevel::None))
            .filter(subscription::Column::Stale.is_null())
            .filter(subscription::Column::Id.gt(last))
            .limit(CHUNK)
            .all(&context.database)
            .await?;
        let Some(end) = due.last() else { return Ok(()) };
        last = end.id;
        read(context, &caller, None, due).await?;
    }
}

/// Subscriptions whose owners were not asked for since, in the order of their ids.
fn not_asked_since(organization_id: Uuid, since: DateTime<Utc>) -> Select<subscription::Entity> {
    let known = subscription_owner::Entity::owned_by(organization_id)
        .filter(subscription_owner::Column::TriedAt.gte(since))
        .select_only()
        .column(subscription_owner::Column::SubscriptionId);
    subscription::Entity::owned_by(organization_id)
        .filter(subscription::Column::Id.not_in_subquery(known.into_query()))
        .order_by_asc(subscription::Column::Id)
}

/// As the consenting user of `consent`, or as the service principal.
async fn read(
    context: &Context,
    caller: &Caller,
    consent: Option<&consent::Model>,
    subscriptions: Vec<subscription::Model>,
) -> Result<(), JobError> {
    let read = subscriptions.into_iter().map(|subscription| async move {
        match context.microsoft.arm().owners(caller, subscription.azure_subscription_id, None).await {
            Ok(owners) => store(context, &subscription, Some(owners)).await,
            Err(error) => not_read(context, consent, &subscription, &error).await,
        }
    });
    stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await
}

/// What cannot be read is not known: the last that was known stays.
async fn not_read(
    context: &Context,
    consent: Option<&consent::Model>,
    subscription: &subscription::Model,
    error: &MicrosoftError,
) -> Result<(), JobError> {
    tracing::debug!(subscription.id = %subscription.id, %error, "its owners were not read");
    match consent.zip(window::closed_by(error)) {
        Some((consent, because)) => window::close(context, consent, because).await,
        None => store(context, subscription, None).await,
    }
}

/// Stores the owners; none: that they could not be read.
async fn store(
    context: &Context,
    subscription: &subscription::Model,
    owners: Option<Vec<microsoft::Owner>>,
) -> Result<(), JobError> {
    let told: &[_] = match owners {
        Some(_) => &[subscription_owner::Column::Owners, subscription_owner::Column::ReadAt],
        None => &[],
    };
    let row = row(subscription, owners.map(kept), context.clock.now());
    tried(&context.database, [row], told).await
}

/// Stores when it was tried, and what was told.
async fn tried(
    database: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = subscription_owner::ActiveModel>,
    told: &[subscription_owner::Column],
) -> Result<(), JobError> {
    let changed = [&[subscription_owner::Column::TriedAt], told].concat();
    let known =
        OnConflict::column(subscription_owner::Column::SubscriptionId).update_columns(changed).to_owned();
    subscription_owner::Entity::insert_many(rows).on_conflict(known).exec_without_returning(database).await?;
    Ok(())
}

/// Those of the subscription itself are the first to ask.
fn kept(mut owners: Vec<microsoft::Owner>) -> Owners {
    owners.sort_by_key(|owner| owner.is_inherited);
    owners.truncate(MOST);
    let owners = owners.into_iter().map(|owner| Owner {
        principal_id: owner.principal_id,
        principal_type: owner.principal_type,
        role_definition_id: owner.role.definition_id(),
        scope: owner.scope,
        inherited: owner.is_inherited,
        condition: owner.condition,
    });
    Owners(owners.collect())
}

fn row(
    subscription: &subscription::Model,
    owners: Option<Owners>,
    now: DateTime<Utc>,
) -> subscription_owner::ActiveModel {
    subscription_owner::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(subscription.organization_id),
        subscription_id: Set(subscription.id),
        read_at: Set(owners.is_some().then_some(now)),
        owners: Set(owners),
        tried_at: Set(now),
    }
}
