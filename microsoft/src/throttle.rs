//! Spends Microsoft's call budgets evenly, so that a 429 is the exception.
//!
//! Each principal has a budget per subscription (or per tenant, for calls that name none) and kind of
//! call. What is left of it stands in every answer; this module keeps count between the answers and
//! makes callers wait here instead of being refused there.

mod bucket;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;
use uuid::Uuid;

use bucket::Bucket;
use window::Window;

/// Lanes unused for so long have full budgets again, so forgetting them loses nothing.
const FORGET_AFTER: Duration = Duration::from_mins(10);
/// A quota that claims to hold for longer is not believed: the published window lasts five seconds.
const LONGEST_WINDOW: Duration = Duration::from_mins(5);
/// How many lanes are kept before the unused ones are looked for.
const MANY_LANES: usize = 4096;

/// Kinds of call with budgets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Budget {
    Login,
    ArmReads,
    ArmWrites,
    ResourceGraph,
    Graph,
    Consumption,
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Principal {
    /// Tenantry's service principal in the lane's tenant.
    App,
    /// A consenting user, told apart by a hash of their token.
    Delegated(u64),
}

/// One budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub tenant: Uuid,
    /// Absent for calls that name no subscription: those share the tenant's budget.
    pub subscription: Option<Uuid>,
    pub budget: Budget,
    pub principal: Principal,
}

/// Every lane in use.
#[derive(Clone, Default)]
pub(crate) struct Throttle {
    lanes: Arc<Mutex<HashMap<Lane, Shared>>>,
}

type Shared = Arc<Mutex<State>>;

struct State {
    gauge: Gauge,
    under_way: u32,
    /// How many calls have been let through so far.
    taken: u32,
    blocked_until: Option<Instant>,
    used_at: Instant,
}

enum Gauge {
    Bucket(Bucket),
    Window(Window),
}

/// One call that was let through.
#[derive(Clone, Copy)]
struct Ticket {
    number: u32,
    beside: u32,
    sent: Instant,
}

impl State {
    fn new(budget: Budget, now: Instant) -> Self {
        // https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling
        let gauge = match budget {
            Budget::ArmReads => Gauge::Bucket(Bucket::new(250.0, 25.0, now)),
            Budget::ArmWrites => Gauge::Bucket(Bucket::new(200.0, 10.0, now)),
            // https://learn.microsoft.com/en-us/graph/throttling-limits: 3,500 units in ten seconds for
            // the smallest tenants, one or two units a call.
            Budget::Graph => Gauge::Bucket(Bucket::new(300.0, 150.0, now)),
            // Entra publishes no figure; this only keeps a fault from becoming a storm.
            Budget::Login => Gauge::Bucket(Bucket::new(100.0, 20.0, now)),
            // No figure is published either; a key is checked once a day.
            Budget::Consumption => Gauge::Bucket(Bucket::new(20.0, 0.5, now)),
            Budget::ResourceGraph => Gauge::Window(Window::default()),
        };
        Self { gauge, under_way: 0, taken: 0, blocked_until: None, used_at: now }
    }

    /// Takes one call from the budget, or says when to ask again.
    fn take(&mut self, now: Instant) -> Result<Ticket, Instant> {
        self.used_at = now;
        if let Some(until) = self.blocked_until {
            if until > now {
                return Err(until);
            }
            self.blocked_until = None;
        }
        match &mut self.gauge {
            Gauge::Bucket(bucket) => bucket.take(now)?,
            Gauge::Window(window) => window.take(now)?,
        }
        self.taken = self.taken.wrapping_add(1);
        self.under_way += 1;
        Ok(Ticket { number: self.taken, beside: self.under_way - 1, sent: now })
    }

    /// How many other calls Microsoft may have counted only after it answered this one: those that were
    /// under way when it was sent, and those sent since.
    fn others(&self, ticket: Ticket) -> u32 {
        self.taken.wrapping_sub(ticket.number).saturating_add(ticket.beside)
    }
}

impl Throttle {
    /// Waits until the lane allows a call; says how long it would take if that is beyond `patience`.
    pub async fn acquire(&self, lane: Lane, patience: Duration) -> Result<Permit, Duration> {
        let asked = Instant::now();
        let state = self.lane(lane, asked);
        loop {
            let now = Instant::now();
            let taken = lock(&state).take(now);
            match taken {
                Ok(ticket) => return Ok(Permit { lane, state, ticket }),
                Err(again) if again.duration_since(asked) > patience => return Err(again.duration_since(now)),
                Err(again) => tokio::time::sleep_until(again).await,
            }
        }
    }

    fn lane(&self, lane: Lane, now: Instant) -> Shared {
        let mut lanes = lock(&self.lanes);
        if lanes.len() >= MANY_LANES {
            lanes.retain(|_, state| {
                let state = lock(state);
                state.under_way > 0 || now.duration_since(state.used_at) < FORGET_AFTER
            });
        }
        Arc::clone(lanes.entry(lane).or_insert_with(|| Arc::new(Mutex::new(State::new(lane.budget, now)))))
    }
}

