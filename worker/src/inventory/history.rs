//! Stores what has changed of resources.

use std::collections::HashMap;

use entity::{resource, resource_change};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::upsert::CHUNK;

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
