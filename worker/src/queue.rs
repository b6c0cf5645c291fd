//! The queue: pushes jobs by their type, and runs them on apalis' workers.
//!
//! `store` is the contract and says what a task goes through; `redis` and `memory` keep it. `keeper` talks
//! to the store for one worker process, `lease` is the apalis backend fed by it, `attempt` runs one job and
//! decides what its end means, and `workers` puts these together. apalis-redis 1.0 as published stops at
//! 8,000 due tasks, dies of an answer that takes half a second, and runs tasks twice, hence our own backend.
//!
//! The queue promises: a pushed key runs at least once after the push, never twice at a time; a task whose
//! worker died is taken over when its lease runs out; what was given up is said exactly once by the job's
//! `give_up`. It does not promise to survive the loss of Redis: the rows do.

mod attempt;
mod keeper;
mod lease;
mod memory;
mod redis;
mod store;
mod ticket;
mod workers;

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use self::workers::{WorkerOptions, Workers};

use self::memory::MemoryStore;
use self::redis::RedisStore;
use self::store::{NewTask, Store};
use crate::job::Job;

/// Why the queue did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The address of Redis is not one. It may hold a password, so it is not repeated.
    #[error("the address of Redis is malformed")]
    Address,
    /// Redis is away, or refuses.
    #[error("Redis does not answer")]
    Unavailable(#[source] ::redis::RedisError),
    /// Redis has not answered in time.
    #[error("Redis has not answered in time")]
    TimedOut,
    /// A job cannot be written as JSON.
    #[error("the job {job} cannot be encoded")]
    Payload {
        /// The job's name.
        job: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The workers stopped without being asked to; the log says why.
    #[error("the workers stopped without being asked to")]
    Stopped,
}

/// When a pushed job is to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct When {
    /// What has the earliest deadline runs first; what has none runs last, in the order of the pushes.
    pub deadline: Option<DateTime<Utc>>,
    /// Not before this long from now.
    pub run_after: Option<Duration>,
}

/// How full one queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Tasks that are due and wait for a worker.
    pub ready: usize,
    /// Tasks that wait for their time.
    pub scheduled: usize,
    /// Tasks that a worker has.
    pub leased: usize,
    /// Jobs that were given up and not pushed again, as far as they are remembered.
    pub dead: usize,
    /// How long the next task in line, or the next without a deadline, has been due.
    pub oldest_ready_age: Option<Duration>,
}

/// Where jobs are pushed. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    store: Store,
}

impl Queue {
    /// A queue in Redis, shared by every process with the same `url`. Fails if nobody answers there; from
    /// then on it survives that.
    pub async fn redis(url: &SecretString) -> Result<Self, QueueError> {
        Ok(Self { store: Store::Redis(RedisStore::connect(url).await?) })
    }

    /// A queue of this process.
    pub fn memory() -> Self {
        Self { store: Store::Memory(MemoryStore::new()) }
    }

    /// Makes `job` run. Pushing it again while it waits adds nothing but urgency; while it runs, one more run.
    pub async fn push<J: Job>(&self, job: &J, when: When) -> Result<(), QueueError> {
        self.push_many(std::slice::from_ref(job), when).await
    }

    /// Makes all of `jobs` run.
    pub async fn push_many<J: Job>(&self, jobs: &[J], when: When) -> Result<(), QueueError> {
        let deadline = when.deadline.map(|deadline| deadline.timestamp_millis().try_into().unwrap_or(0));
        let delay = when.run_after.unwrap_or_default();
        let tasks = jobs.iter().map(|job| {
            let payload =
                serde_json::to_vec(job).map_err(|source| QueueError::Payload { job: J::NAME, source })?;
            Ok(NewTask { key: job.key(), payload, deadline, delay })
        });
        let tasks = tasks.collect::<Result<Vec<_>, QueueError>>()?;
        self.store.push(J::NAME, &tasks).await
    }

    /// How full the queue of that name is.
    pub async fn depth(&self, queue: &str) -> Result<QueueDepth, QueueError> {
        self.store.depth(queue).await
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.store {
            Store::Redis(_) => "redis",
            Store::Memory(_) => "memory",
        };
        f.debug_tuple("Queue").field(&kind).finish()
    }
}
