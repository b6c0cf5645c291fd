//! Where tasks are kept: one contract, two implementations.
//!
//! A task is one pushed job. It is in one of three places: *ready*, ordered by deadline; *scheduled* for
//! later; or *leased* to a worker until a time. A lease has a token of its own, and whoever reports on a task
//! shows the token: a worker that lost its lease can change nothing any more. Attempts are counted when the
//! task is leased, so one that kills its worker is counted too.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::memory::MemoryStore;
use super::redis::RedisStore;
use super::{QueueDepth, QueueError};

/// What one call may carry: it bounds how long a script keeps Redis busy.
pub(super) const BATCH: usize = 200;

/// How many of the newest dead letters are kept.
pub(super) const DEAD_LETTERS: usize = 1_000;

/// Tasks without a deadline are ordered by the time of their push, behind every deadline.
pub(super) const NO_DEADLINE: u64 = 4_000_000_000_000_000;

/// A task to push.
#[derive(Debug, Clone)]
pub(super) struct NewTask {
    pub key: String,
    pub payload: Vec<u8>,
    /// In milliseconds since 1970.
    pub deadline: Option<u64>,
    pub delay: Duration,
}

/// A task and the worker's right to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeasedTask {
    pub key: Arc<str>,
    pub token: Arc<str>,
    pub payload: Arc<[u8]>,
    /// This attempt's number, from one.
    pub attempt: u32,
    /// The place in the line of what is ready; the smallest goes first.
    pub order: u64,
    /// The same keeper's lease that had run out; the run that began under it may still be under way.
    pub resumes: Option<Arc<str>>,
}

/// What a call for work brought.
#[derive(Debug, Default)]
pub(super) struct Leases {
    pub tasks: Vec<LeasedTask>,
    /// When the next task becomes due, as far as is known now.
    pub next: Option<Duration>,
}

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Finish,
    /// It is given up, and remembered as a dead letter.
    Bury,
    /// It waits for `delay`, with this many attempts on its account.
    Retry { delay: Duration, attempts: u32 },
}

/// A verdict on a leased task.
#[derive(Debug, Clone)]
pub(super) struct Settlement {
    pub key: Arc<str>,
    pub token: Arc<str>,
    pub verdict: Verdict,
}

/// Where the tasks of all queues are kept.
#[derive(Clone)]
pub(super) enum Store {
    Redis(RedisStore),
    Memory(MemoryStore),
}

impl Store {
    pub async fn push(&self, queue: &str, tasks: &[NewTask]) -> Result<(), QueueError> {
        match self {
            Self::Redis(store) => store.push(queue, tasks).await,
            Self::Memory(store) => {
                store.push(queue, tasks);
                Ok(())
            }
        }
    }

    /// Takes up to `count` tasks, earliest deadline first. Tasks whose lease has run out are ready again.
    pub async fn lease(
        &self,
        queue: &str,
        token: &Arc<str>,
        count: usize,
        lease: Duration,
    ) -> Result<Leases, QueueError> {
        match self {
            Self::Redis(store) => store.lease(queue, token, count, lease).await,
            Self::Memory(store) => Ok(store.lease(queue, token, count, lease)),
        }
    }

    /// Prolongs leases, and makes them anew where the store has lost everything. Answers the keys that
    /// somebody else holds by now.
    pub async fn extend(
        &self,
        queue: &str,
        tasks: &[LeasedTask],
        lease: Duration,
    ) -> Result<Vec<String>, QueueError> {
        match self {
            Self::Redis(store) => store.extend(queue, tasks, lease).await,
            Self::Memory(store) => Ok(store.extend(queue, tasks, lease)),
        }
    }

    /// Carries out verdicts. Answers how many came too late: their lease was somebody else's by then.
    pub async fn settle(&self, queue: &str, settlements: &[Settlement]) -> Result<usize, QueueError> {
        match self {
            Self::Redis(store) => store.settle(queue, settlements).await,
            Self::Memory(store) => Ok(store.settle(queue, settlements)),
        }
    }

    pub async fn depth(&self, queue: &str) -> Result<QueueDepth, QueueError> {
        match self {
            Self::Redis(store) => store.depth(queue).await,
            Self::Memory(store) => Ok(store.depth(queue)),
        }
    }

    /// How long until the next scheduled task is due; all of them are due earlier by `by`.
    pub async fn hasten(&self, queue: &str, by: Option<Duration>) -> Result<Option<Duration>, QueueError> {
        match self {
            Self::Redis(store) => store.hasten(queue, by).await,
            Self::Memory(store) => Ok(store.hasten(queue, by)),
        }
    }

    /// Changes whenever something has become ready.
    pub async fn bell(&self, queue: &str) -> Result<watch::Receiver<()>, QueueError> {
        match self {
            Self::Redis(store) => store.bell(queue).await,
            Self::Memory(store) => Ok(store.bell(queue)),
        }
    }
}

/// Whole milliseconds, rounded up so that nothing runs early, and small enough for a script's arithmetic.
pub(super) fn millis(duration: Duration) -> u64 {
    const LONGEST: u64 = 1 << 50;
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(LONGEST).min(LONGEST)
}
