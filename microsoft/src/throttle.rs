//! Spends Microsoft's call budgets evenly, so that a 429 is the exception.
//!
//! Each principal has a budget per subscription (or per tenant, for calls that name none) and kind of
//! call. What is left of it stands in every answer; this module keeps count between the answers and
//! makes callers wait here instead of being refused there. Who must wait gets a turn of its own, so nobody is
//! overtaken; who would wait for too long is told so at once, and holds nobody up.

mod bucket;
mod headers;
mod moment;
mod report_window;
pub(crate) mod sharing;
mod state;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::graph::report::ReportKind;
pub(crate) use headers::resets_after;
use moment::Moment;
use sharing::{SharedBudgets, Sharing};
use state::{State, Ticket};

/// How many lanes are kept before the unused ones are looked for the first time.
const MANY_LANES: usize = 4096;

/// Kinds of call with budgets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Budget {
    Login,
    ArmReads,
    ArmWrites,
    ArmDeletes,
    ResourceGraph,
    Graph,
    /// Each usage report has one.
    Report(ReportKind),
    Consumption,
}

impl Budget {
    /// The budget that Resource Manager takes a call by this method from.
    pub fn of_resource_manager(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::ArmReads,
            Method::DELETE => Self::ArmDeletes,
            _ => Self::ArmWrites,
        }
    }

    /// How long its calls are held back by a refusal that names no time.
    pub fn unnamed_wait(self) -> Option<Duration> {
        matches!(self, Self::Report(_)).then_some(report_window::UNNAMED_WAIT)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::ArmReads => "arm-reads",
            Self::ArmWrites => "arm-writes",
            Self::ArmDeletes => "arm-deletes",
            Self::ResourceGraph => "resource-graph",
            Self::Graph => "graph",
            Self::Report(report) => report.function(),
            Self::Consumption => "consumption",
        }
    }
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Principal {
    /// Tenantry's service principal in the lane's tenant.
    App,
    /// Somebody else, told apart by half of the SHA-256 of what they show: the same in every process.
    Bearer(u128),
}

impl Principal {
    /// Whoever shows `secret`, which must be too long to be guessed.
    pub fn bearing(secret: &SecretString) -> Self {
        let digest: [u8; 32] = Sha256::digest(secret.expose_secret()).into();
        Self::Bearer(digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte)))
    }
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

impl Lane {
    /// What all processes call it.
    fn name(&self) -> String {
        let mut name = format!("{}:{}", self.budget.name(), self.tenant);
        // Writing into a text cannot fail.
        let _ = match self.subscription {
            Some(subscription) => write!(name, ":{subscription}"),
            None => write!(name, ":-"),
        };
        let _ = match self.principal {
            Principal::App => write!(name, ":app"),
            Principal::Bearer(digest) => write!(name, ":{digest:032x}"),
        };
        name
    }
}

/// Every lane in use.
#[derive(Clone)]
pub(crate) struct Throttle {
    inner: Arc<Inner>,
}

struct Inner {
    lanes: Mutex<Lanes>,
    /// How long it has been going on.
    time: Box<dyn Fn() -> Duration + Send + Sync>,
    sharing: Option<Sharing>,
}

/// What this process knows of a lane. Its own tasks change it one after the other.
type Slot = tokio::sync::Mutex<Option<State>>;

/// The lanes in use, and until a while ago.
struct Lanes {
    slots: HashMap<Lane, Arc<Slot>>,
    /// With so many the unused ones are looked for: with twice as many as were in use the last time, so that those
    /// who use them all do not look through all of them at every call.
    many: usize,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { slots: HashMap::new(), many: MANY_LANES }
    }
}

impl Lanes {
    fn slot(&mut self, lane: Lane, now: impl FnOnce() -> Moment) -> Arc<Slot> {
        if self.slots.len() >= self.many {
            self.forget(now());
        }
        Arc::clone(self.slots.entry(lane).or_default())
    }

    fn forget(&mut self, now: Moment) {
        self.slots.retain(|_, slot| {
            let is_unused = Arc::strong_count(slot) == 1;
            let state = slot.try_lock();
            !is_unused || state.is_ok_and(|state| state.as_ref().is_some_and(|it| !it.is_forgotten(now)))
        });
        self.many = MANY_LANES.max(2 * self.slots.len());
    }
}

