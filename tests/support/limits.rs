//! How long an onboarding takes at least, by what Microsoft publishes: whoever is faster is refused or reads nothing.

use std::time::Duration;

/// A budget of calls: so many at once, then so many a second.
/// <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling>
struct Bucket {
    size: u64,
    refill: u64,
}

/// Of each subscription, and of the tenant for calls that name no subscription.
const READS: Bucket = Bucket { size: 250, refill: 25 };
const WRITES: Bucket = Bucket { size: 200, refill: 10 };

/// Resource Graph answers so many queries of a principal in a window of so long.
/// <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/guidance-for-throttled-requests>
const QUERIES: u64 = 15;
const WINDOW: Duration = Duration::from_secs(5);

/// The most rows that a query answers.
/// <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/work-with-data>
const ROWS: u64 = 1_000;

/// The subscriptions that a page of their list names, as the simulator has it; Microsoft names no number.
const SUBSCRIPTIONS: u64 = 1_000;

/// How long Azure may take until a fresh token shows a new role; one from before the role shows it later still.
/// <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshooting>
pub const PROPAGATION: Duration = Duration::from_mins(10);

impl Bucket {
    /// How long the last of so many calls waits.
    fn wait(&self, calls: u64) -> Duration {
        Duration::from_millis(calls.saturating_sub(self.size) * 1_000 / self.refill)
    }
}

/// An onboarding where the consenting user may assign roles everywhere and none is held yet.
#[derive(Clone, Copy, Debug)]
pub struct Onboarding {
    /// Subscriptions that get a role.
    pub subscriptions: u64,
    /// Their resources.
    pub resources: u64,
    /// How long each answer takes.
    pub latency: Duration,
}

impl Onboarding {
    /// From the grant to the last resource. Nothing of it is ours: no number of workers, no statement, no poll.
    pub fn critical_path(&self) -> Duration {
        self.discovery() + self.roles() + self.propagation().max(self.queries())
    }

    /// The service principal's token, which names the principal; then the list of subscriptions, whose pages each tell
    /// where the next is.
    fn discovery(&self) -> Duration {
        let pages = self.subscriptions.div_ceil(SUBSCRIPTIONS).max(1);
        self.calls(1 + pages) + READS.wait(pages)
    }

    /// At each subscription two reads, what is held and what the user may do, and one write. Every subscription has its
    /// own budgets and waits for no other, so all may do that at once.
    fn roles(&self) -> Duration {
        let (reads, writes) = (2, 1);
        self.calls(reads + writes) + READS.wait(reads).max(WRITES.wait(writes))
    }

    /// The slowest role comes to work; then a fresh token, a look with it, and a query.
    fn propagation(&self) -> Duration {
        PROPAGATION + self.calls(3)
    }

    /// Every resource is read, from the first role that works: full pages only, as many in each window as are allowed.
    fn queries(&self) -> Duration {
        let queries = self.resources.div_ceil(ROWS).max(1);
        let windows = u32::try_from((queries - 1) / QUERIES).unwrap_or(u32::MAX);
        WINDOW * windows + self.calls(1)
    }

    /// Calls one after the other.
    fn calls(&self, count: u64) -> Duration {
        self.latency * u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(subscriptions: u64, resources: u64) -> Duration {
        Onboarding { subscriptions, resources, latency: Duration::from_millis(100) }.critical_path()
    }

    #[test]
    fn few_resources_wait_for_the_slowest_role_and_many_for_the_quota() {
        assert_eq!(path(1, 1), Duration::from_millis(200 + 300 + 600_000 + 300));
        assert_eq!(path(1_000, 500_000), path(1, 1));
        // 2,000 queries are 133 full windows and five more.
        assert_eq!(path(5_000, 2_000_000), Duration::from_millis(600 + 300 + 665_000 + 100));
    }
}
