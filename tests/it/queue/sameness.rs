//! The two backends side by side: whatever is done to both, both do the same.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use worker::queue::When;

use super::stage::{Act, Stage};

/// One thing to do to a queue.
#[derive(Debug, Clone)]
enum Step {
    Push { key: u8, when: When, acts: Vec<Act> },
    RunDue,
    SkipAhead,
}

/// Steps whose delays are all different and far apart, so that the time they take does not matter. Only key
/// 0 fails and is retried after a random wait: of two such waits nobody knows which is shorter.
fn steps(random: &mut StdRng) -> Vec<Step> {
    let mut hours = 0;
    let mut delay = || {
        hours += 1;
        Duration::from_hours(hours)
    };
    let mut step = |_| match random.random_range(0..10) {
        0..6 => {
            let key = random.random_range(0..8);
            let deadline = random.random_bool(0.6).then(|| random.random_range(1_000_000..1_000_020));
            let when = When {
                deadline: deadline.and_then(DateTime::<Utc>::from_timestamp_secs),
                run_after: random.random_bool(0.4).then(&mut delay),
            };
            let acts = (0..random.random_range(0..3)).map(|_| match random.random_range(0..5) {
                0 if key == 0 => Act::Retry,
                1 if key == 0 => Act::Panic,
                2 => Act::RetryAfter(delay()),
                3 => Act::Fail,
                4 => Act::PushItself,
                _ => Act::Finish,
            });
            Step::Push { key, when, acts: acts.collect() }
        }
        6..8 => Step::RunDue,
        _ => Step::SkipAhead,
    };
    (0..40).map(&mut step).collect()
}

async fn perform(stage: &Stage, steps: &[Step]) -> Result<Vec<[usize; 4]>> {
    let workers = stage.workers();
    let mut depths = Vec::new();
    for step in steps {
        match step {
            Step::Push { key, when, acts } => {
                stage.plan(&key.to_string(), acts);
                stage.push_at(&key.to_string(), *when).await?;
            }
            Step::RunDue => drop(workers.run_due().await?),
            Step::SkipAhead => drop(workers.skip_ahead().await?),
        }
        let depth = stage.depth().await?;
        depths.push([depth.ready, depth.scheduled, depth.leased, depth.dead]);
    }
    Ok(depths)
}

#[tokio::test]
async fn both_backends_do_the_same() -> Result<()> {
    for seed in 0..40 {
        let steps = steps(&mut StdRng::seed_from_u64(seed));
        let (memory, redis) = (Stage::memory(), Stage::redis().await?);

        let in_memory = perform(&memory, &steps).await?;
        let in_redis = perform(&redis, &steps).await?;

        assert_eq!(memory.journal(), redis.journal(), "seed {seed}: {steps:#?}");
        assert_eq!(in_memory, in_redis, "seed {seed}: {steps:#?}");
    }
    Ok(())
}
