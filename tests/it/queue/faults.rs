//! What Redis can suffer without the queue losing its head.

use std::time::Duration;

use anyhow::{Context, Result};
use support::eventually::eventually;
use support::redis::RedisServer;
use worker::job::Job;
use worker::queue::{Queue, QueueError, WorkerOptions};

use super::stage::{Act, AtWork, Rehearse, Stage};

fn short_lease() -> WorkerOptions {
    WorkerOptions { lease: Duration::from_millis(600), ..WorkerOptions::default() }
}

#[tokio::test]
async fn a_pause_of_three_seconds_stops_nothing() -> Result<()> {
    let stage = Stage::redis().await?;
    stage.plan("running", &[Act::Hold]);
    stage.push("running").await?;
    let working = AtWork::start(stage.workers());
    stage.eventually_began(1).await;

    {
        let redis = stage.redis.lock().await;
        redis.as_ref().context("a Redis")?.pause(Duration::from_secs(3)).await?;
    }
    stage.release(1);
    stage.push("pushed during the pause").await?;

    stage.eventually_began(2).await;
    stage.eventually_idle().await;
    working.stop().await?;
    assert_eq!(stage.began(), ["running", "pushed during the pause"]);
    assert_eq!(stage.ended(), 2);
    Ok(())
}

#[tokio::test]
async fn a_restart_under_a_running_job_does_not_repeat_it() -> Result<()> {
    let stage = Stage::redis().await?;
    stage.plan("running", &[Act::Hold]);
    stage.push("running").await?;
    let working = AtWork::start(stage.workers());
    stage.eventually_began(1).await;

    {
        let mut redis = stage.redis.lock().await;
        let redis = redis.as_mut().context("a Redis")?;
        redis.kill()?;
        stage.release(1);
        eventually("the job ends without Redis", async || (stage.ended() == 1).then_some(())).await;
        redis.restart().await?;
    }

    stage.eventually_idle().await;
    stage.push("afterwards").await?;
    stage.eventually_began(2).await;
    stage.eventually_idle().await;
    working.stop().await?;
    assert_eq!(stage.began(), ["running", "afterwards"]);
    Ok(())
}

#[tokio::test]
async fn what_waited_survives_a_restart() -> Result<()> {
    let stage = Stage::redis().await?;
    for number in 0..100 {
        stage.push(&number.to_string()).await?;
    }
    {
        let mut redis = stage.redis.lock().await;
        redis.as_mut().context("a Redis")?.restart().await?;
    }

    let working = AtWork::start(stage.workers());

    stage.eventually_began(100).await;
    stage.eventually_idle().await;
    working.stop().await?;
    assert_eq!(stage.began().len(), 100);
    Ok(())
}

#[tokio::test]
async fn a_flush_loses_what_waits_and_nothing_that_runs() -> Result<()> {
    let stage = Stage::redis().await?;
    stage.plan("running", &[Act::Hold]);
    stage.push("running").await?;
    let working = AtWork::start(stage.workers_with(short_lease()));
    stage.eventually_began(1).await;

    {
        let redis = stage.redis.lock().await;
        redis.as_ref().context("a Redis")?.flush().await?;
    }
    let leased =
        eventually("the lease is made anew", async || (stage.depth().await.ok()?.leased == 1).then_some(()));
    leased.await;
    stage.push("running").await?;
    assert_eq!(stage.depth().await?.ready, 0, "not beside the run that survived the flush");
    stage.release(1);

    stage.eventually_began(2).await;
    stage.eventually_idle().await;
    working.stop().await?;
    assert_eq!(stage.began(), ["running", "running"]);
    Ok(())
}

#[tokio::test]
async fn forgotten_scripts_are_sent_again() -> Result<()> {
    let stage = Stage::redis().await?;
    let working = AtWork::start(stage.workers());
    stage.push("before").await?;
    stage.eventually_began(1).await;
    {
        let redis = stage.redis.lock().await;
        let mut connection = redis.as_ref().context("a Redis")?.connect().await?;
        let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await?;
    }

    stage.push("after").await?;

    stage.eventually_began(2).await;
    stage.eventually_idle().await;
    working.stop().await
}

