//! Tasks in this process: for an installation that is a single process.
//!
//! Nothing survives a restart, and nothing needs to: the sweep rings again for every row that is not done.

mod line;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::line::Line;
use super::QueueDepth;
use super::store::{LeasedTask, Leases, NewTask, Settlement, millis};

/// Tasks in this process.
#[derive(Clone)]
pub(super) struct MemoryStore {
    since: Instant,
    lines: Arc<Mutex<HashMap<String, Queued>>>,
}

#[derive(Default)]
struct Queued {
    line: Line,
    bell: watch::Sender<()>,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self { since: Instant::now(), lines: Arc::default() }
    }

    pub fn push(&self, queue: &str, tasks: &[NewTask]) {
        self.with(queue, |line, now| {
            for task in tasks {
                line.push(task, now);
            }
        });
    }

    pub fn lease(&self, queue: &str, token: &Arc<str>, count: usize, lease: Duration) -> Leases {
        self.with(queue, |line, now| line.lease(token, count, millis(lease), now))
    }

    pub fn extend(&self, queue: &str, tasks: &[LeasedTask], lease: Duration) -> Vec<String> {
        self.with(queue, |line, now| line.extend(tasks, millis(lease), now))
    }

    pub fn settle(&self, queue: &str, settlements: &[Settlement]) -> usize {
        self.with(queue, |line, now| {
            settlements.iter().filter(|settlement| !line.settle(settlement, now)).count()
        })
    }

    pub fn depth(&self, queue: &str) -> QueueDepth {
        self.with(queue, |line, now| line.depth(now))
    }

    pub fn hasten(&self, queue: &str, by: Option<Duration>) -> Option<Duration> {
        self.with(queue, |line, now| line.hasten(by.map(millis), now)).map(Duration::from_millis)
    }

    pub fn bell(&self, queue: &str) -> watch::Receiver<()> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(queue.to_owned()).or_default().bell.subscribe()
    }

    /// Works on one line, and rings its bell if that made something ready.
    fn with<T>(&self, queue: &str, work: impl FnOnce(&mut Line, u64) -> T) -> T {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Queued { line, bell } = lines.entry(queue.to_owned()).or_default();
        let answer = work(line, now);
        if line.take_rung() {
            bell.send_replace(());
        }
        answer
    }
}
