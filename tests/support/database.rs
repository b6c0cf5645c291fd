//! A database of its own for each test, with all tables: a `SQLite` file, or one of the databases of the
//! `PostgreSQL` that `tests/run` started.

use std::thread;

use anyhow::{Context, Result};
use migration::wall::MARKS;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::stack::Stack;

/// A test's connections: few, as many tests run at once.
pub const CONNECTIONS: u32 = 10;

/// Any number, the same in all tests: who holds it makes the template.
const TEMPLATE_LOCK: i64 = 5_102_447_719;

/// Made once by the first test; copying it is several times faster than migrating.
const TEMPLATE: &str = "tenantry_template";

/// Another test may be making the role at the same time.
const OWN_THE_TABLES: &str = "do $$
    declare name text;
    begin
      begin
        create role tenantry_owner;
      exception when duplicate_object or unique_violation then null;
      end;
      for name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('alter table %I owner to tenantry_owner', name);
      end loop;
      grant usage, create on schema public to tenantry_owner;
    end $$";

/// A database that nobody else knows. It is gone when dropped.
pub struct TestDatabase {
    url: SecretString,
    home: Home,
}

enum Home {
    /// The folder of a `SQLite` file, which goes with it.
    Folder(#[expect(dead_code, reason = "dropping it removes the file")] TempDir),
    /// A database of this name on the server.
    Server { server: SecretString, name: String },
}

impl TestDatabase {
    /// Makes one with all tables.
    pub async fn start(stack: Stack) -> Result<Self> {
        let database = match stack {
            Stack::Embedded => Self::file()?,
            Stack::Distributed => Self::copy_of_template().await?,
        };
        // A template on a server that outlives its tests may lack the newest tables.
        let connection = database.connect().await?;
        migration::migrate(&connection).await?;
        connection.close().await?;
        Ok(database)
    }

    /// What `DATABASE_URL` is to be.
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// A pool of connections.
    pub async fn connect(&self) -> Result<DatabaseConnection> {
        Ok(migration::connect(self.url.expose_secret(), CONNECTIONS).await?)
    }

    /// On `PostgreSQL`, raises the wall, and lets everybody who connects from now on be a role that it holds: one
    /// that owns the tables, and nothing else.
    pub async fn raise_wall(&mut self) -> Result<()> {
        if matches!(self.home, Home::Folder(_)) {
            return Ok(());
        }
        self.url = owned(&self.url).await?;
        let connection = self.connect().await?;
        migration::wall::raise(&connection).await?;
        Ok(connection.close().await?)
    }

    /// On `PostgreSQL`, marks the functions by which a viewer looks behind the wall.
    pub async fn mark(&self) -> Result<()> {
        let Home::Server { server, name } = &self.home else { return Ok(()) };
        execute(&database_of(server, name)?, MARKS.join("; ")).await
    }

    fn file() -> Result<Self> {
        let folder = TempDir::new()?;
        let url = format!("sqlite://{}", folder.path().join("tenantry.db").display());
        Ok(Self { url: url.into(), home: Home::Folder(folder) })
    }

    async fn copy_of_template() -> Result<Self> {
        let server: SecretString = std::env::var("TENANTRY_TEST_DATABASE_URL")
            .context("TENANTRY_TEST_DATABASE_URL names no PostgreSQL: tests/run starts one")?
            .into();
        ensure_template(&server).await?;
        let name = format!("test_{}", Uuid::now_v7().simple());
        execute(&server, format!("create database {name} template {TEMPLATE}")).await?;
        Ok(Self { url: database_of(&server, &name)?, home: Home::Server { server, name } })
    }
}

/// How many entries of resources by their tags `PostgreSQL` has too many, or lacks, as the tags themselves tell. `SQLite`
/// has none.
pub async fn misplaced(database: &DatabaseConnection) -> Result<i64> {
    if database.get_database_backend() != DbBackend::Postgres {
        return Ok(0);
    }
    let (right, kept) = (
        "select distinct organization_id, tag_key(organization_id, lower(tag.key) || E'\\n' || tag.value), \
           lower(name collate \"C\"), id from resource, jsonb_each_text(tags) as tag where deleted_at is null",
        "select organization_id, tag, name, resource_id from resource_by_tag",
    );
    let misplaced = format!(
        "select count(*) from ((({right}) except ({kept})) union all (({kept}) except ({right}))) as misplaced"
    );
    let statement = Statement::from_string(database.get_database_backend(), misplaced);
    let row = database.query_one_raw(statement).await?.context("nothing was counted")?;
    Ok(row.try_get_by(0)?)
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Home::Server { server, name } = &self.home else { return };
        let (server, name) = (server.clone(), name.clone());
        // A drop cannot wait for the runtime that it happens in.
        let dropping = thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&server, format!("drop database if exists {name} with (force)")))
        });
        // A test may have stopped the server; `tests/run` removes what is left.
        let _ = dropping.join();
    }
}

/// It gets its name when it is complete, so that a test killed meanwhile leaves no half of one.
async fn ensure_template(server: &SecretString) -> Result<()> {
    let mut lock = PgConnection::connect(server.expose_secret()).await?;
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut lock).await?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(TEMPLATE)
        .fetch_one(&mut lock)
        .await?;
    if !exists {
        let unfinished = format!("{TEMPLATE}_unfinished");
        execute(server, format!("drop database if exists {unfinished}")).await?;
        execute(server, format!("create database {unfinished}")).await?;
        let connection = migration::connect(database_of(server, &unfinished)?.expose_secret(), 2).await?;
        migration::migrate(&connection).await?;
        connection.close().await?;
        execute(server, format!("alter database {unfinished} rename to {TEMPLATE}")).await?;
    }
    Ok(lock.close().await?)
}

/// Lets a role like that of an installation own the tables of the database at `url`: the user of `tests/run` is
/// a superuser, whom no wall holds. Answers how to connect as that role.
pub async fn owned(url: &SecretString) -> Result<SecretString> {
    execute(url, OWN_THE_TABLES.to_owned()).await?;
    let mut url = Url::parse(url.expose_secret())?;
    url.query_pairs_mut().append_pair("options[role]", "tenantry_owner");
    Ok(String::from(url).into())
}

async fn execute(server: &SecretString, statement: String) -> Result<()> {
    let mut connection = PgConnection::connect(server.expose_secret()).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}

fn database_of(server: &SecretString, name: &str) -> Result<SecretString> {
    let mut url = Url::parse(server.expose_secret())?;
    url.set_path(name);
    Ok(String::from(url).into())
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;

    #[tokio::test]
    async fn two_databases_share_nothing() -> Result<()> {
        let stack = Stack::chosen();
        let (ours, theirs) = tokio::try_join!(TestDatabase::start(stack), TestDatabase::start(stack))?;
        let (our_side, their_side) = tokio::try_join!(ours.connect(), theirs.connect())?;

        our_side.execute_unprepared("create table only_ours (id integer)").await?;

        assert!(their_side.execute_unprepared("select * from only_ours").await.is_err());
        assert!(migration::pending(&their_side).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn a_dropped_database_is_gone() -> Result<()> {
        let database = TestDatabase::start(Stack::chosen()).await?;
        let url = database.url().expose_secret().to_owned();

        drop(database);

        let again = if let Some(file) = url.strip_prefix("sqlite://") {
            std::fs::File::open(file).is_ok()
        } else {
            PgConnection::connect(&url).await.is_ok()
        };
        assert!(!again);
        Ok(())
    }
}
