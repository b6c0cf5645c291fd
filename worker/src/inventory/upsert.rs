//! Stores resources that are new or have changed, many in one statement.
//!
//! `PostgreSQL` gets one array for each column, and so always the same statement of nineteen values: it is planned
//! once, and stores more than twice as many rows in the same time as one with values for each row, which
//! `SQLite` gets (`tests/bench/scan.rs`).

use std::sync::LazyLock;

use entity::resource::{self, Column};
use sea_orm::sea_query::{Expr, OnConflict, PostgresQueryBuilder, Query};
use sea_orm::sqlx::types::Json;
use sea_orm::sqlx::{self, PgPool};
use sea_orm::{
    ActiveEnum, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, IntoActiveModel,
    RuntimeErr,
};

use super::{Sight, history};
use crate::transaction;

/// Rows a statement stores at once: well under `SQLite`'s limit of bound values.
pub(super) const CHUNK: usize = 1_000;

/// What a scan writes, with the types of `PostgreSQL`.
const COLUMNS: [(Column, &str); 19] = [
    (Column::Id, "uuid"),
    (Column::OrganizationId, "uuid"),
    (Column::SubscriptionId, "uuid"),
    (Column::ArmId, "text"),
    (Column::Name, "text"),
    (Column::ResourceType, "text"),
    (Column::Kind, "text"),
    (Column::Location, "text"),
    (Column::ResourceGroup, "text"),
    (Column::Sku, "text"),
    (Column::ManagedBy, "text"),
    (Column::Tags, "jsonb"),
    (Column::TagTerms, "jsonb"),
    (Column::ContentHash, "bigint"),
    (Column::AzureCreatedAt, "timestamptz"),
    (Column::AzureChangedAt, "timestamptz"),
    (Column::FirstSeenAt, "timestamptz"),
    (Column::ChangedAt, "timestamptz"),
    (Column::Scope, "text"),
];

static STATEMENT: LazyLock<String> = LazyLock::new(|| {
    // Arrays beside each other are read in step.
    let arrays = COLUMNS.iter().enumerate();
    let arrays = arrays.map(|(at, (_, kind))| Expr::cust(format!("unnest(${}::{kind}[])", at + 1)));
    let mut insert = Query::insert();
    insert
        .into_table(resource::Entity)
        .columns(COLUMNS.map(|(column, _)| column))
        .select_from(Query::select().exprs(arrays).to_owned())
        .expect("as many columns as arrays")
        .on_conflict(known());
    insert.to_string(PostgresQueryBuilder)
});

/// Stores rows that are new or have changed; what is new is many rows, and what has changed is told with what it was
/// before, in one transaction.
pub(super) async fn upsert(database: &DatabaseConnection, sights: Vec<Sight>) -> Result<(), DbErr> {
    let (new, changed): (Vec<_>, Vec<_>) = sights.into_iter().partition(|sight| sight.is_new);
    let rows = |sights: Vec<Sight>| sights.into_iter().map(|sight| sight.row).collect::<Vec<_>>();
    insert(database, rows(new)).await?;
    let changed = rows(changed);
    for chunk in changed.chunks(CHUNK) {
        let transaction = transaction::begin(database).await?;
        let told = history::of(&transaction, &chunk.iter().collect::<Vec<_>>()).await?;
        history::store(&transaction, told).await?;
        store(&transaction, chunk.to_vec()).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn insert(database: &DatabaseConnection, rows: Vec<resource::Model>) -> Result<(), DbErr> {
    if database.get_database_backend() == DbBackend::Postgres {
        for chunk in rows.chunks(CHUNK) {
            let stored = store_arrays(database.get_postgres_connection_pool(), chunk).await;
            stored.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))?;
        }
        return Ok(());
    }
    store(database, rows).await
}

async fn store(database: &impl ConnectionTrait, rows: Vec<resource::Model>) -> Result<(), DbErr> {
    let mut rows = rows.into_iter().map(IntoActiveModel::into_active_model).peekable();
    while rows.peek().is_some() {
        let chunk = rows.by_ref().take(CHUNK);
        resource::Entity::insert_many(chunk).on_conflict(known()).exec_without_returning(database).await?;
    }
    Ok(())
}

/// What becomes of a row that is there: everything is new but its id, its owner and when it was first seen.
fn known() -> OnConflict {
    OnConflict::column(Column::Id)
        .update_columns([
            Column::ArmId,
            Column::Name,
            Column::ResourceType,
            Column::Kind,
            Column::Location,
            Column::ResourceGroup,
            Column::Sku,
            Column::ManagedBy,
            Column::Tags,
            Column::TagTerms,
            Column::ContentHash,
            Column::ChangedAt,
            Column::DeletedAt,
            Column::LastSeenAt,
        ])
        // Resource Graph does not tell these times; what Resource Manager told before stays.
        .value(Column::AzureCreatedAt, known_or_new("azure_created_at"))
        .value(Column::AzureChangedAt, known_or_new("azure_changed_at"))
        .to_owned()
}

fn known_or_new(column: &'static str) -> Expr {
    Expr::cust(format!("coalesce(excluded.{column}, resource.{column})"))
}

async fn store_arrays(pool: &PgPool, rows: &[resource::Model]) -> Result<(), sqlx::Error> {
    fn each<'a, T>(rows: &'a [resource::Model], column: impl Fn(&'a resource::Model) -> T) -> Vec<T> {
        rows.iter().map(column).collect()
    }
    // In the order of the columns.
    sqlx::query(STATEMENT.as_str())
        .bind(each(rows, |row| row.id))
        .bind(each(rows, |row| row.organization_id))
        .bind(each(rows, |row| row.subscription_id))
        .bind(each(rows, |row| row.arm_id.as_str()))
        .bind(each(rows, |row| row.name.as_str()))
        .bind(each(rows, |row| row.resource_type.as_str()))
        .bind(each(rows, |row| row.kind.as_deref()))
        .bind(each(rows, |row| row.location.as_deref()))
        .bind(each(rows, |row| row.resource_group.as_str()))
        .bind(each(rows, |row| row.sku.as_deref()))
        .bind(each(rows, |row| row.managed_by.as_deref()))
        .bind(each(rows, |row| Json(&row.tags)))
        .bind(each(rows, |row| Json(&row.tag_terms)))
        .bind(each(rows, |row| row.content_hash))
        .bind(each(rows, |row| row.azure_created_at))
        .bind(each(rows, |row| row.azure_changed_at))
        .bind(each(rows, |row| row.first_seen_at))
        .bind(each(rows, |row| row.changed_at))
        .bind(each(rows, |row| row.scope.to_value()))
        .execute(pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_but_the_deletion_is_an_array() {
        assert!(STATEMENT.contains("$19::text[])"), "{}", *STATEMENT);
        assert_eq!(STATEMENT.matches("unnest(").count(), COLUMNS.len());
        assert!(STATEMENT.contains(r#""deleted_at" = "excluded"."deleted_at""#), "{}", *STATEMENT);
    }
}
