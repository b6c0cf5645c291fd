//! How long a plan takes: by Azure's published limits, by the time that a call and a new role took here, and by how many
//! steps a worker takes at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::Estimate;
use entity::estimate::Calls;
use entity::operation_step::Outcome;

use super::{Aim, Planned, Source};
use crate::access::SWAP;
use crate::job::Job;
use crate::jobs::AssignRole;
use crate::owners::IN_A_WINDOW;
use crate::window::{CHANGE, READ};

/// How long Azure says that a new role may take to work.
/// <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshooting>
const PROPAGATION: Duration = Duration::from_mins(10);

/// How long a call takes where none was made yet.
const LATENCY: Duration = Duration::from_millis(300);

/// How many resources a subscription is taken to have that was never scanned, where too few were counted.
const RESOURCES: u64 = 500;

/// Rows that a page has at most.
const PAGE: u64 = 1_000;

/// Subscriptions that are scanned together.
const BATCH: u64 = 300;

/// A budget of calls as Azure publishes it: how many at once, and how many a second after that.
/// <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling>
struct Budget(f64, f64);

const READS: Budget = Budget(250.0, 25.0);
const WRITES: Budget = Budget(200.0, 10.0);
/// <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/guidance-for-throttled-requests>
const QUERIES: Budget = Budget(15.0, 3.0);

impl Budget {
    /// For how long so many calls have to wait, however fast each is answered.
    fn wait(&self, calls: u64) -> Duration {
        let Self(at_once, a_second) = *self;
        seconds((number(calls) - at_once).max(0.0) / a_second)
    }
}

/// How fast things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a call takes.
    pub latency: Duration,
    /// How long a new role takes to work.
    pub propagation: Duration,
    /// Whether that was measured here.
    pub propagation_is_measured: bool,
}

impl Default for Pace {
    /// Where nothing was measured yet.
    fn default() -> Self {
        Self { latency: LATENCY, propagation: PROPAGATION, propagation_is_measured: false }
    }
}

/// The consent window in which it has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How much of it is left; a whole one, if none is open.
    pub remaining: TimeDelta,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What has to be scanned.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    batches: u64,
    /// Resource Graph queries.
    queries: u64,
    /// Subscriptions that Resource Manager lists.
    listed: u64,
    /// The pages of these lists.
    pages: u64,
}

/// What all of it takes.
pub(super) fn estimate(aim: Aim, subscriptions: &[Planned], pace: Pace, window: Window) -> Estimate {
    let scan = Scan::of(subscriptions);
    let calls = of_each(subscriptions) + shared(aim, subscriptions, scan, pace);
    let phases = Phases::of(aim, subscriptions, scan, pace);
    let resources_are_assumed =
        subscriptions.iter().any(|one| one.scan.is_some() && one.facts.resources.is_none());
    Estimate {
        calls,
        window_ms: milliseconds(phases.window()),
        total_ms: milliseconds(phases.total()),
        fits_window: phases.fit(window.remaining),
        resources_are_assumed,
        propagation_is_measured: pace.propagation_is_measured,
        made_at: window.now,
    }
}

fn of_each(subscriptions: &[Planned]) -> Calls {
    subscriptions.iter().map(|one| one.calls).sum()
}

/// Calls that tell of many subscriptions at once.
fn shared(aim: Aim, subscriptions: &[Planned], scan: Scan, pace: Pace) -> Calls {
    // Before a batch and after what was read, the service principal's subscriptions are listed, with a new token.
    let lists = scan.batches + scan.queries.min(scan.batches) + scan.listed;
    let scanned = Calls {
        app_reads: lists + scan.pages,
        queries: scan.queries,
        token_requests: lists,
        user_reads: asks_for_owners(subscriptions),
        ..Calls::default()
    };
    if aim != Aim::Onboard {
        return scanned;
    }
    let unread = subscriptions.iter().filter(|one| !one.facts.is_read).count() as u64;
    let known = u64::from(unread < subscriptions.len() as u64);
    let looks = if is_verified(subscriptions) { looks(pace.propagation) } else { 0 };
    // The tenant, the subscriptions, and how many resources those have that are new.
    let user_reads = 2 + unread.div_ceil(BATCH);
    let app =
        Calls { user_reads, app_reads: known + looks, token_requests: 1 + known + looks, ..Calls::default() };
    scanned + app
}

