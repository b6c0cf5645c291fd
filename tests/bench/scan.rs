//! How fast a scan stores 200,000 resources, beside Microsoft's own client that only reads them; and how
//! much faster an unchanged rescan is.

use std::time::Duration;

use anyhow::{Result, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use support::cloud::Cloud;
use support::figures::{Figure, rate};
use support::ground::Ground;

const RESOURCES: u64 = 200_000;

/// How often each side is measured.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let resources = RESOURCES.to_string();
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", "100", "--resources", &resources])?).await?;
    // They take turns, and the best round of each counts: the machine is not always as fast.
    let (mut best, mut best_of_peer) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let (rows, time) = ground.scan_of_peer().await?;
        ensure!(rows == RESOURCES, "the peer read {rows} rows");
        best_of_peer = best_of_peer.min(time);
        ground.database().execute_unprepared("truncate resource, resource_by_tag").await?;
        let scan = ground.scan().await?;
        ensure!(scan.written == RESOURCES, "stored {} of {}", scan.written, scan.seen);
        best = best.min(scan.time);
    }
    let ours = rate(RESOURCES, best);
    let scan = Figure {
        what: "scan of 200,000 resources into PostgreSQL",
        unit: "resources/s",
        ours,
        theirs: rate(RESOURCES, best_of_peer),
        whose: "azure-mgmt-resourcegraph, which only reads",
    };
    scan.print();
    Figure { theirs: 10_000.0, whose: "goal", ..scan }.print();

    let mark = begun_transactions(ground.database()).await?;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let again = ground.scan().await?;
        ensure!(again.seen == RESOURCES && again.written == 0, "stored {} again", again.written);
        best = best.min(again.time);
    }
    let written = written_since(ground.database(), mark).await?;
    ensure!(written == 0, "{written} rows of an unchanged rescan were written");
    let rescan = Figure {
        what: "unchanged rescan, no resource row written",
        ours: rate(RESOURCES, best),
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
