//! A row in every table, whichever tables there are and will be: made from what the database says of them.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

/// A table, and what a new row of it cannot do without.
pub struct Table {
    pub name: String,
    /// The column that holds the organization's id; none: its rows belong to no organization.
    pub organization: Option<&'static str>,
    /// Columns with their types.
    needed: Vec<(String, String)>,
}

/// Every table there is.
pub async fn tables(database: &DatabaseConnection) -> Result<Vec<Table>> {
    let columns = "select table_name::text, column_name::text, data_type::text, \
          is_nullable = 'NO' and column_default is null and is_identity = 'NO' as needed \
        from information_schema.columns where table_schema = 'public' order by 1, ordinal_position";
    let rows = database.query_all_raw(Statement::from_string(DbBackend::Postgres, columns)).await?;
    let mut tables = BTreeMap::<String, Table>::new();
    for row in rows {
        let (name, column): (String, String) = (row.try_get_by(0)?, row.try_get_by(1)?);
        let table = tables.entry(name.clone()).or_insert_with(|| Table {
            organization: (name == "organization").then_some("id"),
            name,
            needed: Vec::new(),
        });
        if column == "organization_id" {
            table.organization = Some("organization_id");
        }
        if row.try_get_by(3)? {
            table.needed.push((column, row.try_get_by(2)?));
        }
    }
    Ok(tables.into_values().collect())
}

impl Table {
    /// Inserts a row that belongs to `organization`.
    pub fn insert(&self, organization: Uuid) -> Result<String> {
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for (column, kind) in &self.needed {
            columns.push(column.as_str());
            values.push(match kind.as_str() {
                _ if self.organization == Some(column.as_str()) => format!("'{organization}'"),
                "uuid" => "gen_random_uuid()".to_owned(),
                "text" | "character varying" => "gen_random_uuid()::text".to_owned(),
                "bytea" => "gen_random_uuid()::text::bytea".to_owned(),
                "jsonb" => "'[]'".to_owned(),
                "timestamp with time zone" => "now()".to_owned(),
                "date" => "current_date".to_owned(),
                "bigint" | "integer" | "smallint" => "0".to_owned(),
                "boolean" => "false".to_owned(),
                other => bail!("which value has a column of type {other}? Say it here, for {}", self.name),
            });
        }
        let (columns, values) = (columns.join(", "), values.join(", "));
        Ok(format!("insert into {} ({columns}) values ({values})", self.name))
    }
}

/// Stores a row for each of `organizations` in every table whose rows belong to one, then runs `more`. What the
/// rows refer to does not exist: only a superuser gets away with that.
pub async fn fill(superuser: &DatabaseConnection, organizations: &[Uuid], more: &[&str]) -> Result<()> {
    let tables = tables(superuser).await?;
    let rows = worker::transaction::begin(superuser).await?;
    rows.execute_unprepared("set local session_replication_role = replica").await?;
    for table in tables.iter().filter(|table| table.organization.is_some()) {
        for organization in organizations {
            rows.execute_unprepared(&table.insert(*organization)?).await?;
        }
    }
    for statement in more {
        rows.execute_unprepared(statement).await?;
    }
    Ok(rows.commit().await?)
}
