//! How soon a pushed job starts, and how many no-op jobs one worker process does in a second, beside a bare
//! loop of `XREADGROUP` and `XACK` on the same Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Value};
use serde::{Deserialize, Serialize};
use support::figures::{Figure, percentile, rate};
use support::redis::RedisServer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use worker::job::{Job, JobError};
use worker::queue::{Queue, When, WorkerOptions, Workers};

/// Jobs of a measurement of throughput.
const JOBS: usize = 50_000;

/// Jobs of a measurement of latency, and the time from one push to the next.
const PUSHES: usize = 300;
const EVERY: Duration = Duration::from_millis(23);

/// What the bare loop reads from.
const STREAM: &str = "bench:jobs";
const GROUP: &str = "bench";

#[tokio::main]
async fn main() -> Result<()> {
    let server = RedisServer::start().await?;
    let (mut ours, mut bare) = (latencies(&server).await?, bare_latencies(&server).await?);
    for percent in [50, 99] {
        let what = format!("push to start over Redis, {percent} of 100 within");
        let (ours, theirs) = (percentile(&mut ours, percent), percentile(&mut bare, percent));
        Figure { what: &what, unit: "ms", ours, theirs, whose: "bare XREADGROUP" }.print();
        if percent == 50 {
            Figure { what: &what, unit: "ms", ours, theirs: 20.0, whose: "limit" }.print();
        }
    }
    let ours = rate(JOBS as u64, through_worker(&server).await?);
    let what = "no-op jobs through one worker process, 32 at a time";
    for batch in [100, 10] {
        let theirs = rate(JOBS as u64, through_stream(&server, batch).await?);
        let whose = format!("bare XREADGROUP and XACK, {batch} at a time");
        Figure { what, unit: "jobs/s", ours, theirs, whose: &whose }.print();
    }
    Figure { what, unit: "jobs/s", ours, theirs: 5_000.0, whose: "goal" }.print();
    Ok(())
}

/// Does nothing but say when it started.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Knock {
    number: usize,
}

impl Job for Knock {
    const NAME: &'static str = "knock";
    const CONCURRENCY: usize = 32;
    const MAX_ATTEMPTS: u32 = 3;
    type Context = UnboundedSender<Instant>;

    fn key(&self) -> String {
        self.number.to_string()
    }

    async fn run(&self, starts: &UnboundedSender<Instant>) -> Result<(), JobError> {
        starts.send(Instant::now()).map_err(anyhow::Error::from)?;
        Ok(())
    }

    async fn give_up(&self, _: &UnboundedSender<Instant>, why: &anyhow::Error) -> Result<()> {
        anyhow::bail!("a job was given up: {why}")
    }
}

/// Does nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Idle {
    number: usize,
}

impl Job for Idle {
    const NAME: &'static str = "idle";
    const CONCURRENCY: usize = 32;
    const MAX_ATTEMPTS: u32 = 3;
    type Context = Arc<AtomicUsize>;

    fn key(&self) -> String {
        self.number.to_string()
    }

