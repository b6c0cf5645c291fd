//! How Graph behaves while the cloud runs, as a test wishes.

use crate::server::Simulator;
use crate::state::lock;

/// How a throttled answer says when to come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryAfter {
    /// In whole seconds.
    #[default]
    Seconds,
    /// With a fraction: `2.128`.
    Fraction,
    /// Not at all.
    Missing,
}

impl Simulator {
    /// The most rows on a page of Graph's lists; a caller may ask for fewer.
    pub fn set_graph_page_size(&self, rows: usize) {
        lock(&self.state.dials).graph_page_size = rows.max(1);
    }

    /// The resource units that an app may use in ten seconds, once throttling is on; none: Microsoft's, by the size
    /// of the tenant.
    pub fn set_graph_units(&self, units: Option<u32>) {
        lock(&self.state.dials).graph_units = units;
    }

    /// How Graph's throttled answers say when to come back.
    pub fn set_retry_after(&self, retry_after: RetryAfter) {
        lock(&self.state.dials).retry_after = retry_after;
    }

    /// Whether the tenant has a premium licence of Entra ID, without which nobody sees sign-in activity.
    pub fn set_premium(&self, is_premium: bool) {
        lock(&self.state.dials).is_premium = is_premium;
    }
}
