//! One attempt at a job: runs it, and decides what its end means.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Duration;

use apalis::prelude::{Acknowledge, BoxDynError, Data, ExecutionContext};

use super::ticket::{Outcome, Ticket};
use crate::job::{AttemptTimedOut, Job, JobError, LastAttemptLost};

/// How often a job that has used up its attempts is asked to give up before it is buried unheard.
const GIVE_UP_ATTEMPTS: u32 = 25;

/// The wait after the first failed attempt; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Runs `job` once and says how that ended: the one place where a [`JobError`] becomes what is done next.
pub(super) async fn attempt<J: Job>(
    job: J,
    context: Data<J::Context>,
    ticket: Data<Ticket>,
) -> Result<Outcome, Infallible> {
    let decided = decide(&job, &context, ticket.attempt());
    Ok(tokio::select! {
        outcome = decided => outcome,
        () = ticket.lost() => {
            tracing::warn!(job.name = J::NAME, job.key = ticket.key(), "another worker took this run over");
            Outcome::Lost
        }
    })
}

async fn decide<J: Job>(job: &J, context: &J::Context, attempt: u32) -> Outcome {
    if attempt > J::MAX_ATTEMPTS {
        return give_up(job, context, attempt, &LastAttemptLost { attempts: J::MAX_ATTEMPTS }.into()).await;
    }
    let run = tokio::time::timeout(J::TIMEOUT, job.run(context)).await;
    let why = match run.unwrap_or_else(|_| Err(JobError::Retry(AttemptTimedOut { limit: J::TIMEOUT }.into())))
    {
        Ok(()) => return Outcome::Finished,
        Err(JobError::RetryAfter(retry_in)) => return Outcome::Throttled { retry_in },
        Err(JobError::Retry(why)) if attempt < J::MAX_ATTEMPTS => {
            let error = format!("{why:#}");
            tracing::warn!(
                job.name = J::NAME,
                job.key = job.key(),
                job.attempt = attempt,
                error,
                "will retry"
            );
            return Outcome::Failed { retry_in: wait(attempt) };
        }
        Err(JobError::Retry(why) | JobError::Fail(why)) => why,
    };
    give_up(job, context, attempt, &why).await
}

async fn give_up<J: Job>(job: &J, context: &J::Context, attempt: u32, why: &anyhow::Error) -> Outcome {
    let error = format!("{why:#}");
    if attempt > J::MAX_ATTEMPTS.saturating_add(GIVE_UP_ATTEMPTS) {
        tracing::error!(job.name = J::NAME, job.key = job.key(), error, "buried without giving up");
        return Outcome::GaveUp;
    }
    tracing::warn!(job.name = J::NAME, job.key = job.key(), job.attempt = attempt, error, "giving up");
    let given_up = tokio::time::timeout(J::TIMEOUT, job.give_up(context, why)).await;
    match given_up.unwrap_or_else(|_| Err(AttemptTimedOut { limit: J::TIMEOUT }.into())) {
        Ok(()) => Outcome::GaveUp,
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(job.name = J::NAME, job.key = job.key(), error, "giving up failed");
            Outcome::StillToGiveUp { retry_in: wait(attempt), max_attempts: J::MAX_ATTEMPTS }
        }
    }
}

fn wait(attempt: u32) -> Duration {
    backoff(attempt, rand::random())
}

/// Doubles with every attempt; `chance`, from 0 to 1, spreads what failed together.
fn backoff(attempt: u32, chance: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let whole = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    whole.div_f64(2.0) + whole.mul_f64(chance.clamp(0.0, 1.0) / 2.0)
}

/// Hands the outcome to the ticket, once the attempt is over and its future gone.
#[derive(Clone, Debug)]
pub(super) struct Settle {
    /// The queue's name.
    pub queue: &'static str,
}

impl Acknowledge<Outcome> for Settle {
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn ack(&mut self, ended: &Result<Outcome, BoxDynError>, context: &ExecutionContext) -> Self::Future {
        if let Some(ticket) = context.data().get::<Ticket>() {
            ticket.settle(ended.as_ref().copied().unwrap_or_else(|_| self.panicked(ticket)));
        }
        ready(Ok(()))
    }
}

impl Settle {
    /// Nothing but a panic comes out of an attempt as an error. The panic hook has told what it was.
    pub fn panicked(&self, ticket: &Ticket) -> Outcome {
        let (job, attempt) = (self.queue, ticket.attempt());
        tracing::error!(job.name = job, job.key = ticket.key(), job.attempt = attempt, "an attempt panicked");
        // The retry of the last attempt is the one that gives up.
        Outcome::Failed { retry_in: wait(attempt) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    /// Never ends.
    #[derive(Clone, Serialize, Deserialize)]
    struct Stuck;

    impl Job for Stuck {
        const NAME: &'static str = "stuck";
        const CONCURRENCY: usize = 1;
        const MAX_ATTEMPTS: u32 = 2;
        const TIMEOUT: Duration = Duration::from_millis(5);
        type Context = Arc<AtomicU32>;

        fn key(&self) -> String {
            Self::NAME.to_owned()
        }

        async fn run(&self, _: &Self::Context) -> Result<(), JobError> {
            std::future::pending().await
        }

        async fn give_up(&self, given_up: &Self::Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
            let timed_out = why.is::<AttemptTimedOut>();
            given_up.fetch_add(if timed_out { 1 } else { 10 }, Ordering::Relaxed);
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_attempt_that_takes_too_long_has_failed() {
        let given_up = Arc::default();
        assert!(matches!(decide(&Stuck, &given_up, 1).await, Outcome::Failed { .. }));
        assert_eq!(given_up.load(Ordering::Relaxed), 0);

        assert_eq!(decide(&Stuck, &given_up, 2).await, Outcome::GaveUp);
        assert_eq!(given_up.load(Ordering::Relaxed), 1, "given up because of the time");
    }

    #[tokio::test]
    async fn beyond_the_last_attempt_it_is_only_given_up_and_not_for_ever() {
        let given_up = Arc::default();
        assert_eq!(decide(&Stuck, &given_up, 3).await, Outcome::GaveUp);
        assert_eq!(given_up.load(Ordering::Relaxed), 10, "given up because the last attempt is lost");

        assert_eq!(decide(&Stuck, &given_up, 3 + GIVE_UP_ATTEMPTS).await, Outcome::GaveUp);
        assert_eq!(given_up.load(Ordering::Relaxed), 10, "buried unheard");
    }

    proptest! {
        #[test]
        fn waits_grow_and_stay_bounded(attempt in 1..100_u32, chance in 0.0..1.0_f64) {
            let waited = backoff(attempt, chance);
            prop_assert!(waited >= FIRST_WAIT / 2);
            prop_assert!(waited <= LONGEST_WAIT);
            prop_assert!(backoff(attempt + 1, chance) >= waited);
        }
    }

    #[test]
    fn chance_spreads_over_half_the_wait() {
        assert_eq!(backoff(2, 0.0), FIRST_WAIT);
        assert_eq!(backoff(2, 1.0), FIRST_WAIT * 2);
    }
}