impl Throttle {
    /// Budgets of this process alone, or shared with all who know this place.
    pub fn new(budgets: Option<Arc<dyn SharedBudgets>>) -> Self {
        let started = Instant::now();
        Self::timed(budgets, Box::new(move || started.elapsed()))
    }

    fn timed(budgets: Option<Arc<dyn SharedBudgets>>, time: Box<dyn Fn() -> Duration + Send + Sync>) -> Self {
        let sharing = budgets.map(Sharing::new);
        Self { inner: Arc::new(Inner { lanes: Mutex::default(), time, sharing }) }
    }

    /// Waits until the lane allows a call; says how long it would take if that is beyond `patience`.
    pub async fn acquire(&self, lane: Lane, patience: Duration) -> Result<Permit, Duration> {
        let asked = Instant::now();
        let slot = self.slot(lane);
        loop {
            let left = patience.saturating_sub(asked.elapsed());
            let taken = self.change(lane, &slot, |state, now| state.take(now, left)).await;
            let closed_for = match taken {
                Ok(ticket) => match self.depart(lane, &slot, ticket).await {
                    Ok(permit) => return Ok(permit),
                    Err(closed_for) => closed_for,
                },
                Err(wait) => wait,
            };
            if closed_for > patience.saturating_sub(asked.elapsed()) {
                return Err(closed_for);
            }
            sleep(closed_for).await;
        }
    }

    /// Waits for the ticket's turn. Somebody may have been refused meanwhile.
    async fn depart(&self, lane: Lane, slot: &Arc<Slot>, ticket: Ticket) -> Result<Permit, Duration> {
        let (throttle, slot) = (self.clone(), Arc::clone(slot));
        let permit = Permit { throttle, lane, slot, ticket, ended: AtomicBool::default() };
        if !ticket.wait.is_zero() {
            sleep(ticket.wait).await;
            self.change(lane, &permit.slot, |state, now| state.open(now)).await?;
        }
        Ok(permit)
    }

    /// Changes what is known of a lane, for everybody if they can be reached.
    async fn change<T>(
        &self,
        lane: Lane,
        slot: &Slot,
        mut change: impl FnMut(&mut State, Moment) -> T + Send,
    ) -> T {
        let mut kept = slot.lock().await;
        if let Some(sharing) = &self.inner.sharing {
            let changed = sharing.change(&lane.name(), lane.budget, kept.as_ref(), &mut change).await;
            if let Some((state, outcome)) = changed {
                *kept = Some(state);
                return outcome;
            }
        }
        let now = self.inner.now();
        let mut state = State::newest(kept.take(), None, lane.budget, now);
        let outcome = change(&mut state, now);
        *kept = Some(state);
        outcome
    }

    fn slot(&self, lane: Lane) -> Arc<Slot> {
        lock(&self.inner.lanes).slot(lane, || self.inner.now())
    }
}

impl Inner {
    fn now(&self) -> Moment {
        let shared = self.sharing.as_ref().and_then(Sharing::now);
        shared.unwrap_or_else(|| Moment::after((self.time)()))
    }
}

/// The right to send one request; learns from its answer.
pub(crate) struct Permit {
    throttle: Throttle,
    lane: Lane,
    slot: Arc<Slot>,
    ticket: Ticket,
    ended: AtomicBool,
}

impl Permit {
    /// Corrects the count by what the answer says is left.
    pub async fn learn(&self, headers: &HeaderMap) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let reading = headers::reading(self.lane, headers);
        let end = |state: &mut State, now| state.end(self.ticket, now, reading);
        self.throttle.change(self.lane, &self.slot, end).await;
    }

    /// Closes the lane after a 429: a call before the time is up would be refused again.
    pub async fn refused(&self, retry_after: Duration) {
        let close = |state: &mut State, now| state.refused(now, retry_after);
        self.throttle.change(self.lane, &self.slot, close).await;
    }
}

impl Drop for Permit {
    /// A call without an answer is no longer under way either. Nobody waits for that to be known; where it
    /// cannot be told any more, it is forgotten like the calls of the dead.
    fn drop(&mut self) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (throttle, lane, slot) = (self.throttle.clone(), self.lane, Arc::clone(&self.slot));
        let ticket = self.ticket;
        runtime.spawn(async move {
            throttle.change(lane, &slot, |state, now| state.end(ticket, now, None)).await;
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
