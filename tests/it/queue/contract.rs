//! What the queue promises, whatever it is stored in.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use support::eventually::eventually;
use worker::queue::When;

use super::stage::{Act, AtWork, Garbled, Line, Stage, on_both};

const HOUR: Duration = Duration::from_hours(1);

fn deadline(minutes: i64) -> When {
    let deadline = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(25_000) + TimeDelta::minutes(minutes);
    When { deadline: Some(deadline), run_after: None }
}

fn after(delay: Duration) -> When {
    When { deadline: None, run_after: Some(delay) }
}

on_both! {
    async fn the_earliest_deadline_goes_first_and_none_goes_last(stage: Stage) {
        stage.push("first without").await?;
        stage.push("second without").await?;
        for (key, minutes) in [("in 3", 3), ("in 1", 1), ("in 9", 9), ("in 2", 2)] {
            stage.push_at(key, deadline(minutes)).await?;
        }

        stage.workers().run_due().await?;

        assert_eq!(stage.began(), ["in 1", "in 2", "in 3", "in 9", "first without", "second without"]);
    }

    async fn what_was_pushed_together_keeps_its_order(stage: Stage) {
        let keys: Vec<_> = (0..1_000).map(|number| format!("{:03}", (number * 37) % 1_000)).collect();
        let jobs: Vec<_> = keys.iter().map(|key| super::stage::rehearse(key)).collect();
        stage.queue.push_many(&jobs, When::default()).await?;

        stage.workers().run_due().await?;

        assert_eq!(stage.began(), keys);
    }

    async fn a_key_that_waits_is_pushed_once(stage: Stage) {
        for _ in 0..3 {
            stage.push("ready").await?;
            stage.push_at("scheduled", after(HOUR)).await?;
        }
        let depth = stage.depth().await?;
        assert_eq!((depth.ready, depth.scheduled), (1, 1));

        stage.workers().run_due().await?;

        assert_eq!(stage.began(), ["ready"]);
    }

    async fn the_earlier_deadline_wins(stage: Stage) {
        stage.push_at("a", deadline(1)).await?;
        stage.push_at("b", deadline(2)).await?;
        stage.push_at("b", deadline(0)).await?;
        stage.push_at("a", deadline(5)).await?;
        stage.push("c").await?;
        stage.push_at("c", deadline(3)).await?;

        stage.workers().run_due().await?;

        assert_eq!(stage.began(), ["b", "a", "c"]);
    }

    async fn the_earlier_time_wins(stage: Stage) {
        stage.push_at("key", after(HOUR)).await?;
        stage.push("key").await?;
        stage.push_at("key", after(HOUR)).await?;
        let depth = stage.depth().await?;
        assert_eq!((depth.ready, depth.scheduled), (1, 0));

        stage.workers().run_due().await?;

        assert_eq!(stage.began(), ["key"]);
        assert_eq!(stage.depth().await?.scheduled, 0);
    }

    async fn a_key_pushed_while_it_runs_runs_once_more(stage: Stage) {
        stage.plan("key", &[Act::Hold]);
        stage.push("key").await?;
        let working = AtWork::start(stage.workers());
        stage.eventually_began(1).await;

        for _ in 0..3 {
            stage.push("key").await?;
        }
        assert_eq!(stage.depth().await?.ready, 0, "not beside the run under way");
        stage.release(1);

        stage.eventually_began(2).await;
        stage.eventually_idle().await;
        working.stop().await?;
        assert_eq!(stage.began().len(), 2);
    }

    async fn a_key_pushed_by_its_own_run_runs_once_more(stage: Stage) {
        stage.plan("key", &[Act::PushItself, Act::Finish]);
        stage.push("key").await?;

        assert_eq!(stage.workers().run_due().await?, 2);
    }

    async fn a_key_pushed_while_it_is_given_up_runs_afresh(stage: Stage) {
        stage.plan("key", &[Act::Hold, Act::Retry, Act::Retry, Act::Fail]);
        stage.push("key").await?;
        let working = AtWork::start(stage.workers());
        stage.eventually_began(1).await;
        stage.push("key").await?;
        stage.release(1);

        let dead = eventually("the second run is given up", async || {
            Some(stage.depth().await.ok()?.dead).filter(|dead| *dead == 1)
        });
        dead.await;
        stage.push("key").await?;

        stage.eventually_began(5).await;
        assert_eq!(stage.eventually_idle().await.dead, 0, "taken up again, so dead no more");
        working.stop().await?;
        assert_eq!(stage.gave_up().len(), 1);
    }

    async fn throttling_does_not_count_and_waits_as_told(stage: Stage) {
        let delay = Duration::from_millis(60);
        stage.plan("key", &[Act::RetryAfter(delay); 6]);
        let begun = Instant::now();
        stage.push("key").await?;
        let working = AtWork::start(stage.workers());

        stage.eventually_began(7).await;
        assert!(begun.elapsed() >= delay * 6);
        assert_eq!(stage.eventually_idle().await.dead, 0);
        working.stop().await?;
        assert_eq!(stage.gave_up(), [""; 0]);
    }

    async fn after_the_last_attempt_it_is_given_up_once(stage: Stage) {
        stage.plan("key", &[Act::Retry; 9]);
        stage.push("key").await?;
        let working = AtWork::start(stage.workers());

        eventually("it is given up", async || (!stage.gave_up().is_empty()).then_some(())).await;
        assert_eq!(stage.eventually_idle().await.dead, 1);
        working.stop().await?;
        assert_eq!(stage.began().len(), 3);
        assert_eq!(stage.gave_up(), ["told to retry"]);
    }

    async fn what_cannot_succeed_is_given_up_at_once(stage: Stage) {
        stage.plan("key", &[Act::Fail]);
        stage.push("key").await?;

        assert_eq!(stage.workers().run_due().await?, 1);

        assert_eq!(stage.gave_up(), ["told to fail"]);
        assert_eq!(stage.depth().await?.dead, 1);
    }

    async fn a_panic_is_a_failed_attempt(stage: Stage) {
        stage.plan("once", &[Act::Panic]);
        stage.plan("always", &[Act::Panic; 9]);
        stage.push("once").await?;
        stage.push("always").await?;
        let working = AtWork::start(stage.workers());

        eventually("it is given up", async || (!stage.gave_up().is_empty()).then_some(())).await;
        assert_eq!(stage.eventually_idle().await.dead, 1);
        working.stop().await?;
        assert_eq!(stage.began().iter().filter(|key| *key == "always").count(), 3);
        assert_eq!(stage.began().iter().filter(|key| *key == "once").count(), 2);
        assert_eq!(stage.gave_up(), ["none of the 3 attempts came to an end"]);
    }

    async fn giving_up_is_repeated_until_it_succeeds(stage: Stage) {
        stage.plan("key", &[Act::Fail]);
        stage.plan_failing_give_ups(2);
        stage.push("key").await?;
        let workers = stage.workers();

        while workers.run_due().await? > 0 {
            workers.skip_ahead().await?;
        }

        assert_eq!(stage.began(), ["key"], "no attempt after the one that failed for good");
        assert_eq!(stage.gave_up().len(), 1);
        assert_eq!(stage.depth().await?.dead, 1);
    }

    async fn what_cannot_be_decoded_is_a_dead_letter_and_harms_nobody(stage: Stage) {
        stage.push("before").await?;
        let garbled: Vec<_> = (0..20).map(|number| Garbled { number }).collect();
        stage.queue.push_many(&garbled, When::default()).await?;
        stage.push("after").await?;
        let working = AtWork::start(stage.workers());

        stage.eventually_began(2).await;
        assert_eq!(stage.eventually_idle().await.dead, 20);
        working.stop().await?;
        // Both run at the same time: which one says so first is chance.
        let mut began = stage.began();
        began.sort_unstable();
        assert_eq!(began, ["after", "before"]);
    }

    async fn an_idle_worker_is_woken(stage: Stage) {
        let working = AtWork::start(stage.workers());
        stage.push("warm up").await?;
        stage.eventually_began(1).await;
        let mut waits = Vec::new();
        for number in 0..50 {
            stage.eventually_idle().await;
            let pushed = Instant::now();
            stage.push(&number.to_string()).await?;
            eventually("it began", async || (stage.began().len() == number + 2).then_some(())).await;
            waits.push(pushed.elapsed());
        }
        working.stop().await?;

        waits.sort();
        assert!(waits[25] < Duration::from_millis(150), "the median is {:?}, so only the tick woke it", waits[25]);
    }

    async fn depth_tells_how_long_the_next_has_been_due(stage: Stage) {
        assert_eq!(stage.depth().await?, worker::queue::QueueDepth::default());
        stage.push_at("scheduled", after(HOUR)).await?;
        assert_eq!(stage.depth().await?.oldest_ready_age, None);

        stage.push("ready").await?;

        eventually("its age grows", async || {
            stage.depth().await.ok()?.oldest_ready_age.filter(|age| *age >= Duration::from_millis(20))
        })
        .await;
    }

    async fn time_can_be_skipped(stage: Stage) {
        stage.push_at("in 2", after(HOUR * 2)).await?;
        stage.push_at("in 1", after(HOUR)).await?;
        let workers = stage.workers();
        assert_eq!(workers.run_due().await?, 0);

        let skipped = workers.skip_ahead().await?.unwrap_or_default();
        assert!(skipped <= HOUR && skipped > Duration::from_mins(59));
        assert_eq!(workers.run_due().await?, 1);
        workers.skip_ahead().await?;
        assert_eq!(workers.run_due().await?, 1);

        assert_eq!(workers.skip_ahead().await?, None);
        assert_eq!(stage.began(), ["in 1", "in 2"]);
    }

    async fn a_failed_attempt_waits_before_the_next(stage: Stage) {
        stage.plan("key", &[Act::Retry]);
        stage.push("key").await?;

        assert_eq!(stage.workers().run_due().await?, 1);

        assert_eq!(stage.depth().await?.scheduled, 1);
        assert_eq!(stage.journal(), [Line::Began("key".to_owned())]);
    }
}
