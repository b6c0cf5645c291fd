//! The backend that apalis' workers poll: decodes what the keeper has leased.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apalis::prelude::{Backend, Task, TaskBuilder, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::layers::Identity;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::keeper::{Assignment, Delivery, Keeper};
use super::ticket::Outcome;
use crate::job::Job;

/// The backend of the jobs `J`. It never fails: what goes wrong below it is the keeper's business.
pub(super) struct Lease<J> {
    delivered: mpsc::Receiver<Delivery>,
    closing: CancellationToken,
    keeper: Option<JoinHandle<()>>,
    _close_when_dropped: DropGuard,
    _jobs: PhantomData<fn() -> J>,
}

impl<J: Job> Lease<J> {
    /// Sets a keeper to work, as one of `keepers`.
    pub fn start(assignment: Assignment, keepers: &TaskTracker) -> Self {
        let closing = assignment.closing.clone();
        let (keeper, delivered) = Keeper::new(assignment);
        Self {
            delivered,
            _close_when_dropped: closing.clone().drop_guard(),
            closing,
            keeper: Some(keepers.spawn(keeper.keep())),
            _jobs: PhantomData,
        }
    }
}

/// The job in `delivery`. What is none becomes a dead letter; the payload is not logged, it may be anything.
pub(super) fn decode<J: Job>(delivery: &Delivery) -> Option<J> {
    let job = serde_json::from_slice(&delivery.payload).ok();
    if job.is_none() {
        tracing::error!(queue.name = J::NAME, "a task that cannot be decoded is now a dead letter");
        delivery.ticket.settle(Outcome::GaveUp);
    }
    job
}

impl<J: Job> Backend for Lease<J> {
    type Task = Task<J>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        loop {
            let Some(delivery) = ready!(self.delivered.poll_recv(context)) else { return Poll::Ready(None) };
            if let Some(job) = decode::<J>(&delivery) {
                return Poll::Ready(Some(Ok(TaskBuilder::new(job).data(delivery.ticket).build())));
            }
        }
    }

    fn poll_close(&mut self, context: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.closing.cancel();
        self.delivered.close();
        while self.delivered.try_recv().is_ok() {}
        if let Some(keeper) = &mut self.keeper {
            // A keeper that panicked has left its leases to run out; there is nothing more to wait for.
            let _ = ready!(Pin::new(keeper).poll(context));
            self.keeper = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<J: Job> BackendConfig for Lease<J> {
    type Args = J;
    type Id = ();
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}
