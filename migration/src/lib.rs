//! How the tables came to be, and how a database is opened with all of them in place.

mod m20261124_000001_onboarding;
mod m20261125_000003_access;
mod m20261126_000004_audit;
mod m20261126_000006_data_keys;
mod m20261126_000007_window;
mod m20261126_000008_health;
mod m20261126_000009_owner_links;
mod m20261126_000010_history;
mod m20261126_000011_tags;
mod m20261126_000012_facets;
mod m20261126_000013_schedule;
mod m20261126_000014_elevation;
mod m20261127_000015_history_retention;
mod m20261127_000016_office;
mod m20261127_000017_resource_by_tag;
pub mod wall;

use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, TransactionTrait,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All migrations, oldest first.
struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_onboarding::Migration),
            Box::new(m20261125_000003_access::Migration),
            Box::new(m20261126_000004_audit::Migration),
            Box::new(m20261126_000006_data_keys::Migration),
            Box::new(m20261126_000007_window::Migration),
            Box::new(m20261126_000008_health::Migration),
            Box::new(m20261126_000009_owner_links::Migration),
            Box::new(m20261126_000010_history::Migration),
            Box::new(m20261126_000011_tags::Migration),
            Box::new(m20261126_000012_facets::Migration),
            Box::new(m20261126_000013_schedule::Migration),
            Box::new(m20261126_000014_elevation::Migration),
            Box::new(m20261127_000015_history_retention::Migration),
            Box::new(m20261127_000016_office::Migration),
            Box::new(m20261127_000017_resource_by_tag::Migration),
        ]
    }
}

/// Any number, the same in all of our processes: who holds it migrates.
const MIGRATION_LOCK: i64 = 7_401_962_231;

/// How long a statement waits for what another one has locked. No request is answered later: what waits for one that
/// was given up keeps its connection from the others, and on `PostgreSQL` it would do so without end.
const LOCK: Duration = Duration::from_secs(10);

/// How long work waits for a connection: less than [`LOCK`], so that of many that came at once, those behind have given
/// up when those in front give their connections back.
const CONNECTION: Duration = Duration::from_secs(8);

/// Connects to the database at `url` (`sqlite:` or `postgres:`) with at most `connections` connections.
pub async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(CONNECTION)
        .connect_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .map_sqlx_postgres_pool_opts(wall::guard)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(LOCK)
                .foreign_keys(true)
        });
    Database::connect(options).await
}

/// Brings the tables up to date; where the [wall] stands, the new ones stand behind it. Safe to call from
/// several processes at once: one migrates, the others wait and find nothing left to do.
pub async fn migrate(database: &DatabaseConnection) -> Result<(), DbErr> {
    if database.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(database, None).await;
    }
    alone(database, async {
        Migrator::up(database, None).await?;
        wall::extend(database).await
    })
    .await
}

/// Does `work` on the tables of a `PostgreSQL` while no other process does any.
async fn alone(
    database: &DatabaseConnection,
    work: impl Future<Output = Result<(), DbErr>>,
) -> Result<(), DbErr> {
    #[expect(clippy::disallowed_methods, reason = "a process that does not finish this ends")]
    let lock = database.begin().await?;
    // The other may take as long as it needs.
    lock.execute_unprepared("set local lock_timeout = 0").await?;
    lock.execute_unprepared(&format!("select pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    let done = work.await;
    lock.commit().await?;
    done
}

/// Names of the migrations that `database` still lacks.
pub async fn pending(database: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let pending = Migrator::get_pending_migrations(database).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}
