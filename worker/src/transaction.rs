//! How transactions begin.
//!
//! sqlx forgets a transaction whose beginning is cancelled before the database has answered: the connection goes
//! back to the pool with the transaction open, and what the next one stores is never committed. Requests are
//! cancelled whenever a client hangs up, so a transaction begins in a task of its own, which nobody cancels; one
//! that nobody waits for any more is rolled back.

use migration::wall;
use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

/// A transaction that writes: on SQLite it waits for its turn now, since it cannot once it has read.
pub async fn begin(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    begin_with(database, options).await
}

/// A transaction that only reads: all that it reads is of one moment. On SQLite every transaction is like that.
pub async fn snapshot(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let mut options = TransactionOptions::default();
    if database.get_database_backend() == DbBackend::Postgres {
        options.isolation_level = Some(IsolationLevel::RepeatableRead);
        options.access_mode = Some(AccessMode::ReadOnly);
    }
    begin_with(database, options).await
}

async fn begin_with(
    database: &DatabaseConnection,
    options: TransactionOptions,
) -> Result<DatabaseTransaction, DbErr> {
    let database = database.clone();
    #[expect(clippy::disallowed_methods, reason = "the one place that begins transactions")]
    let beginning = async move { database.begin_with_options(options).await };
    // A new task belongs to nobody: it is told whose work this is.
    let begun = tokio::spawn(wall::within(wall::organization(), beginning)).await;
    begun.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string())))
}