    async fn run(&self, done: &Arc<AtomicUsize>) -> Result<(), JobError> {
        done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn give_up(&self, _: &Arc<AtomicUsize>, why: &anyhow::Error) -> Result<()> {
        anyhow::bail!("a job was given up: {why}")
    }
}

/// Pushes one job after the other to idle workers.
async fn latencies(server: &RedisServer) -> Result<Vec<Duration>> {
    let queue = Queue::redis(&server.url()).await?;
    let (starts, mut started) = unbounded_channel();
    let workers = Workers::new(queue.clone(), WorkerOptions::default()).register::<Knock>(starts);
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(workers.run(shutdown.clone()));
    let push = async |number| Ok(queue.push(&Knock { number }, When::default()).await?);
    let times = paced(&mut started, push).await?;
    shutdown.cancel();
    working.await??;
    Ok(times)
}

/// The time from each push to its start; the first few, in which connections are made, do not count.
async fn paced(
    started: &mut UnboundedReceiver<Instant>,
    push: impl AsyncFn(usize) -> Result<()>,
) -> Result<Vec<Duration>> {
    const FIRST: usize = 10;
    let mut ticks = tokio::time::interval(EVERY);
    let mut times = Vec::with_capacity(PUSHES);
    for number in 0..FIRST + PUSHES {
        ticks.tick().await;
        let pushed = Instant::now();
        push(number).await?;
        times.push(started.recv().await.context("the worker is gone")?.duration_since(pushed));
    }
    Ok(times.split_off(FIRST))
}

/// The same over a stream, read by one that waits for it.
async fn bare_latencies(server: &RedisServer) -> Result<Vec<Duration>> {
    let mut writer = fresh_stream(server).await?;
    let mut reader = server.connect().await?;
    let (starts, mut started) = unbounded_channel();
    let reading = tokio::spawn(async move {
        let options = StreamReadOptions::default().group(GROUP, "one").count(1).block(0);
        loop {
            let read: StreamReadReply = reader.xread_options(&[STREAM], &[">"], &options).await?;
            let now = Instant::now();
            for id in read.keys.iter().flat_map(|key| &key.ids) {
                if starts.send(now).is_err() {
                    return Ok::<_, anyhow::Error>(());
                }
                let _: usize = reader.xack(STREAM, GROUP, &[&id.id]).await?;
            }
        }
    });
    let connection = writer.clone();
    let push = async |number: usize| {
        let _: String = connection.clone().xadd(STREAM, "*", &[("job", payload(number)?)]).await?;
        Ok(())
    };
    let times = paced(&mut started, push).await?;
    reading.abort();
    let _: usize = writer.del(STREAM).await?;
    Ok(times)
}

/// How long one worker process needs for all jobs, from its start until nothing is left of them.
async fn through_worker(server: &RedisServer) -> Result<Duration> {
    let queue = Queue::redis(&server.url()).await?;
    let jobs: Vec<_> = (0..JOBS).map(|number| Idle { number }).collect();
    queue.push_many(&jobs, When::default()).await?;
    let done = Arc::new(AtomicUsize::new(0));
    let workers = Workers::new(queue.clone(), WorkerOptions::default()).register::<Idle>(Arc::clone(&done));
    let shutdown = CancellationToken::new();
    let begun = Instant::now();
    let working = tokio::spawn(workers.run(shutdown.clone()));
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        if done.load(Ordering::Relaxed) >= JOBS {
            let depth = queue.depth(Idle::NAME).await?;
            if depth.ready + depth.scheduled + depth.leased == 0 {
                break;
            }
        }
    }
    let time = begun.elapsed();
    shutdown.cancel();
    working.await??;
    Ok(time)
}

/// How long a bare loop needs for as many entries of a stream.
async fn through_stream(server: &RedisServer, batch: usize) -> Result<Duration> {
    let mut connection = fresh_stream(server).await?;
    for first in (0..JOBS).step_by(500) {
        let mut pipeline = redis::pipe();
        for number in first..(first + 500).min(JOBS) {
            pipeline.xadd(STREAM, "*", &[("job", payload(number)?)]).ignore();
        }
        pipeline.query_async::<()>(&mut connection).await?;
    }
    let options = StreamReadOptions::default().group(GROUP, "one").count(batch);
    let (begun, mut done) = (Instant::now(), 0);
    while done < JOBS {
        let read: StreamReadReply = connection.xread_options(&[STREAM], &[">"], &options).await?;
        let entries: Vec<_> = read.keys.iter().flat_map(|key| &key.ids).collect();
        for entry in &entries {
            let Some(Value::BulkString(payload)) = entry.map.get("job") else { continue };
            let _: Idle = serde_json::from_slice(payload)?;
            done += 1;
        }
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let _: usize = connection.xack(STREAM, GROUP, &ids).await?;
    }
    let time = begun.elapsed();
    let _: usize = connection.del(STREAM).await?;
    Ok(time)
}

async fn fresh_stream(server: &RedisServer) -> Result<MultiplexedConnection> {
    let mut connection = server.connect().await?;
    let _: usize = connection.del(STREAM).await?;
    let _: String = connection.xgroup_create_mkstream(STREAM, GROUP, "0").await?;
    Ok(connection)
}

fn payload(number: usize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&Idle { number })?)
}