/// Where the consenting user may assign no role, it is read who could.
fn asks_for_owners(subscriptions: &[Planned]) -> u64 {
    let refused = |one: &&Planned| matches!(one.outcome, Outcome::NotPermitted | Outcome::ConditionBlocked);
    (subscriptions.iter().filter(refused).count() as u64).min(IN_A_WINDOW)
}

/// Whether somewhere a role has to be waited for.
fn is_verified(subscriptions: &[Planned]) -> bool {
    subscriptions.iter().any(|one| one.outcome.is_access() && !one.facts.is_read)
}

/// How often is looked whether roles work: each look waits twice as long as the one before, up to five seconds.
fn looks(propagation: Duration) -> u64 {
    3 + propagation.as_secs().div_ceil(5)
}

impl Scan {
    fn of(subscriptions: &[Planned]) -> Self {
        let assumed = assumed(subscriptions);
        let resources = |one: &Planned| one.facts.resources.unwrap_or(assumed);
        let from = |source| subscriptions.iter().filter(move |one| one.scan == Some(source));
        let queried = from(Source::ResourceGraph).count() as u64;
        let batches = queried.div_ceil(BATCH);
        let rows: u64 = from(Source::ResourceGraph).map(resources).sum();
        let listed = from(Source::ResourceManager).count() as u64;
        Self {
            batches: (queried + listed).div_ceil(BATCH),
            // The last page of each batch is not full.
            queries: rows.div_ceil(PAGE).max(batches.min(1)) + batches.saturating_sub(1),
            listed,
            pages: from(Source::ResourceManager).map(|one| resources(one).div_ceil(PAGE).max(1)).sum(),
        }
    }

    fn time(self, latency: Duration) -> Duration {
        let queried = times(latency, self.queries).max(QUERIES.wait(self.queries));
        // A token and a list before each batch and after what was read.
        let lists = self.batches + self.queries.min(self.batches) + self.listed;
        queried + times(latency, self.pages + 2 * lists)
    }
}

/// How many resources a subscription is taken to have: as many as the others on average, if most were counted.
fn assumed(subscriptions: &[Planned]) -> u64 {
    let counted: Vec<_> = subscriptions.iter().filter_map(|one| one.facts.resources).collect();
    let is_most = 2 * counted.len() > subscriptions.len();
    if is_most { counted.iter().sum::<u64>().div_ceil(counted.len() as u64) } else { RESOURCES }
}

/// What follows one upon the other.
struct Phases {
    /// Before the first role is added.
    begin: Duration,
    /// Roles are added.
    adding: Duration,
    /// They come to work.
    propagation: Duration,
    /// Roles are removed.
    removing: Duration,
    /// What can be read is scanned, from the first role that works.
    scan: Duration,
    /// What could be read last is scanned.
    tail: Duration,
    /// Whether the window is needed until roles work.
    is_swap: bool,
    /// Whether anything is changed in the consenting user's name.
    changes: bool,
}

