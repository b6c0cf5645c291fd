//! How fast a scan stores 200,000 resources, beside Microsoft's own client that only reads them; and how
//! much faster an unchanged rescan is.

use anyhow::{Result, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use support::cloud::Cloud;
use support::figures::{Figure, rate};
use support::ground::Ground;

const RESOURCES: u64 = 200_000;

#[tokio::main]
async fn main() -> Result<()> {
    let resources = RESOURCES.to_string();
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", "100", "--resources", &resources])?).await?;
    // The peer runs on both sides of our scan, and its better run counts: the machine is not always as fast.
    let (rows, before) = ground.scan_of_peer().await?;
    ensure!(rows == RESOURCES, "the peer read {rows} rows");
    let first = ground.scan().await?;
    let (_, after) = ground.scan_of_peer().await?;
    ensure!(
        (first.seen, first.written) == (RESOURCES, RESOURCES),
        "stored {} of {}",
        first.written,
        first.seen
    );
    let ours = rate(RESOURCES, first.time);
    let scan = Figure {
        what: "scan of 200,000 resources into PostgreSQL",
        unit: "resources/s",
        ours,
        theirs: rate(RESOURCES, before.min(after)),
        whose: "azure-mgmt-resourcegraph, which only reads",
    };
    scan.print();
    Figure { theirs: 10_000.0, whose: "goal", ..scan }.print();

    let mark = begun_transactions(ground.database()).await?;
    let second = ground.scan().await?;
    let written = written_since(ground.database(), mark).await?;
    ensure!(second.seen == RESOURCES && second.written == 0, "stored {} again", second.written);
    ensure!(written == 0, "{written} rows of an unchanged rescan were written");
    let rescan = Figure {
        what: "unchanged rescan, no resource row written",
        ours: rate(RESOURCES, second.time),
        theirs: ours,
        whose: "first scan",
        ..scan
    };
    rescan.print();
    Ok(())
}

/// The number of the next transaction.
async fn begun_transactions(database: &DatabaseConnection) -> Result<i64> {
    number(database, "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as number").await
}

/// How many rows of resources were written by transactions since that one.
async fn written_since(database: &DatabaseConnection, transaction: i64) -> Result<i64> {
    let rows = format!("select count(*) as number from resource where xmin::text::bigint >= {transaction}");
    number(database, &rows).await
}

async fn number(database: &DatabaseConnection, query: &str) -> Result<i64> {
    let statement = Statement::from_string(database.get_database_backend(), query);
    let row = database.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get("", "number")).transpose()?.unwrap_or_default())
}
