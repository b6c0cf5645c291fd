//! How much of Microsoft's published Resource Graph quota a scan uses: 15 queries in 5 seconds.

use anyhow::{Result, ensure};
use support::cloud::Cloud;
use support::figures::{Figure, of, rate};
use support::ground::Ground;

/// The quota.
const QUERIES: u64 = 15;
const SECONDS: u64 = 5;

/// Windows that the scan spends to the last query; it ends with the first query of the next one.
const WINDOWS: u64 = 6;

/// Rows of a page.
const PAGE: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let pages = WINDOWS * QUERIES + 1;
    let resources = (pages * PAGE).to_string();
    let cloud = Cloud::start(&["--subscriptions", "20", "--throttle", "--resources", &resources])?;
    let ground = Ground::prepare(cloud).await?;
    let scan = ground.scan().await?;
    ensure!(scan.seen == pages * PAGE, "saw {} resources", scan.seen);
    let figure = Figure {
        what: "scan of 91 pages under the Resource Graph quota",
        unit: "queries/s",
        ours: rate(pages - 1, scan.time),
        theirs: of(QUERIES) / of(SECONDS),
        whose: "quota",
    };
    figure.print();
    Ok(())
}