#[tokio::test]
async fn an_outage_longer_than_the_lease_does_not_repeat_a_job() -> Result<()> {
    let stage = Stage::redis().await?;
    stage.plan("running", &[Act::Hold]);
    stage.push("running").await?;
    let working = AtWork::start(stage.workers_with(short_lease()));
    stage.eventually_began(1).await;

    {
        let redis = stage.redis.lock().await;
        redis.as_ref().context("a Redis")?.pause(Duration::from_millis(1_500)).await?;
    }
    // Answered when the pause is over, which is long after the lease.
    stage.depth().await?;
    stage.release(1);

    stage.eventually_idle().await;
    working.stop().await?;
    assert_eq!(stage.began(), ["running"]);
    Ok(())
}

#[tokio::test]
async fn a_task_that_cannot_be_read_stops_nobody() -> Result<()> {
    let stage = Stage::redis().await?;
    stage.push("unreadable").await?;
    {
        let redis = stage.redis.lock().await;
        let mut connection = redis.as_ref().context("a Redis")?.connect().await?;
        let tasks = format!("{{tenantry:{}}}:tasks", Rehearse::NAME);
        let () =
            redis::cmd("HSET").arg(tasks).arg("unreadable").arg("\u{1}").query_async(&mut connection).await?;
    }
    stage.push("readable").await?;

    stage.workers().run_due().await?;
    stage.push("unreadable").await?;
    stage.workers().run_due().await?;

    assert_eq!(stage.began(), ["readable", "unreadable"]);
    stage.eventually_idle().await;
    Ok(())
}

#[tokio::test]
async fn a_clock_that_jumps_does_not_repeat_a_job() -> Result<()> {
    let stage = Stage::redis().await?;
    stage.plan("running", &[Act::Hold, Act::Hold]);
    stage.push("running").await?;
    let working = AtWork::start(stage.workers());
    stage.eventually_began(1).await;
    stage.push("running").await?;
    {
        let redis = stage.redis.lock().await;
        let mut connection = redis.as_ref().context("a Redis")?.connect().await?;
        let leased = format!("{{tenantry:{}}}:leased", Rehearse::NAME);
        let () = redis::cmd("ZADD").arg(&leased).arg(1).arg("running").query_async(&mut connection).await?;
        eventually("the lease is taken again", async || {
            let mut ask = redis::cmd("ZSCORE");
            let until: Option<f64> =
                ask.arg(&leased).arg("running").query_async(&mut connection).await.ok().flatten();
            until.filter(|until| *until > 1.0)
        })
        .await;
    }
    assert_eq!(stage.began().len(), 1, "the run under way goes on");

    stage.release(1);
    stage.eventually_began(2).await;
    stage.release(1);
    stage.eventually_idle().await;

    working.stop().await?;
    assert_eq!((stage.began().len(), stage.ended()), (2, 2), "and the push during it is answered");
    Ok(())
}

#[tokio::test]
async fn a_push_without_redis_fails_in_bounded_time() -> Result<()> {
    let stage = Stage::redis().await?;
    {
        let mut redis = stage.redis.lock().await;
        redis.as_mut().context("a Redis")?.kill()?;
    }

    let pushed = tokio::time::timeout(Duration::from_secs(20), stage.push("key")).await?;

    assert!(matches!(pushed, Err(QueueError::Unavailable(_) | QueueError::TimedOut)));
    Ok(())
}

#[tokio::test]
async fn a_bad_address_is_not_repeated() -> Result<()> {
    let refused = Queue::redis(&"redis://:secret@".to_owned().into()).await;

    let refused = refused.err().context("refused")?;
    assert!(!format!("{refused:?}").contains("secret"));
    assert!(!format!("{:#}", anyhow::Error::from(refused)).contains("secret"));
    Ok(())
}

#[tokio::test]
async fn a_queue_is_one_slot_of_a_cluster() -> Result<()> {
    let redis = RedisServer::start().await?;
    let queue = Queue::redis(&redis.url()).await?;
    queue.push(&super::stage::rehearse("key"), worker::queue::When::default()).await?;

    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis.connect().await?).await?;

    let tag = format!("{{tenantry:{}}}:", Rehearse::NAME);
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with(&tag)), "{keys:?}");
    Ok(())
}
