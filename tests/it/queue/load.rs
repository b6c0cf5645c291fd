//! Many tasks at once: the backlog that stops other queues.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use support::eventually::eventually;
use support::redis::RedisServer;
use worker::job::{Job, JobError};
use worker::queue::{Queue, QueueDepth, When, WorkerOptions, Workers};

use super::stage::AtWork;

const BACKLOG: usize = 50_000;

#[derive(Clone, Default)]
struct Tally {
    runs: Arc<AtomicUsize>,
    by_number: Arc<Mutex<HashMap<usize, usize>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Count {
    number: usize,
}

impl Job for Count {
    const NAME: &'static str = "count";
    const CONCURRENCY: usize = 100;
    const MAX_ATTEMPTS: u32 = 3;
    type Context = Tally;

    fn key(&self) -> String {
        self.number.to_string()
    }

    async fn run(&self, tally: &Tally) -> Result<(), JobError> {
        *tally.by_number.lock().unwrap_or_else(PoisonError::into_inner).entry(self.number).or_default() += 1;
        tally.runs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn give_up(&self, _: &Tally, _: &anyhow::Error) -> Result<(), anyhow::Error> {
        Ok(())
    }
}

/// Consumes a backlog with the workers of `queues`, which stand for as many processes.
async fn consume(queues: &[Queue]) -> Result<()> {
    let jobs: Vec<_> = (0..BACKLOG).map(|number| Count { number }).collect();
    queues[0].push_many(&jobs, When::default()).await?;
    assert_eq!(queues[0].depth(Count::NAME).await?.ready, BACKLOG);

    let tally = Tally::default();
    let working: Vec<_> = queues
        .iter()
        .map(|queue| Workers::new(queue.clone(), WorkerOptions::default()).register::<Count>(tally.clone()))
        .map(AtWork::start)
        .collect();
    eventually("the backlog is consumed", async || {
        (tally.runs.load(Ordering::Relaxed) >= BACKLOG).then_some(())
    })
    .await;
    for working in working {
        working.stop().await?;
    }

    let by_number = std::mem::take(&mut *tally.by_number.lock().unwrap_or_else(PoisonError::into_inner));
    assert_eq!(by_number.len(), BACKLOG);
    assert!(by_number.values().all(|runs| *runs == 1), "each once");
    assert_eq!(queues[0].depth(Count::NAME).await?, QueueDepth::default(), "nothing is left behind");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_due_tasks_in_memory() -> Result<()> {
    consume(&[Queue::memory()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_due_tasks_in_redis() -> Result<()> {
    let redis = RedisServer::start().await?;
    consume(&[Queue::redis(&redis.url()).await?]).await?;

    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis.connect().await?).await?;
    assert_eq!(keys, [""; 0], "a finished task leaves nothing behind");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_a_backlog() -> Result<()> {
    let redis = RedisServer::start().await?;
    consume(&[Queue::redis(&redis.url()).await?, Queue::redis(&redis.url()).await?]).await
}