/// The right to send one request; learns from its answer.
pub(crate) struct Permit {
    lane: Lane,
    state: Shared,
    ticket: Ticket,
}

impl Permit {
    /// Corrects the count by what the answer says is left.
    pub fn learn(&self, headers: &HeaderMap) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let others = state.others(self.ticket);
        match &mut state.gauge {
            Gauge::Bucket(bucket) => {
                if let Some(remaining) = bucket_remaining(self.lane, headers) {
                    bucket.learn(now, remaining, others);
                }
            }
            Gauge::Window(window) => {
                if let Some((remaining, resets_after)) = window_remaining(headers) {
                    window.learn(self.ticket.sent, now, remaining, resets_after, others);
                }
            }
        }
    }

    /// Closes the lane after a 429: a call before the time is up would be refused again.
    pub fn refused(&self, retry_after: Duration) {
        let until = Instant::now() + retry_after;
        let mut state = lock(&self.state);
        state.blocked_until = Some(state.blocked_until.map_or(until, |known| known.max(until)));
        if let Gauge::Window(window) = &mut state.gauge {
            window.exhausted(until);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.state).under_way -= 1;
    }
}

/// The smallest of the remaining counts that bind this lane.
fn bucket_remaining(lane: Lane, headers: &HeaderMap) -> Option<u32> {
    let scope = if lane.subscription.is_some() { "subscription" } else { "tenant" };
    let names: &[&str] = match lane.budget {
        Budget::ArmReads => &["reads", "global-reads", "resource-requests"],
        Budget::ArmWrites => &["writes", "global-writes"],
        Budget::Login | Budget::Graph | Budget::ResourceGraph | Budget::Consumption => &[],
    };
    names.iter().filter_map(|name| number(headers, &format!("x-ms-ratelimit-remaining-{scope}-{name}"))).min()
}

/// How many queries are left, and for how long that count holds.
fn window_remaining(headers: &HeaderMap) -> Option<(u32, Option<Duration>)> {
    Some((number(headers, "x-ms-user-quota-remaining")?, resets_after(headers)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `x-ms-user-quota-resets-after`, as `hh:mm:ss`.
pub(crate) fn resets_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("x-ms-user-quota-resets-after")?.to_str().ok()?;
    let mut seconds = 0.0_f64;
    for part in text.trim().split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= LONGEST_WINDOW)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn lane(budget: Budget, subscription: Option<Uuid>) -> Lane {
        Lane { tenant: Uuid::nil(), subscription, budget, principal: Principal::App }
    }

    #[test]
    fn the_smallest_binding_budget_counts() {
        let answer = headers(&[
            ("x-ms-ratelimit-remaining-subscription-reads", "200"),
            ("x-ms-ratelimit-remaining-subscription-global-reads", "12"),
            ("x-ms-ratelimit-remaining-subscription-writes", "3"),
            ("x-ms-ratelimit-remaining-tenant-reads", "1"),
        ]);
        assert_eq!(bucket_remaining(lane(Budget::ArmReads, Some(Uuid::nil())), &answer), Some(12));
        assert_eq!(bucket_remaining(lane(Budget::ArmReads, None), &answer), Some(1));
        assert_eq!(bucket_remaining(lane(Budget::ArmWrites, Some(Uuid::nil())), &answer), Some(3));
        assert_eq!(bucket_remaining(lane(Budget::Graph, None), &answer), None);
    }

    #[test]
    fn quota_times_are_read() {
        let time = |text| resets_after(&headers(&[("x-ms-user-quota-resets-after", text)]));
        assert_eq!(time("00:00:05"), Some(Duration::from_secs(5)));
        assert_eq!(time("00:02:03"), Some(Duration::from_secs(123)));
        assert_eq!(time("99999999:00:00"), None);
        assert_eq!(time("soon"), None);
        assert_eq!(time("-1"), None);
    }

    #[tokio::test]
    async fn a_refusal_closes_the_lane_for_everybody() {
        let throttle = Throttle::default();
        let lane = lane(Budget::ArmWrites, None);
        let permit = throttle.acquire(lane, Duration::ZERO).await.expect("a full bucket");
        permit.refused(Duration::from_secs(30));
        let wait = throttle.acquire(lane, Duration::from_secs(1)).await.err().expect("a closed lane");
        assert!(wait > Duration::from_secs(29), "{wait:?}");
        let other = Lane { principal: Principal::Delegated(1), ..lane };
        assert!(throttle.acquire(other, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_left_elsewhere_is_believed() {
        let throttle = Throttle::default();
        let lane = lane(Budget::ArmReads, None);
        let permit = throttle.acquire(lane, Duration::ZERO).await.expect("a full bucket");
        permit.learn(&headers(&[("x-ms-ratelimit-remaining-tenant-reads", "0")]));
        drop(permit);
        assert!(throttle.acquire(lane, Duration::ZERO).await.is_err());
    }
}
