//! A job that does as it is told, and a stage that keeps a journal of what it did.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use support::eventually::eventually;
use support::redis::RedisServer;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::job::{Job, JobError};
use worker::queue::{Queue, QueueDepth, QueueError, When, WorkerOptions, Workers};

/// What one attempt does. An attempt that was told nothing finishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Finish,
    Retry,
    RetryAfter(Duration),
    Fail,
    Panic,
    /// Waits to be released, then finishes.
    Hold,
    /// Pushes itself, then finishes.
    PushItself,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Began(String),
    Ended(String),
    GaveUp(String, String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rehearse {
    pub key: String,
}

pub fn rehearse(key: &str) -> Rehearse {
    Rehearse { key: key.to_owned() }
}

/// Has the queue of [`Rehearse`], and a payload that is none of its.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Garbled {
    pub number: u32,
}

/// Where the jobs of one test run.
#[derive(Clone)]
pub struct Stage(Arc<Inner>);

pub struct Inner {
    pub queue: Queue,
    pub redis: tokio::sync::Mutex<Option<RedisServer>>,
    journal: Mutex<Vec<Line>>,
    acts: Mutex<HashMap<String, VecDeque<Act>>>,
    give_up_fails: Mutex<u32>,
    running: Mutex<HashSet<String>>,
    released: Semaphore,
}

impl std::ops::Deref for Stage {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    pub fn memory() -> Self {
        Self::on(Queue::memory(), None)
    }

    pub async fn redis() -> Result<Self> {
        let server = RedisServer::start().await?;
        let queue = Queue::redis(&server.url()).await?;
        Ok(Self::on(queue, Some(server)))
    }

    fn on(queue: Queue, redis: Option<RedisServer>) -> Self {
        Self(Arc::new(Inner {
            queue,
            redis: tokio::sync::Mutex::new(redis),
            journal: Mutex::default(),
            acts: Mutex::default(),
            give_up_fails: Mutex::default(),
            running: Mutex::default(),
            released: Semaphore::new(0),
        }))
    }

    /// What the next attempts at `key` do.
    pub fn plan(&self, key: &str, acts: &[Act]) {
        lock(&self.acts).entry(key.to_owned()).or_default().extend(acts);
    }

    /// How many of the next calls of `give_up` fail.
    pub fn plan_failing_give_ups(&self, count: u32) {
        *lock(&self.give_up_fails) = count;
    }

    /// Lets so many held attempts end.
    pub fn release(&self, count: usize) {
        self.released.add_permits(count);
    }

    pub async fn push(&self, key: &str) -> Result<(), QueueError> {
        self.push_at(key, When::default()).await
    }

    pub async fn push_at(&self, key: &str, when: When) -> Result<(), QueueError> {
        self.queue.push(&rehearse(key), when).await
    }

    pub async fn depth(&self) -> Result<QueueDepth, QueueError> {
        self.queue.depth(Rehearse::NAME).await
    }

    pub fn workers(&self) -> Workers {
        self.workers_with(WorkerOptions::default())
    }

    pub fn workers_with(&self, options: WorkerOptions) -> Workers {
        Workers::new(self.queue.clone(), options).register::<Rehearse>(self.clone())
    }

    pub fn journal(&self) -> Vec<Line> {
        lock(&self.journal).clone()
    }

    /// The keys in the order in which attempts began.
    pub fn began(&self) -> Vec<String> {
        let lines = self.journal().into_iter();
        lines.filter_map(|line| if let Line::Began(key) = line { Some(key) } else { None }).collect()
    }

    pub fn gave_up(&self) -> Vec<String> {
        let lines = self.journal().into_iter();
        lines.filter_map(|line| if let Line::GaveUp(_, why) = line { Some(why) } else { None }).collect()
    }

    pub fn ended(&self) -> usize {
        self.journal().iter().filter(|line| matches!(line, Line::Ended(_))).count()
    }

    pub async fn eventually_began(&self, count: usize) {
        let what = format!("{count} attempts began");
        eventually(&what, async || (self.began().len() >= count).then_some(())).await;
    }

