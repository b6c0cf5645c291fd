//! What is counted over the writes of change sets, and the operations that write them.

use std::collections::HashMap;

use async_graphql::SimpleObject;
use entity::operation;
use entity::tag_write::{self, Column, Outcome};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use worker::change_set::{Load, duration, elevations, fits_window};

use super::{ChangeSetEstimate, TagWriteOutcome};
use crate::graphql::int;
use crate::graphql::operation::Operation;
use crate::graphql::scope::Scope;
use crate::graphql::stored::Stored;

/// What became of writes, and of how many.
#[derive(SimpleObject, Clone, Copy)]
#[graphql(name = "TagWriteOutcomeCount")]
pub struct OutcomeCount {
    /// What became of them.
    outcome: TagWriteOutcome,
    /// How many they are.
    count: i32,
}

/// What a change set asks of each subscription, and whether it has to hold a role there.
#[derive(Default)]
pub struct Loads(Vec<(Load, bool)>);

impl Loads {
    pub fn estimate(&self) -> ChangeSetEstimate {
        let all = || self.0.iter().map(|(load, _)| *load);
        let elevated = || self.0.iter().filter(|(_, is_elevated)| *is_elevated).map(|(load, _)| *load);
        let int = |count: u64| int(i64::try_from(count).unwrap_or(i64::MAX));
        let elevated_count = elevated().count() as u64;
        ChangeSetEstimate {
            calls: int(all().map(|load| load.calls).sum()),
            duration_seconds: int(duration(all()).as_secs()),
            elevated_subscriptions: int(elevated_count),
            fits_window: (elevated_count > 0).then(|| fits_window(duration(elevated()))),
        }
    }
}

/// How many writes came to which outcome, by change set.
pub async fn outcomes(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<OutcomeCount>>, DbErr> {
    let rows: Vec<(Uuid, Outcome, i64)> = scope
        .owned::<tag_write::Entity>()
        .filter(Column::ChangeSetId.is_in(ids))
        .filter(Column::Outcome.is_not_null())
        .select_only()
        .columns([Column::ChangeSetId, Column::Outcome])
        .expr_as(Expr::cust("count(*)"), "count")
        .group_by(Column::ChangeSetId)
        .group_by(Column::Outcome)
        .order_by_asc(Column::Outcome)
        .into_tuple()
        .all(scope.database())
        .await?;
    let mut counts: HashMap<Uuid, Vec<OutcomeCount>> = HashMap::new();
    for (id, outcome, count) in rows {
        counts.entry(id).or_default().push(OutcomeCount { outcome: outcome.into(), count: int(count) });
    }
    Ok(counts)
}

/// What each of these change sets asks of each subscription: a resource takes one request for what is set there, and
/// one for what is removed.
pub async fn loads(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Loads>, DbErr> {
    let mut calls: HashMap<(Uuid, Uuid), u64> = HashMap::new();
    for sets in [true, false] {
        let kind = if sets { Column::After.is_not_null() } else { Column::After.is_null() };
        let rows: Vec<(Uuid, Uuid, i64)> = scope
            .owned::<tag_write::Entity>()
            .filter(Column::ChangeSetId.is_in(ids.iter().copied()))
            .filter(Column::Problems.is_null())
            .filter(kind)
            .select_only()
            .columns([Column::ChangeSetId, Column::SubscriptionId])
            .expr_as(Expr::cust("count(distinct resource_id)"), "count")
            .group_by(Column::ChangeSetId)
            .group_by(Column::SubscriptionId)
            .into_tuple()
            .all(scope.database())
            .await?;
        for (change_set, subscription, count) in rows {
            *calls.entry((change_set, subscription)).or_default() += u64::try_from(count).unwrap_or_default();
        }
    }
    let mut loads: HashMap<Uuid, Loads> = HashMap::new();
    let organization_id = scope.viewer.organization_id;
    let elevated = elevations(scope.database(), organization_id, &ids, Condition::all()).await?;
    for (of, calls) in calls {
        loads.entry(of.0).or_default().0.push((Load { calls }, elevated.contains(&of)));
    }
    Ok(loads)
}

/// The operations that write each of these change sets.
pub async fn operations(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<Operation>>, DbErr> {
    let rows = scope
        .owned::<operation::Entity>()
        .filter(operation::Column::ChangeSetId.is_in(ids))
        .order_by_asc(operation::Column::Id)
        .all(scope.database())
        .await?;
    let of: Vec<Option<Uuid>> = rows.iter().map(|row| row.change_set_id).collect();
    let mut found: HashMap<Uuid, Vec<Operation>> = HashMap::new();
    for (change_set, operation) in of.into_iter().zip(Operation::together(rows)) {
        found.entry(change_set.unwrap_or_default()).or_default().push(operation);
    }
    Ok(found)
}