impl Phases {
    fn of(aim: Aim, subscriptions: &[Planned], scan: Scan, pace: Pace) -> Self {
        let latency = pace.latency;
        let adds = |one: &Planned| one.calls.user_reads + one.calls.user_writes;
        let removes = |one: &Planned| one.calls.user_deletes;
        let unread = subscriptions.iter().filter(|one| !one.facts.is_read).count() as u64;
        let begin = if aim == Aim::Onboard { 4 + unread.div_ceil(BATCH) } else { 0 };
        let is_added = subscriptions.iter().any(|one| !one.adds.is_empty());
        let is_removed = subscriptions.iter().any(|one| !one.removes.is_empty());
        let look = times(latency, 2);
        let propagation = match () {
            () if is_added => propagation(aim, pace) + look,
            () if is_verified(subscriptions) || aim != Aim::Onboard => look,
            () => Duration::ZERO,
        };
        let scans = subscriptions.iter().any(|one| one.scan.is_some());
        Self {
            begin: times(latency, begin),
            adding: beside(subscriptions, adds, latency).max(throttled(subscriptions)),
            propagation,
            removing: beside(subscriptions, removes, latency),
            scan: scan.time(latency),
            tail: times(latency, if scans && is_added { 5 } else { 0 }),
            is_swap: aim != Aim::Onboard && (is_added || is_removed),
            changes: is_added || is_removed,
        }
    }

    fn window(&self) -> Duration {
        let added = self.begin + self.adding;
        if self.is_swap { added + self.propagation + self.removing } else { added }
    }

    fn total(&self) -> Duration {
        self.begin + self.adding + (self.propagation + self.removing).max(self.scan) + self.tail
    }

    fn fit(&self, remaining: TimeDelta) -> bool {
        let room = |needed: Duration, last: TimeDelta| {
            TimeDelta::from_std(needed).is_ok_and(|needed| needed + last <= remaining)
        };
        let last = if self.changes { CHANGE } else { READ };
        // No swap is begun that could not be taken back.
        let is_begun = !self.is_swap || room(self.adding, SWAP);
        self.window().is_zero() || (room(self.window(), last) && is_begun)
    }
}

/// What was measured counts until somebody looked; what is published does not.
fn propagation(aim: Aim, pace: Pace) -> Duration {
    let look = Duration::from_secs(if aim == Aim::Onboard { 5 } else { 60 });
    if pace.propagation_is_measured { pace.propagation } else { pace.propagation + look }
}

/// How long calls take that a worker makes for many subscriptions at once, one after the other for each.
fn beside(subscriptions: &[Planned], calls: impl Fn(&Planned) -> u64, latency: Duration) -> Duration {
    let all: u64 = subscriptions.iter().map(&calls).sum();
    let longest = subscriptions.iter().map(&calls).max().unwrap_or_default();
    let at_once = number(AssignRole::CONCURRENCY as u64);
    seconds(latency.as_secs_f64() * number(all) / at_once).max(times(latency, longest))
}

/// How long the budget of the subscription that needs most makes its calls wait.
fn throttled(subscriptions: &[Planned]) -> Duration {
    let wait = |one: &Planned| READS.wait(one.calls.user_reads).max(WRITES.wait(one.calls.user_writes));
    subscriptions.iter().map(wait).max().unwrap_or_default()
}

