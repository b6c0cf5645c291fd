//! Stopping: what runs may finish, what cannot goes back.

use std::time::Duration;

use support::eventually::eventually;
use tokio_util::sync::CancellationToken;
use worker::queue::WorkerOptions;

use super::stage::{Act, AtWork, Stage, on_both};

/// Longer than any test: nothing in here may wait for a lease to run out.
const LONG_LEASE: Duration = Duration::from_hours(1);

fn options(grace: Duration) -> WorkerOptions {
    WorkerOptions { lease: LONG_LEASE, grace, instance: "test".to_owned() }
}

on_both! {
    async fn a_running_job_finishes_and_nothing_new_starts(stage: Stage) {
        stage.plan("running", &[Act::Hold]);
        stage.push("running").await?;
        let working = AtWork::start(stage.workers_with(options(Duration::from_secs(30))));
        stage.eventually_began(1).await;

        working.ask_to_stop();
        stage.push("too late").await?;
        let left = eventually("what is not running is left to others at once", async || {
            let depth = stage.depth().await.ok()?;
            (depth.ready == 1 && depth.leased == 1).then_some(())
        });
        left.await;
        stage.release(1);
        working.stop().await?;

        assert_eq!(stage.began(), ["running"]);
        assert_eq!(stage.ended(), 1);
        let depth = stage.depth().await?;
        assert_eq!((depth.ready, depth.leased), (1, 0));
    }

    async fn what_does_not_finish_in_time_goes_back_uncounted(stage: Stage) {
        stage.plan("slow", &[Act::Hold; 5]);
        stage.push("slow").await?;
        for round in 1..=5 {
            let working = AtWork::start(stage.workers_with(options(Duration::from_millis(50))));
            stage.eventually_began(round).await;

            working.stop().await?;

            let back = eventually("the lease is back", async || {
                let depth = stage.depth().await.ok()?;
                (depth.ready == 1 && depth.leased == 0).then_some(())
            });
            back.await;
        }

        assert_eq!(stage.workers().run_due().await?, 1);
        assert_eq!(stage.ended(), 1);
        assert_eq!(stage.gave_up(), [""; 0], "five rounds are more than the job's attempts");
    }

    async fn workers_may_be_stopped_before_they_begin(stage: Stage) {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        stage.push("key").await?;

        stage.workers().run(shutdown).await?;

        assert_eq!(stage.began(), [""; 0]);
        assert_eq!(stage.depth().await?.ready, 1);
    }

    async fn idle_workers_stop_at_once(stage: Stage) {
        let working = AtWork::start(stage.workers_with(options(Duration::from_hours(1))));
        stage.push("key").await?;
        stage.eventually_began(1).await;

        tokio::time::timeout(Duration::from_secs(20), working.stop()).await??;
    }
}
