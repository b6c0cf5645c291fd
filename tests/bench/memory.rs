//! How much memory a scan of 1,000,000 resources takes in the worker, and how much the simulator takes to
//! show them.

use anyhow::{Result, ensure};
use support::cloud::Cloud;
use support::figures::{Figure, peak_memory};
use support::ground::Ground;

const RESOURCES: u64 = 1_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let resources = RESOURCES.to_string();
    // As many subscriptions as are scanned at once: all of their inventories are in memory.
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", "300", "--resources", &resources])?).await?;
    for what in
        ["worker's peak, first scan of 1,000,000 resources", "worker's peak, with an unchanged rescan"]
    {
        let scan = ground.scan().await?;
        ensure!(scan.seen == RESOURCES, "saw {} resources", scan.seen);
        let ours = peak_memory(std::process::id())?;
        Figure { what, unit: "MB", ours, theirs: 250.0, whose: "limit" }.print();
    }
    let ours = ground.cloud.peak_memory()?;
    let what = "simulator's peak, 1,000,000 resources read twice";
    Figure { what, unit: "MB", ours, theirs: 300.0, whose: "limit" }.print();
    Ok(())
}
