//! The HTTP client of whoever calls Tenantry from outside.

use anyhow::Result;

/// A client that goes straight to this machine, by a connection of its own each time: one that was kept may have been
/// closed by the server just now.
pub fn client() -> Result<reqwest::Client> {
    #[expect(clippy::disallowed_methods, reason = "a front end or a partner, not a client of Microsoft")]
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
    Ok(client)
}