    /// Waits until nothing is ready, scheduled or leased.
    pub async fn eventually_idle(&self) -> QueueDepth {
        eventually("the queue is idle", async || {
            let depth = self.depth().await.ok()?;
            (depth.ready + depth.scheduled + depth.leased == 0).then_some(depth)
        })
        .await
    }

    fn note(&self, line: Line) {
        lock(&self.journal).push(line);
    }

    async fn act(&self, key: &str, act: Act) -> Result<(), JobError> {
        match act {
            Act::Finish => {}
            Act::Retry => return Err(anyhow!("told to retry").into()),
            Act::RetryAfter(delay) => return Err(JobError::RetryAfter(delay)),
            Act::Fail => return Err(JobError::Fail(anyhow!("told to fail"))),
            Act::Panic => panic!("told to panic"),
            Act::Hold => self.released.acquire().await.map_err(anyhow::Error::new)?.forget(),
            Act::PushItself => self.push(key).await.map_err(anyhow::Error::new)?,
        }
        self.note(Line::Ended(key.to_owned()));
        Ok(())
    }
}

/// Notices two runs of one key at a time.
struct Running<'a> {
    stage: &'a Stage,
    key: &'a str,
}

impl<'a> Running<'a> {
    fn begin(stage: &'a Stage, key: &'a str) -> Self {
        assert!(lock(&stage.running).insert(key.to_owned()), "two runs of {key} at a time");
        stage.note(Line::Began(key.to_owned()));
        Self { stage, key }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        lock(&self.stage.running).remove(self.key);
    }
}

impl Job for Rehearse {
    const NAME: &'static str = "rehearse";
    const CONCURRENCY: usize = 16;
    const MAX_ATTEMPTS: u32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(20);
    type Context = Stage;

    fn key(&self) -> String {
        self.key.clone()
    }

    async fn run(&self, stage: &Stage) -> Result<(), JobError> {
        let _running = Running::begin(stage, &self.key);
        let act = lock(&stage.acts).get_mut(&self.key).and_then(VecDeque::pop_front);
        stage.act(&self.key, act.unwrap_or(Act::Finish)).await
    }

    async fn give_up(&self, stage: &Stage, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        {
            let mut fails = lock(&stage.give_up_fails);
            if *fails > 0 {
                *fails -= 1;
                return Err(anyhow!("told to fail giving up"));
            }
        }
        stage.note(Line::GaveUp(self.key.clone(), why.to_string()));
        Ok(())
    }
}

impl Job for Garbled {
    const NAME: &'static str = Rehearse::NAME;
    const CONCURRENCY: usize = Rehearse::CONCURRENCY;
    const MAX_ATTEMPTS: u32 = Rehearse::MAX_ATTEMPTS;
    type Context = Stage;

    fn key(&self) -> String {
        format!("garbled-{}", self.number)
    }

    async fn run(&self, _: &Stage) -> Result<(), JobError> {
        Ok(())
    }

    async fn give_up(&self, _: &Stage, _: &anyhow::Error) -> Result<(), anyhow::Error> {
        Ok(())
    }
}

/// Workers at work, until [`stop`](Self::stop) or the end of the test.
pub struct AtWork {
    shutdown: CancellationToken,
    working: JoinHandle<Result<(), QueueError>>,
}

impl AtWork {
    pub fn start(workers: Workers) -> Self {
        let shutdown = CancellationToken::new();
        let working = tokio::spawn(workers.run(shutdown.clone()));
        Self { shutdown, working }
    }

    /// Asks them to stop without waiting for it.
    pub fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits for them to have stopped.
    pub async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        Ok(self.working.await??)
    }
}

/// Writes a test once and runs it over both backends.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($stage:ident: Stage) $body:block)*) => {
        $($(#[$attribute])* async fn $name($stage: Stage) -> anyhow::Result<()> { $body; Ok(()) })*

        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> anyhow::Result<()> {
                super::$name($crate::queue::stage::Stage::memory()).await
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> anyhow::Result<()> {
                super::$name($crate::queue::stage::Stage::redis().await?).await
            })*
        }
    };
}

pub(crate) use on_both;