fn times(latency: Duration, calls: u64) -> Duration {
    seconds(latency.as_secs_f64() * number(calls))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use entity::subscription::AccessLevel;
    use microsoft::Role;
    use proptest::prelude::*;

    use super::super::rule::tests::facts;
    use super::super::{Facts, Plan};
    use super::*;

    const SWAP_ROLES: Aim = Aim::Change { level: AccessLevel::WriteTags, keep_reader: false };

    fn window(minutes: i64) -> Window {
        Window { remaining: TimeDelta::minutes(minutes), now: DateTime::UNIX_EPOCH }
    }

    fn read(resources: u64) -> Facts {
        Facts {
            access_level: AccessLevel::ReadTags,
            is_read: true,
            direct: vec![Role::Reader],
            ours: vec![Role::Reader],
            resources: Some(resources),
            ..facts()
        }
    }

    fn of(aim: Aim, facts: Vec<Facts>, pace: Pace, window: Window) -> Estimate {
        Plan::of(aim, facts, pace, window).estimate
    }

    fn facts_of(resources: Option<u64>) -> Facts {
        Facts { resources, ..facts() }
    }

    fn fast(propagation: u64) -> Pace {
        Pace {
            latency: Duration::from_millis(100),
            propagation: Duration::from_secs(propagation),
            propagation_is_measured: true,
        }
    }

    #[test]
    fn a_thousand_subscriptions_take_as_long_as_the_slowest_role() {
        let given = vec![Facts { resources: Some(500), ..facts() }; 1_000];

        let estimate = of(Aim::Onboard, given, fast(600), window(60));

        let calls = estimate.calls;
        assert_eq!((calls.user_reads, calls.user_writes, calls.user_deletes), (2_006, 1_000, 0));
        assert_eq!(calls.queries, 503);
        // 3,000 calls, 32 at once, and what comes before them.
        assert!((9_000..12_000).contains(&estimate.window_ms), "{estimate:?}");
        assert!((605_000..625_000).contains(&estimate.total_ms), "{estimate:?}");
        assert!(estimate.fits_window);
    }

    #[test]
    fn two_million_resources_take_as_long_as_the_quota_of_queries() {
        let given = vec![Facts { resources: Some(400), ..facts() }; 5_000];

        let estimate = of(Aim::Onboard, given, fast(600), window(60));

        // 2,016 queries, three a second.
        assert!((700_000..760_000).contains(&estimate.total_ms), "{estimate:?}");
    }

    #[test]
    fn what_is_read_needs_no_window() {
        let estimate = of(SWAP_ROLES, Vec::new(), fast(60), window(0));
        assert!(estimate.fits_window && estimate.window_ms == 0);
    }

    #[test]
    fn a_swap_that_could_not_be_taken_back_does_not_fit() {
        assert!(of(SWAP_ROLES, vec![read(5)], fast(60), window(15)).fits_window);
        assert!(!of(SWAP_ROLES, vec![read(5)], fast(60), window(10)).fits_window);
        assert!(of(Aim::Onboard, vec![facts()], fast(60), window(2)).fits_window);
    }

    #[test]
    fn few_that_were_not_counted_are_taken_to_be_like_the_others() {
        let (counted, uncounted) = (facts_of(Some(4_000)), facts_of(None));
        let mut given = vec![counted; 30];
        given.extend(vec![uncounted; 10]);

        let queries = |given: &[Facts]| of(Aim::Onboard, given.to_vec(), fast(60), window(60)).calls.queries;

        assert_eq!((queries(&given), queries(&given[20..30]), queries(&given[30..])), (160, 40, 5));
    }

    #[test]
    fn what_was_never_counted_is_assumed_and_said_to_be() {
        let uncounted = Facts { resources: None, ..facts() };
        assert!(of(Aim::Onboard, vec![uncounted], fast(60), window(60)).resources_are_assumed);
        assert!(!of(Aim::Onboard, vec![facts()], fast(60), window(60)).resources_are_assumed);
    }

    proptest! {
        #[test]
        fn more_never_takes_less(
            resources in prop::collection::vec(0_u64..5_000, 0..700), extra in 0_u64..5_000, swaps: bool,
        ) {
            let aim = if swaps { SWAP_ROLES } else { Aim::Onboard };
            let one = |resources: u64| if swaps { read(resources) } else { Facts { resources: Some(resources), ..facts() } };
            let fewer: Vec<_> = resources.iter().copied().map(one).collect();
            let mut more = fewer.clone();
            more.insert(fewer.len() / 2, one(extra));

            let (fewer, more) = (of(aim, fewer, fast(60), window(60)), of(aim, more, fast(60), window(60)));

            prop_assert!(more.total_ms >= fewer.total_ms && more.window_ms >= fewer.window_ms);
            prop_assert!(more.calls.delegated() > fewer.calls.delegated());
            prop_assert!(more.calls.queries >= fewer.calls.queries && more.total_ms >= more.window_ms);
        }
    }
}
