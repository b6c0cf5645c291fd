//! What is stored of subscriptions, and how fast things went lately.

use std::collections::HashMap;
use std::time::Duration;

use entity::role_assignment::{self, Origin};
use entity::subscription::{self, AccessLevel};
use entity::{Owned, consent, delegated_call};
use microsoft::Role;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Facts, Pace};

/// Rows that a statement names at once.
const CHUNK: usize = 500;

/// How many of the newest consents, calls and assignments are looked at.
const CONSENTS: u64 = 5;
const NEWEST: u64 = 200;

/// Fewer assignments say too little of how long the slowest takes.
const ENOUGH: usize = 20;

/// What is stored of these subscriptions.
pub async fn known(
    database: &DatabaseConnection,
    organization_id: Uuid,
    rows: Vec<subscription::Model>,
) -> Result<Vec<Facts>, DbErr> {
    let mut facts = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(CHUNK) {
        let held = role_assignment::Entity::owned_by(organization_id)
            .filter(role_assignment::Column::SubscriptionId.is_in(chunk.iter().map(|row| row.id)))
            .all(database)
            .await?;
        let mut by_subscription: HashMap<Uuid, Vec<role_assignment::Model>> = HashMap::new();
        for one in held {
            by_subscription.entry(one.subscription_id).or_default().push(one);
        }
        facts
            .extend(chunk.iter().map(|row| of(row, by_subscription.get(&row.id).map_or(&[], Vec::as_slice))));
    }
    Ok(facts)
}

fn of(row: &subscription::Model, held: &[role_assignment::Model]) -> Facts {
    let roles = |which: fn(Origin) -> bool| {
        let fitting = held.iter().filter(|one| which(one.origin));
        fitting.map(|one| Role::from(one.role_definition_id)).collect()
    };
    Facts {
        azure_subscription_id: row.azure_subscription_id,
        subscription_id: Some(row.id),
        display_name: row.display_name.clone(),
        azure_state: row.azure_state,
        access_level: row.access_level,
        is_read: row.access_level != AccessLevel::None,
        is_seen: None,
        direct: roles(|origin| origin != Origin::Inherited),
        inherited: roles(|origin| origin == Origin::Inherited),
        ours: roles(|origin| origin == Origin::Ours),
        rights: None,
        refusal: None,
        resources: row.scanned_at.and_then(|_| u64::try_from(row.resource_count).ok()),
        is_asked: false,
    }
}

/// How fast things went for the organization lately; Azure's own figures, where too little is known.
pub async fn pace(database: &DatabaseConnection, organization_id: Uuid) -> Result<Pace, DbErr> {
    let usual = Pace::default();
    let latency = latency(database, organization_id).await?.unwrap_or(usual.latency);
    Ok(match propagation(database, organization_id).await? {
        Some(propagation) => Pace { latency, propagation, propagation_is_measured: true },
        None => Pace { latency, ..usual },
    })
}

/// What a delegated call took in the middle.
async fn latency(database: &DatabaseConnection, organization_id: Uuid) -> Result<Option<Duration>, DbErr> {
    let consents = consent::Entity::owned_by(organization_id)
        .filter(consent::Column::GrantedAt.is_not_null())
        .select_only()
        .column(consent::Column::Id)
        .order_by_desc(consent::Column::GrantedAt)
        .limit(CONSENTS)
        .into_tuple::<Uuid>()
        .all(database)
        .await?;
    let calls = delegated_call::Entity::owned_by(organization_id)
        .filter(delegated_call::Column::ConsentId.is_in(consents))
        .filter(delegated_call::Column::Outcome.eq(delegated_call::Outcome::Succeeded))
        .order_by_desc(delegated_call::Column::Id)
        .limit(NEWEST)
        .all(database)
        .await?;
    let took = calls.into_iter().filter_map(|call| (call.ended_at? - call.begun_at).to_std().ok());
    // A clock that stands still measures nothing.
    let mut took: Vec<_> = took.filter(|took| !took.is_zero()).collect();
    took.sort_unstable();
    Ok(took.get(took.len() / 2).copied())
}

/// What the slowest new role took to work.
async fn propagation(
    database: &DatabaseConnection,
    organization_id: Uuid,
) -> Result<Option<Duration>, DbErr> {
    let assigned = role_assignment::Entity::owned_by(organization_id)
        .filter(role_assignment::Column::Origin.eq(Origin::Ours))
        .filter(role_assignment::Column::VerifiedAt.is_not_null())
        .order_by_desc(role_assignment::Column::Id)
        .limit(NEWEST)
        .all(database)
        .await?;
    let took = assigned.into_iter().filter_map(|one| (one.verified_at? - one.created_at).to_std().ok());
    let took: Vec<_> = took.collect();
    Ok(took.iter().max().copied().filter(|_| took.len() >= ENOUGH))
}
