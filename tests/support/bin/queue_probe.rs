//! A worker process for the tests to kill: `REDIS_URL=… queue-probe NAME`.

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("REDIS_URL").context("REDIS_URL is missing")?;
    let name = std::env::args().nth(1).context("a name is missing")?;
    support::probe::work(url.into(), name, CancellationToken::new()).await
}
