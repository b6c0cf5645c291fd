//! The policies of the tables: one for each table whose rows belong to an organization.

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement,
};

use crate::alone;

/// What a superuser runs once in the database, so that the wall costs next to nothing.
///
/// `PostgreSQL` looks behind a wall by an index only with functions that are marked: these tell nobody, by an
/// error for instance, what they were called with. Those by which tags are found and names are ordered are
/// not, as it comes.
pub const MARKS: [&str; 2] = [
    "alter function pg_catalog.jsonb_contains(jsonb, jsonb) leakproof",
    "alter function pg_catalog.lower(text) leakproof",
];

/// Whether they have been run.
const IS_MARKED: &str = "select bool_and(proleakproof) as answer from pg_proc where oid in \
    ('pg_catalog.jsonb_contains(jsonb, jsonb)'::regprocedure, 'pg_catalog.lower(text)'::regprocedure)";

/// Whether policies do not apply to whom we are.
const IS_EXEMPT: &str =
    "select rolsuper or rolbypassrls as answer from pg_roles where rolname = current_user";

/// Every table whose rows belong to an organization, by its column: whichever migration makes one.
const TABLES: &str = "select class.relname::text as name, \
      case when class.relname = 'organization' then 'id' else 'organization_id' end as column, \
      class.relrowsecurity and class.relforcerowsecurity and exists \
        (select from pg_policy where polrelid = class.oid and polname = 'organization_wall') as walled \
    from pg_class class \
    where class.relnamespace = current_schema()::text::regnamespace and class.relkind in ('r', 'p') \
      and not class.relispartition \
      and (class.relname = 'organization' or exists (select from pg_attribute \
        where attrelid = class.oid and attname = 'organization_id' and not attisdropped)) \
    order by class.relname";

struct Table {
    name: String,
    column: String,
    walled: bool,
}

/// How the wall stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is around every table.
    pub is_raised: bool,
    /// Whether it does not hold whom we are connected as: a superuser, or a role that bypasses it.
    pub is_exempt: bool,
    /// Whether the database has the [`MARKS`].
    pub is_marked: bool,
}

/// How the wall stands; none: the database is not `PostgreSQL`, and can have none.
pub async fn standing(database: &DatabaseConnection) -> Result<Option<Standing>, DbErr> {
    if database.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let tables = tables(database).await?;
    Ok(Some(Standing {
        is_raised: !tables.is_empty() && tables.iter().all(|table| table.walled),
        is_exempt: holds(database, IS_EXEMPT).await?,
        is_marked: holds(database, IS_MARKED).await?,
    }))
}

/// Raises the wall around every table that it is not around yet.
pub async fn raise(database: &DatabaseConnection) -> Result<(), DbErr> {
    alone(database, async {
        for table in tables(database).await? {
            if !table.walled {
                wall_in(database, &table).await?;
            }
        }
        Ok(())
    })
    .await
}

/// Takes the wall down.
pub async fn lower(database: &DatabaseConnection) -> Result<(), DbErr> {
    alone(database, async {
        for Table { name, walled, .. } in tables(database).await? {
            if !walled {
                continue;
            }
            let statements = format!(
                "alter table {name} disable row level security, no force row level security; \
                 drop policy if exists organization_wall on {name}"
            );
            database.execute_unprepared(&statements).await?;
        }
        Ok(())
    })
    .await
}

/// Raises it around the tables that are new, if it stands around others.
pub(crate) async fn extend(database: &DatabaseConnection) -> Result<(), DbErr> {
    let (walled, bare): (Vec<_>, Vec<_>) =
        tables(database).await?.into_iter().partition(|table| table.walled);
    if !walled.is_empty() {
        for table in bare {
            wall_in(database, &table).await?;
        }
    }
    Ok(())
}

/// Each table by itself: to lock them all at once would get into the way of whoever works with them. The
/// owner is not excused, since that is who we are. The sub-select is computed once a statement, and not again
/// for each row; where it names nobody, the comparison is unknown.
async fn wall_in(database: &DatabaseConnection, Table { name, column, .. }: &Table) -> Result<(), DbErr> {
    let organization = "select nullif(current_setting('tenantry.organization', true), '')::uuid";
    let statements = format!(
        "alter table {name} enable row level security, force row level security; \
         drop policy if exists organization_wall on {name}; \
         create policy organization_wall on {name} \
           using (coalesce({column} = ({organization}), true))"
    );
    database.execute_unprepared(&statements).await?;
    Ok(())
}

async fn tables(database: &DatabaseConnection) -> Result<Vec<Table>, DbErr> {
    let rows = database.query_all_raw(Statement::from_string(DbBackend::Postgres, TABLES)).await?;
    let table = |row: &QueryResult| {
        Ok(Table {
            name: row.try_get("", "name")?,
            column: row.try_get("", "column")?,
            walled: row.try_get("", "walled")?,
        })
    };
    rows.iter().map(table).collect()
}

async fn holds(database: &DatabaseConnection, question: &str) -> Result<bool, DbErr> {
    let answer = database.query_one_raw(Statement::from_string(DbBackend::Postgres, question)).await?;
    Ok(answer.map(|row| row.try_get("", "answer")).transpose()?.unwrap_or(false))
}
