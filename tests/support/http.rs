//! The HTTP client of whoever calls Tenantry from outside.

use anyhow::Result;

/// A client that goes straight to this machine.
pub fn client() -> Result<reqwest::Client> {
    #[expect(clippy::disallowed_methods, reason = "a front end or a partner, not a client of Microsoft")]
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(client)
}
