//! The workers of one process: apalis' runtime over leases.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{AcknowledgeLayer, Data, Monitor, ParallelizeLayer, WorkerBuilder};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use uuid::Uuid;

use super::attempt::{Settle, attempt};
use super::keeper::{Assignment, Delivery};
use super::lease::{Lease, decode};
use super::store::{LeasedTask, Settlement, Store};
use super::ticket::{Report, Ticket};
use super::{Queue, QueueError};
use crate::job::Job;

/// How long the keepers have for their last reports after everything else has stopped.
const LAST_REPORTS: Duration = Duration::from_secs(10);

/// How a process works on the queues.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// A task whose worker died is taken over after this long.
    pub lease: Duration,
    /// How long running jobs have to finish once the process is to stop.
    pub grace: Duration,
    /// What this process is called in logs.
    pub instance: String,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), grace: Duration::from_secs(25), instance: "worker".to_owned() }
    }
}

/// The workers of one process. Each registered job has its own.
pub struct Workers {
    queue: Queue,
    options: WorkerOptions,
    crews: Vec<Box<dyn Crew>>,
}

impl Workers {
    /// Workers that know no job yet.
    pub fn new(queue: Queue, options: WorkerOptions) -> Self {
        Self { queue, options, crews: Vec::new() }
    }

    /// Teaches them the job `J`, whose runs get `context`.
    #[must_use]
    pub fn register<J: Job>(mut self, context: J::Context) -> Self {
        self.crews.push(Box::new(Registered::<J> { context }));
        self
    }

    /// Works until `shutdown`, then starts nothing new, lets what is running finish within the grace time,
    /// and hands every other lease back.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), QueueError> {
        let place = Arc::new(Workplace {
            store: self.queue.store,
            lease: self.options.lease,
            // Tokens must differ from those of every other process, and of this one's former lives.
            name: format!("{}-{}", self.options.instance, Uuid::new_v4()),
            shutdown: shutdown.clone(),
            keepers: TaskTracker::new(),
        });
        let monitor = self.crews.iter().fold(Monitor::new(), |monitor, crew| crew.join(monitor, &place));
        let grace = self.options.grace;
        let stopped = monitor
            .should_restart(|_, _| true)
            // The time must not begin to run before it is first looked at.
            .with_terminator(async move { tokio::time::sleep(grace).await })
            .run_with_signal(async {
                shutdown.cancelled().await;
                Ok(())
            })
            .await;
        place.keepers.close();
        if tokio::time::timeout(LAST_REPORTS, place.keepers.wait()).await.is_err() {
            tracing::warn!("stopped without handing every lease back; they will run out");
        }
        if stopped.is_err() || !shutdown.is_cancelled() {
            return Err(QueueError::Stopped);
        }
        Ok(())
    }

    /// Runs everything that is due, one task after the other, until nothing is. Answers how many attempts
    /// that took. For one process alone, without [`run`](Self::run): tests and demonstrations.
    pub async fn run_due(&self) -> Result<usize, QueueError> {
        let mut attempts = 0;
        loop {
            let before = attempts;
            for crew in &self.crews {
                attempts += crew.run_due(&self.queue.store, self.options.lease).await?;
            }
            if attempts == before {
                return Ok(attempts);
            }
        }
    }

    /// Makes the next scheduled task of all queues due now, and answers how early: for tests, which move
    /// their clock by that instead of waiting.
    pub async fn skip_ahead(&self) -> Result<Option<Duration>, QueueError> {
        let store = &self.queue.store;
        let mut next: Option<Duration> = None;
        for crew in &self.crews {
            next = store.hasten(crew.queue(), None).await?.into_iter().chain(next).min();
        }
        let Some(early) = next else { return Ok(None) };
        // For the others as much time has passed.
        for crew in &self.crews {
            store.hasten(crew.queue(), Some(early)).await?;
        }
        Ok(Some(early))
    }
}

/// What the workers of one process share.
struct Workplace {
    store: Store,
    lease: Duration,
    name: String,
    shutdown: CancellationToken,
    keepers: TaskTracker,
}

/// The workers of one job, whichever it is.
trait Crew: Send + Sync {
    fn queue(&self) -> &'static str;
    fn join(&self, monitor: Monitor, place: &Arc<Workplace>) -> Monitor;
    fn run_due<'a>(&'a self, store: &'a Store, lease: Duration) -> BoxFuture<'a, Result<usize, QueueError>>;
}

struct Registered<J: Job> {
    context: J::Context,
}

impl<J: Job> Crew for Registered<J> {
    fn queue(&self) -> &'static str {
        J::NAME
    }

    fn join(&self, monitor: Monitor, place: &Arc<Workplace>) -> Monitor {
        let (place, context) = (Arc::clone(place), self.context.clone());
        monitor.register(move |restarts| {
            let name = format!("{}/{}/{restarts}", place.name, J::NAME);
            let assignment = Assignment {
                store: place.store.clone(),
                queue: J::NAME,
                hands: J::CONCURRENCY,
                lease: place.lease,
                name: name.clone(),
                closing: place.shutdown.child_token(),
            };
            WorkerBuilder::new(name)
                .backend(Lease::<J>::start(assignment, &place.keepers))
                // Each job is a task of its own, on any core, and ends with its worker.
                .layer(ParallelizeLayer::new(|job| AbortOnDropHandle::new(tokio::spawn(job))))
                .layer(AcknowledgeLayer::new(Settle { queue: J::NAME }))
                .catch_panic()
                .data(context.clone())
                .build(attempt::<J>)
        })
    }

    fn run_due<'a>(&'a self, store: &'a Store, lease: Duration) -> BoxFuture<'a, Result<usize, QueueError>> {
        async move {
            let mut attempts = 0;
            loop {
                let token: Arc<str> = Uuid::new_v4().to_string().into();
                let Some(task) = store.lease(J::NAME, &token, 1, lease).await?.tasks.pop() else {
                    return Ok(attempts);
                };
                attempts += 1;
                if let Some(settlement) = self.run(&task).await {
                    store.settle(J::NAME, &[settlement]).await?;
                }
            }
        }
        .boxed()
    }
}

impl<J: Job> Registered<J> {
    /// Runs `task` here and now, without apalis.
    async fn run(&self, task: &LeasedTask) -> Option<Settlement> {
        let (reports, mut reported) = mpsc::unbounded_channel();
        let ticket = Ticket::new(task, CancellationToken::new(), reports);
        let delivery = Delivery { payload: Arc::clone(&task.payload), ticket: ticket.clone() };
        if let Some(job) = decode::<J>(&delivery) {
            let run = attempt(job, Data::new(self.context.clone()), Data::new(ticket.clone()));
            let outcome = match AssertUnwindSafe(run).catch_unwind().await {
                Ok(Ok(outcome)) => outcome,
                Err(_) => Settle { queue: J::NAME }.panicked(&ticket),
            };
            ticket.settle(outcome);
        }
        let Report { key, token, verdict } = reported.recv().await?;
        Some(Settlement { key, token, verdict: verdict? })
    }
}
