//! Stores what has changed of resources.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{resource, resource_change};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use super::upsert::CHUNK;

/// Changes that one statement removes.
const PRUNED_AT_ONCE: u64 = 5_000;

/// Stores changes.
pub(super) async fn store(
    database: &impl ConnectionTrait,
    changes: Vec<resource_change::Model>,
) -> Result<(), DbErr> {
    let mut changes = changes.into_iter().map(|change| change.into_active_model().reset_all()).peekable();
    while changes.peek().is_some() {
        let chunk: Vec<_> = changes.by_ref().take(CHUNK).collect();
        resource_change::Entity::insert_many(chunk).exec_without_returning(database).await?;
    }
    Ok(())
}

/// Removes changes that were seen before `cutoff`, some at a time, so that nobody waits for long; answers how many.
pub(crate) async fn prune(database: &DatabaseConnection, cutoff: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut removed = 0;
    loop {
        let old = resource_change::Entity::older_than(cutoff, PRUNED_AT_ONCE)
            .select_only()
            .column(resource_change::Column::Id);
        let gone = resource_change::Entity::delete_many()
            .filter(resource_change::Column::Id.in_subquery(old.into_query()))
            .exec(database)
            .await?;
        removed += gone.rows_affected;
        if gone.rows_affected < PRUNED_AT_ONCE {
            return Ok(removed);
        }
    }
}

/// What differs between these rows and what is stored of them.
pub(super) async fn of(
    database: &impl ConnectionTrait,
    rows: &[&resource::Model],
) -> Result<Vec<resource_change::Model>, DbErr> {
    let stored = resource::Entity::by_ids(rows.iter().map(|row| row.id)).all(database).await?;
    let stored: HashMap<Uuid, resource::Model> = stored.into_iter().map(|row| (row.id, row)).collect();
    let changes = rows.iter().filter_map(|row| {
        let before = stored.get(&row.id)?;
        Some(resource_change::between(before, row, row.changed_at))
    });
    Ok(changes.flatten().collect())
}
