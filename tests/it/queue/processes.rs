//! Worker processes that die, or stand still.

use std::process::{Child, Command};
use std::time::Instant;

use anyhow::{Result, ensure};
use support::eventually::eventually;
use support::probe::{self, Hold, LEASE, Notebook};
use support::redis::RedisServer;
use tokio_util::sync::CancellationToken;
use worker::job::Job;
use worker::queue::{Queue, When};

const PROBE: &str = env!("CARGO_BIN_EXE_queue-probe");

/// A worker process that is gone at the end of the test.
struct Process(Child);

impl Process {
    fn start(redis: &RedisServer, name: &str) -> Result<Self> {
        Ok(Self(probe::spawn(PROBE, &redis.url(), name)?))
    }

    fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill").arg(signal).arg(self.0.id().to_string()).status()?;
        ensure!(sent.success(), "the process is gone");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that is gone already is no harm.
        let _ = self.kill();
    }
}

async fn eventually_notes(notebook: &Notebook, expected: &[&str]) {
    let what = format!("the notes are {expected:?}");
    eventually(&what, async || (notebook.notes().await.ok()? == expected).then_some(())).await;
}

async fn eventually_idle(queue: &Queue) -> usize {
    eventually("the queue is idle", async || {
        let depth = queue.depth(Hold::NAME).await.ok()?;
        (depth.ready + depth.scheduled + depth.leased == 0).then_some(depth.dead)
    })
    .await
}

#[tokio::test]
async fn a_killed_worker_is_replaced_after_the_lease_and_once() -> Result<()> {
    let redis = RedisServer::start().await?;
    let notebook = Notebook { name: "test".to_owned(), url: redis.url() };
    let queue = Queue::redis(&redis.url()).await?;
    queue.push(&Hold { key: "key".to_owned() }, When::default()).await?;
    let mut first = Process::start(&redis, "first")?;
    eventually_notes(&notebook, &["begun by first"]).await;
    let _second = Process::start(&redis, "second")?;
    let _third = Process::start(&redis, "third")?;

    let killed = Instant::now();
    first.kill()?;
    let notes = eventually("somebody takes over", async || {
        notebook.notes().await.ok().filter(|notes| notes.len() == 2)
    })
    .await;
    let taken_over = killed.elapsed();

    assert!(taken_over >= LEASE / 2, "after {taken_over:?}, before the lease can have run out");
    notebook.release().await?;
    assert_eq!(eventually_idle(&queue).await, 0);
    assert_eq!(notebook.notes().await?.len(), 3, "begun, begun again, ended: {notes:?}");
    Ok(())
}

#[tokio::test]
async fn a_last_attempt_that_dies_with_its_worker_is_given_up_once() -> Result<()> {
    let redis = RedisServer::start().await?;
    let notebook = Notebook { name: "test".to_owned(), url: redis.url() };
    let queue = Queue::redis(&redis.url()).await?;
    queue.push(&Hold { key: "key".to_owned() }, When::default()).await?;

    let mut first = Process::start(&redis, "first")?;
    eventually_notes(&notebook, &["begun by first"]).await;
    first.kill()?;
    let mut second = Process::start(&redis, "second")?;
    eventually_notes(&notebook, &["begun by first", "begun by second"]).await;
    second.kill()?;
    let _third = Process::start(&redis, "third")?;

    assert_eq!(eventually_idle(&queue).await, 1);
    let given_up = "given up: none of the 2 attempts came to an end by third";
    assert_eq!(notebook.notes().await?, ["begun by first", "begun by second", given_up]);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_stood_still_cannot_undo_what_happened_since() -> Result<()> {
    let redis = RedisServer::start().await?;
    let notebook = Notebook { name: "test".to_owned(), url: redis.url() };
    let queue = Queue::redis(&redis.url()).await?;
    queue.push(&Hold { key: "key".to_owned() }, When::default()).await?;
    let still = Process::start(&redis, "still")?;
    eventually_notes(&notebook, &["begun by still"]).await;

    still.signal("-STOP")?;
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(probe::work(redis.url(), "test".to_owned(), shutdown.clone()));
    eventually_notes(&notebook, &["begun by still", "begun by test"]).await;
    still.signal("-CONT")?;
    // Of two who wait to be released, the first one waits longer: so let both go.
    notebook.release().await?;
    notebook.release().await?;

    assert_eq!(eventually_idle(&queue).await, 0);
    shutdown.cancel();
    working.await??;
    let notes = notebook.notes().await?;
    assert!(notes.contains(&"ended by test".to_owned()), "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.starts_with("begun")).count(), 2, "{notes:?}");
    Ok(())
}
