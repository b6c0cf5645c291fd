//! A worker's right to run one task, and its duty to say what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::store::{LeasedTask, Verdict};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The work is done.
    Finished,
    /// It failed, and may be tried again after this long.
    Failed { retry_in: Duration },
    /// It was throttled, which is not failing.
    Throttled { retry_in: Duration },
    /// It was given up, and that is written down.
    GaveUp,
    /// It was to be given up, and that could not be written down yet.
    StillToGiveUp { retry_in: Duration, max_attempts: u32 },
    /// It never ran, or was cut off by a shutdown: the lease goes back.
    HandedBack,
    /// Somebody else has the lease by now.
    Lost,
}

impl Outcome {
    /// What the store does about it, if attempt number `attempt` ended so.
    pub fn verdict(self, attempt: u32) -> Option<Verdict> {
        match self {
            Self::Finished => Some(Verdict::Finish),
            Self::GaveUp => Some(Verdict::Bury),
            Self::Failed { retry_in } => Some(Verdict::Retry { delay: retry_in, attempts: attempt }),
            Self::Throttled { retry_in } => {
                Some(Verdict::Retry { delay: retry_in, attempts: attempt.saturating_sub(1) })
            }
            Self::StillToGiveUp { retry_in, max_attempts } => {
                Some(Verdict::Retry { delay: retry_in, attempts: attempt.max(max_attempts) })
            }
            Self::HandedBack => {
                Some(Verdict::Retry { delay: Duration::ZERO, attempts: attempt.saturating_sub(1) })
            }
            Self::Lost => None,
        }
    }
}

/// What a ticket tells the keeper.
#[derive(Debug)]
pub(super) struct Report {
    pub key: Arc<str>,
    pub token: Arc<str>,
    pub verdict: Option<Verdict>,
}

/// The right to run one task. Dropping the last copy without [`settle`](Self::settle) hands the lease back.
#[derive(Clone, Debug)]
pub(super) struct Ticket(Arc<Right>);

#[derive(Debug)]
struct Right {
    key: Arc<str>,
    token: Arc<str>,
    attempt: u32,
    lost: CancellationToken,
    reports: Mutex<Option<UnboundedSender<Report>>>,
}

impl Ticket {
    /// The right to run `task`; `lost` is cancelled when somebody else gets it.
    pub fn new(task: &LeasedTask, lost: CancellationToken, reports: UnboundedSender<Report>) -> Self {
        Self(Arc::new(Right {
            key: Arc::clone(&task.key),
            token: Arc::clone(&task.token),
            attempt: task.attempt,
            lost,
            reports: Mutex::new(Some(reports)),
        }))
    }

    /// The number of this attempt, from one.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// The key of the run.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Ends when the right is lost.
    pub async fn lost(&self) {
        self.0.lost.cancelled().await;
    }

    /// Says what became of the task. Only the first word counts.
    pub fn settle(&self, outcome: Outcome) {
        self.0.settle(outcome);
    }
}

impl Right {
    fn settle(&self, outcome: Outcome) {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reports) = reports {
            let report = Report {
                key: Arc::clone(&self.key),
                token: Arc::clone(&self.token),
                verdict: outcome.verdict(self.attempt),
            };
            // A keeper that is gone has left the lease to run out.
            let _ = reports.send(report);
        }
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        self.settle(Outcome::HandedBack);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn ticket() -> (Ticket, mpsc::UnboundedReceiver<Report>) {
        let (reports, reported) = mpsc::unbounded_channel();
        let task = LeasedTask {
            key: "key".into(),
            token: "token".into(),
            payload: Arc::from([]),
            attempt: 3,
            order: 0,
            resumes: None,
        };
        (Ticket::new(&task, CancellationToken::new(), reports), reported)
    }

    #[test]
    fn only_failing_counts() {
        let delay = Duration::from_secs(7);
        let attempts = |outcome: Outcome| match outcome.verdict(3) {
            Some(Verdict::Retry { attempts, .. }) => attempts,
            other => panic!("{other:?} is no retry"),
        };
        assert_eq!(attempts(Outcome::Failed { retry_in: delay }), 3);
        assert_eq!(attempts(Outcome::Throttled { retry_in: delay }), 2);
        assert_eq!(attempts(Outcome::HandedBack), 2);
        assert_eq!(attempts(Outcome::StillToGiveUp { retry_in: delay, max_attempts: 5 }), 5);
    }

    #[test]
    fn a_dropped_ticket_hands_the_lease_back() {
        let (ticket, mut reported) = ticket();
        drop(ticket.clone());
        assert!(reported.try_recv().is_err(), "a copy is left");
        drop(ticket);
        let report = reported.try_recv().expect("a report");
        assert_eq!(report.verdict, Some(Verdict::Retry { delay: Duration::ZERO, attempts: 2 }));
    }

    #[test]
    fn only_the_first_word_counts() {
        let (ticket, mut reported) = ticket();
        ticket.settle(Outcome::Finished);
        ticket.settle(Outcome::GaveUp);
        drop(ticket);
        assert_eq!(reported.try_recv().expect("a report").verdict, Some(Verdict::Finish));
        assert!(reported.try_recv().is_err());
    }
}
