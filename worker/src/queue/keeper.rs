//! Keeps one queue's leases for one worker process: fetches work for free hands, prolongs what is under way,
//! and reports what is done, each in batches.
//!
//! It never gives up on the store. While that is away, running jobs run on, and what they report is kept
//! until it can be delivered. A worker only ever holds as many leases as it has hands, so no leased task
//! waits in a buffer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::QueueError;
use super::store::{BATCH, LeasedTask, Settlement, Store};
use super::ticket::{Outcome, Report, Ticket};

/// Work is looked for this often, whatever the bell says: a bell can be lost.
const SAFETY_TICK: Duration = Duration::from_millis(250);

/// The longest pause while the store is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a keeper that is to stop tries to deliver its last reports.
const FAREWELL: Duration = Duration::from_secs(5);

/// A task on its way to a hand.
pub(super) struct Delivery {
    pub payload: Arc<[u8]>,
    pub ticket: Ticket,
}

/// What a keeper is told.
pub(super) struct Assignment {
    pub store: Store,
    pub queue: &'static str,
    pub hands: usize,
    pub lease: Duration,
    /// Unique to the process and the queue: it begins every token.
    pub name: String,
    /// Cancelled when no more work is wanted.
    pub closing: CancellationToken,
}

/// Keeps one queue's leases.
pub(super) struct Keeper {
    assignment: Assignment,
    deliveries: mpsc::Sender<Delivery>,
    reported: mpsc::UnboundedReceiver<Report>,
    reports: mpsc::UnboundedSender<Report>,
    held: HashMap<Arc<str>, Held>,
    settlements: Vec<Settlement>,
    bell: Option<watch::Receiver<()>>,
    extend_at: Instant,
    leases: u64,
    failures: u32,
    farewell: Option<Instant>,
}

struct Held {
    /// With the token that the store knows.
    task: LeasedTask,
    /// The token on the ticket.
    ticket: Arc<str>,
    lost: CancellationToken,
}

