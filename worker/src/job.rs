//! The whole contract of a job.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of work that is done outside of a request. The value is the payload: ids, never data.
///
/// A run may be repeated, by a retry or because its worker died, so it asks the database what is left to do
/// and repeats nothing that is done. Two runs of one [`key`](Job::key) never overlap.
pub trait Job: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The queue's name: verb and noun, as in `scan-tenant`. Stored in Redis, so it outlives renamed types.
    const NAME: &'static str;
    /// How many runs one worker process has under way at the same time.
    const CONCURRENCY: usize;
    /// How many attempts may fail before the job is given up. Being throttled is not failing.
    const MAX_ATTEMPTS: u32;
    /// How long one attempt may take.
    const TIMEOUT: Duration = Duration::from_hours(1);

    /// What a run needs of the process it is in.
    type Context: Clone + Send + Sync + 'static;

    /// Names the run. Pushing a key that waits already adds nothing; pushing one that is under way makes it
    /// run once more afterwards.
    fn key(&self) -> String;

    /// One attempt.
    fn run(&self, context: &Self::Context) -> impl Future<Output = Result<(), JobError>> + Send;

    /// Writes down that no further attempt follows, and why. Runs again if it fails itself.
    fn give_up(
        &self,
        context: &Self::Context,
        why: &anyhow::Error,
    ) -> impl Future<Output = Result<(), anyhow::Error>> + Send;
}

/// Why an attempt did not end well, by what is done next.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Try again after a while; counts as a failed attempt.
    #[error("the attempt failed")]
    Retry(#[source] anyhow::Error),
    /// Try again after exactly this long; does not count, so the job itself must watch its deadline.
    #[error("throttled for {0:?}")]
    RetryAfter(Duration),
    /// No further attempt can help.
    #[error("the job failed")]
    Fail(#[source] anyhow::Error),
}

impl From<anyhow::Error> for JobError {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}

/// Why a job was given up when no attempt lived to say it: the last one panicked, or its worker died.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("none of the {attempts} attempts came to an end")]
pub struct LastAttemptLost {
    /// The job's `MAX_ATTEMPTS`.
    pub attempts: u32,
}

/// An attempt took longer than the job's `TIMEOUT`.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the attempt took longer than {limit:?}")]
pub struct AttemptTimedOut {
    /// The job's `TIMEOUT`.
    pub limit: Duration,
}
