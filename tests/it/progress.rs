//! The progress bus, in memory and over a Redis that goes away.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::{Stream, StreamExt};
use support::eventually::eventually;
use support::redis::RedisServer;
use uuid::Uuid;
use worker::progress::{Bell, Progress};

async fn next(bells: &mut (impl Stream<Item = Bell> + Unpin)) -> Result<Bell> {
    tokio::time::timeout(Duration::from_secs(30), bells.next()).await?.context("the bus does not end")
}

#[tokio::test]
async fn every_watcher_in_the_process_hears_every_bell() -> Result<()> {
    let progress = Progress::memory();
    let (mut one, mut two) = (progress.subscribe(), progress.subscribe());

    let operation_id = Uuid::now_v7();
    progress.clone().publish(operation_id).await;

    assert_eq!(next(&mut one).await?, Bell::Moved(operation_id));
    assert_eq!(next(&mut two).await?, Bell::Moved(operation_id));
    Ok(())
}

#[tokio::test]
async fn a_bell_that_nobody_hears_is_no_harm() {
    Progress::memory().publish(Uuid::now_v7()).await;
}

#[tokio::test]
async fn a_watcher_that_is_too_slow_is_told_to_read_again() -> Result<()> {
    let progress = Progress::memory();
    let mut slow = progress.subscribe();
    let last = Uuid::now_v7();

    for _ in 0..10_000 {
        progress.publish(Uuid::nil()).await;
    }
    progress.publish(last).await;

    assert_eq!(next(&mut slow).await?, Bell::Reload);
    while next(&mut slow).await? != Bell::Moved(last) {}
    Ok(())
}

#[tokio::test]
async fn bells_cross_processes() -> Result<()> {
    let redis = RedisServer::start().await?;
    let (here, there) = (Progress::redis(&redis.url()).await?, Progress::redis(&redis.url()).await?);
    let mut bells = here.subscribe();
    let ids: Vec<_> = (0..1_000).map(|_| Uuid::now_v7()).collect();

    for id in &ids {
        there.publish(*id).await;
    }

    let mut missing: std::collections::HashSet<_> = ids.into_iter().collect();
    while !missing.is_empty() {
        if let Bell::Moved(id) = next(&mut bells).await? {
            missing.remove(&id);
        }
    }
    Ok(())
}

#[tokio::test]
async fn after_an_outage_watchers_are_told_to_read_again_and_bells_go_on() -> Result<()> {
    let mut redis = RedisServer::start().await?;
    let progress = Progress::redis(&redis.url()).await?;
    let mut bells = progress.subscribe();

    redis.kill()?;
    // Neither fails nor waits, though nobody is there.
    let lost = Uuid::now_v7();
    tokio::time::timeout(Duration::from_secs(1), progress.publish(lost)).await?;
    redis.restart().await?;

    while next(&mut bells).await? != Bell::Reload {}
    let operation_id = Uuid::now_v7();
    progress.publish(operation_id).await;
    while next(&mut bells).await? != Bell::Moved(operation_id) {}
    Ok(())
}

#[tokio::test]
async fn a_process_has_one_subscription_however_many_watch() -> Result<()> {
    let redis = RedisServer::start().await?;
    let progress = Progress::redis(&redis.url()).await?;
    let watchers: Vec<_> = (0..200).map(|_| progress.subscribe()).collect();

    let mut connection = redis.connect().await?;
    let subscribers = eventually("Redis tells", async || {
        let mut ask = redis::cmd("PUBSUB");
        ask.arg("NUMSUB").arg("tenantry:progress");
        ask.query_async::<(String, usize)>(&mut connection).await.ok()
    })
    .await;

    assert_eq!(subscribers.1, 1);
    assert_eq!(watchers.len(), 200);
    Ok(())
}