impl Keeper {
    /// A keeper, and where it delivers.
    pub fn new(assignment: Assignment) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, delivered) = mpsc::channel(assignment.hands.max(1));
        let (reports, reported) = mpsc::unbounded_channel();
        let extend_at = Instant::now() + assignment.lease / 3;
        let keeper = Self {
            assignment,
            deliveries,
            reported,
            reports,
            held: HashMap::new(),
            settlements: Vec::new(),
            bell: None,
            extend_at,
            leases: 0,
            failures: 0,
            farewell: None,
        };
        (keeper, delivered)
    }

    /// Works until told to close and nothing is held any more.
    pub async fn keep(mut self) {
        loop {
            self.collect();
            let pause = match self.round().await {
                Ok(pause) => {
                    self.recovered();
                    pause
                }
                Err(error) => self.failed(&error),
            };
            if self.is_done() {
                return;
            }
            self.rest(pause).await;
        }
    }

    async fn round(&mut self) -> Result<Duration, QueueError> {
        self.settle().await?;
        self.extend().await?;
        if self.bell.is_none() {
            self.bell = Some(self.assignment.store.bell(self.assignment.queue).await?);
        }
        self.lease().await
    }

    async fn settle(&mut self) -> Result<(), QueueError> {
        let Assignment { store, queue, .. } = &self.assignment;
        while !self.settlements.is_empty() {
            let batch = self.settlements.len().min(BATCH);
            let late = store.settle(queue, &self.settlements[..batch]).await?;
            self.settlements.drain(..batch);
            if late > 0 {
                tracing::warn!(queue.name = queue, tasks = late, "reported on leases that had run out");
            }
        }
        Ok(())
    }

    async fn extend(&mut self) -> Result<(), QueueError> {
        if Instant::now() < self.extend_at {
            return Ok(());
        }
        let Assignment { store, queue, lease, .. } = &self.assignment;
        let tasks: Vec<_> = self.held.values().map(|held| held.task.clone()).collect();
        for key in store.extend(queue, &tasks, *lease).await? {
            if let Some(held) = self.held.remove(key.as_str()) {
                held.lost.cancel();
            }
        }
        self.extend_at = Instant::now() + *lease / 3;
        Ok(())
    }

    /// Fills the free hands. Answers how long there is nothing to do.
    async fn lease(&mut self) -> Result<Duration, QueueError> {
        let until_extend = self.extend_at.saturating_duration_since(Instant::now());
        let wanted = self.free_hands().min(BATCH);
        if wanted == 0 {
            return Ok(until_extend);
        }
        self.leases += 1;
        let Assignment { store, queue, lease, name, .. } = &self.assignment;
        let token: Arc<str> = format!("{name}/{}", self.leases).into();
        let leases = store.lease(queue, &token, wanted, *lease).await?;
        let filled = leases.tasks.len() == wanted;
        for task in leases.tasks {
            self.deliver(task);
        }
        if filled && self.free_hands() > 0 {
            return Ok(Duration::ZERO);
        }
        Ok(leases.next.unwrap_or(SAFETY_TICK).min(SAFETY_TICK).min(until_extend))
    }

    fn deliver(&mut self, task: LeasedTask) {
        if let Some(held) = self.held.get_mut(&task.key) {
            if task.resumes.as_ref() == Some(&held.task.token) {
                // Our lease had run out, by a pause or a jump of the store's clock, and came straight back.
                held.task = task;
                return;
            }
            // Somebody else had it in between: the run under way here is overtaken.
            held.lost.cancel();
        }
        if self.assignment.closing.is_cancelled() {
            let LeasedTask { key, token, attempt, .. } = task;
            let verdict = Outcome::HandedBack.verdict(attempt);
            return self.note(Report { key, token, verdict });
        }
        let lost = CancellationToken::new();
        let ticket = Ticket::new(&task, lost.clone(), self.reports.clone());
        let payload = Arc::clone(&task.payload);
        let held = Held { ticket: Arc::clone(&task.token), task, lost };
        self.held.insert(Arc::clone(&held.task.key), held);
        // Refused only when nobody takes deliveries any more; then the dropped ticket hands the lease back.
        let _ = self.deliveries.try_send(Delivery { payload, ticket });
    }

    fn free_hands(&self) -> usize {
        if self.assignment.closing.is_cancelled() {
            return 0;
        }
        self.assignment.hands.saturating_sub(self.held.len())
    }

    fn collect(&mut self) {
        while let Ok(report) = self.reported.try_recv() {
            self.note(report);
        }
    }

    fn note(&mut self, Report { key, token: ticket, verdict }: Report) {
        let held = self.held.get(&key).filter(|held| held.ticket == ticket);
        let token = held.map_or(&ticket, |held| &held.task.token).clone();
        if held.is_some() {
            self.held.remove(&key);
        }
        if let Some(verdict) = verdict {
            self.settlements.push(Settlement { key, token, verdict });
        }
    }

    fn is_done(&mut self) -> bool {
        if !self.assignment.closing.is_cancelled() {
            return false;
        }
        if !self.held.is_empty() {
            return false;
        }
        if self.settlements.is_empty() {
            return self.reported.is_empty();
        }
        let farewell = *self.farewell.get_or_insert_with(|| Instant::now() + FAREWELL);
        Instant::now() >= farewell
    }

    fn recovered(&mut self) {
        if self.failures > 0 {
            tracing::info!(
                queue.name = self.assignment.queue,
                tries = self.failures,
                "the queue answers again"
            );
            self.failures = 0;
        }
    }

    /// Says so once per outage; the count comes with the end of it.
    fn failed(&mut self, error: &QueueError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            let error: &dyn std::error::Error = error;
            tracing::warn!(queue.name = self.assignment.queue, error, "the queue does not answer");
        }
        SAFETY_TICK.saturating_mul(self.failures).min(LONGEST_PAUSE)
    }

    async fn rest(&mut self, pause: Duration) {
        if self.failures > 0 {
            return tokio::time::sleep(pause).await;
        }
        let closing = self.assignment.closing.is_cancelled();
        let hungry = self.free_hands() > 0;
        let bell = self.bell.as_mut();
        tokio::select! {
            Some(report) = self.reported.recv() => self.note(report),
            () = rung(bell), if hungry => {}
            () = tokio::time::sleep(pause) => {}
            () = self.assignment.closing.cancelled(), if !closing => {}
        }
    }
}

async fn rung(bell: Option<&mut watch::Receiver<()>>) {
    if let Some(bell) = bell
        && bell.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
