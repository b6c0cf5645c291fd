//! Rows that a round shows: only what is new or has changed is written, and of the rest that it was seen.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::Owned;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

/// Rows that a statement stores at once.
pub(super) const CHUNK: usize = 500;

/// A table of what a round shows.
pub(super) trait Seen: Owned<Model: Clone + PartialEq + IntoActiveModel<Self::ActiveModel>> {
    /// The id.
    const ID: Self::Column;
    /// The full round that showed a row last.
    const ROUND: Self::Column;
    /// What is written of a row that is there.
    const WRITTEN: &'static [Self::Column];

    fn id(row: &Self::Model) -> Uuid;

    /// The same row as a round showed it.
    fn shown(row: Self::Model, round: i64) -> Self::Model;

    /// The same row as it changed at this time.
    fn changed(row: Self::Model, at: DateTime<Utc>) -> Self::Model;
}

/// Those of these rows that are there.
pub(super) async fn known<E: Seen>(
    database: &impl ConnectionTrait,
    organization_id: Uuid,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, E::Model>, DbErr> {
    let mut known = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let rows =
            E::owned_by(organization_id).filter(E::ID.is_in(chunk.iter().copied())).all(database).await?;
        known.extend(rows.into_iter().map(|row| (E::id(&row), row)));
    }
    Ok(known)
}

/// Stores rows that were `known` before.
pub(super) async fn store<E: Seen>(
    database: &impl ConnectionTrait,
    rows: HashMap<Uuid, E::Model>,
    known: &HashMap<Uuid, E::Model>,
    (round, now): (i64, DateTime<Utc>),
) -> Result<(), DbErr>
where
    E::ActiveModel: Send,
{
    let (mut written, mut seen) = (Vec::new(), Vec::new());
    for (id, row) in rows {
        match known.get(&id) {
            Some(before) if *before == row => {}
            Some(before) if E::shown(before.clone(), round) == row => seen.push(id),
            _ => written.push(E::changed(row, now).into_active_model()),
        }
    }
    let again = OnConflict::column(E::ID).update_columns(E::WRITTEN.iter().copied()).to_owned();
    for chunk in written.chunks(CHUNK) {
        let rows = E::insert_many(chunk.iter().cloned()).on_conflict(again.clone());
        rows.exec_without_returning(database).await?;
    }
    for chunk in seen.chunks(CHUNK) {
        let seen = E::update_many().col_expr(E::ROUND, Expr::value(round));
        seen.filter(E::ID.is_in(chunk.iter().copied())).exec(database).await?;
    }
    Ok(())
}

/// Deletes rows by a column that is one of these.
pub(super) async fn delete<E: EntityTrait>(
    database: &impl ConnectionTrait,
    column: E::Column,
    values: &[Uuid],
) -> Result<(), DbErr> {
    for chunk in values.chunks(CHUNK) {
        E::delete_many().filter(column.is_in(chunk.iter().copied())).exec(database).await?;
    }
    Ok(())
}
