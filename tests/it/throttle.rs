//! Budgets of calls that two workers spend together, in a real Redis and against the simulated cloud.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use microsoft::{Away, Caller, Microsoft, MicrosoftError, Seen, SharedBudgets};
use serde_json::{Value, json};
use simulator::{Config, Fault, ReportView, Simulator};
use support::app::{TestApp, automation, outcomes};
use support::clock::TestClock;
use support::eventually::eventually;
use support::redis::RedisServer;
use url::Url;
use uuid::Uuid;
use worker::budgets::{BudgetsError, RedisBudgets};

const THROTTLED: &str = r#"{"error":{"code":"SubscriptionRequestsThrottled","message":"Too many."}}"#;

/// Budgets in Redis by a clock that stands still, so that no machine is too slow for a test.
struct Still(RedisBudgets);

impl Still {
    fn stop(seen: Seen) -> Seen {
        Seen { now: Duration::from_hours(400_000), ..seen }
    }
}

impl SharedBudgets for Still {
    fn look<'a>(&'a self, lane: &'a str) -> BoxFuture<'a, Result<Seen, Away>> {
        async move { Ok(Self::stop(self.0.look(lane).await?)) }.boxed()
    }

    fn replace<'a>(
        &'a self,
        lane: &'a str,
        seen: Option<&'a [u8]>,
        state: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Seen>, Away>> {
        async move { Ok(self.0.replace(lane, seen, state).await?.map(Self::stop)) }.boxed()
    }
}

/// A simulated cloud and two workers with one Redis.
struct Stage {
    simulator: Simulator,
    redis: RedisServer,
    workers: [Microsoft; 2],
    caller: Caller,
    subscription: Uuid,
}

impl Stage {
    async fn start() -> Result<Self> {
        let clock = TestClock::default().clock().as_fn();
        let config = Config { clock: Arc::clone(&clock), subscriptions: 2, ..Config::default() };
        let simulator = Simulator::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let redis = RedisServer::start().await?;
        let mut workers = Vec::new();
        for _ in 0..2 {
            let budgets = Still(RedisBudgets::connect(&redis.url()).await?);
            let settings = automation(&simulator, &Url::parse("http://127.0.0.1/")?)?;
            workers.push(Microsoft::sharing(settings, Arc::clone(&clock), Arc::new(budgets))?);
        }
        let workers = workers.try_into().ok().context("two workers")?;
        let caller = Caller::App { tenant: simulator.tenant_id() };
        let subscription = simulator.subscriptions()[0].id;
        Ok(Self { simulator, redis, workers, caller, subscription })
    }

    async fn read(&self, worker: usize) -> Result<(), MicrosoftError> {
        self.workers[worker].arm().subscription(&self.caller, self.subscription).await.map(drop)
    }

    fn reads(&self) -> usize {
        let path = format!("/subscriptions/{}", self.subscription);
        self.simulator.calls().iter().filter(|call| call.path == path).count()
    }

    fn plan(&self, headers: &[(&str, &str)], status: u16, body: &str) {
        let fault = Fault::on("GET", &format!("/subscriptions/{}", self.subscription));
        self.simulator.faults().plan(fault.answer(status, headers, body));
    }
}

#[tokio::test]
async fn a_bad_address_is_not_repeated() {
    let refused = RedisBudgets::connect(&"redis://:secret@".to_owned().into()).await.err();

    assert!(matches!(refused, Some(BudgetsError::Address)));
}

#[tokio::test]
async fn what_somebody_else_replaced_is_not_overwritten() -> Result<()> {
    let redis = RedisServer::start().await?;
    let (one, other) =
        (RedisBudgets::connect(&redis.url()).await?, RedisBudgets::connect(&redis.url()).await?);
    let look = async |budgets: &RedisBudgets| budgets.look("lane").await.map_err(anyhow::Error::from_boxed);
    let replace = async |budgets: &RedisBudgets, seen: Option<&[u8]>, state: &[u8]| {
        let replaced = budgets.replace("lane", seen, state).await.map_err(anyhow::Error::from_boxed)?;
        anyhow::Ok(replaced.map(|newer| newer.state))
    };
    let empty = look(&one).await?;
    assert_eq!(empty.state, None);

    assert_eq!(replace(&one, None, b"first").await?, None);
    assert_eq!(replace(&other, None, b"late").await?, Some(Some(b"first".to_vec())));
    assert_eq!(replace(&other, Some(b"first"), b"second\0\xff").await?, None);
    assert_eq!(replace(&one, Some(b"first"), b"late").await?, Some(Some(b"second\0\xff".to_vec())));
    redis.flush().await?;
    assert_eq!(replace(&one, Some(b"second\0\xff"), b"late").await?, Some(None));

    assert!(look(&other).await?.now > empty.now, "all go by Redis' clock");
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_one_worker_stops_the_other() -> Result<()> {
    let stage = Stage::start().await?;
    stage.plan(&[("retry-after", "30")], 429, THROTTLED);

    let refused = stage.read(0).await.err().context("refused")?;
    let held = stage.read(1).await.err().context("held back")?;

    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    assert!(held.retry_after() >= Some(Duration::from_secs(30)), "{held:?}");
    assert_eq!(stage.reads(), 1, "the other did not even ask");
    Ok(())
}

#[tokio::test]
async fn what_one_worker_learns_binds_the_other() -> Result<()> {
    let stage = Stage::start().await?;
    let body = json!({ "id": format!("/subscriptions/{}", stage.subscription),
        "subscriptionId": stage.subscription, "tenantId": stage.simulator.tenant_id(),
        "displayName": "one", "state": "Enabled" });
    let left = [("x-ms-ratelimit-remaining-subscription-reads", "0")];
    stage.plan(&left, 200, &body.to_string());
    stage.read(0).await?;

    let answers = join_all((0..60).map(|_| stage.read(1))).await;

    // One more comes every 40 milliseconds, so 50 in the two seconds of patience; a little of those is over when
    // the budget is asked. A full bucket would let all of them through.
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((40..=50).contains(&answered), "{answered}");
    let held = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(held.map(MicrosoftError::retry_after).all(|wait| wait > Some(Duration::from_millis(1_500))));
    Ok(())
}

#[tokio::test]
async fn two_workers_at_once_take_what_there_is_and_no_more() -> Result<()> {
    let stage = Stage::start().await?;
    let key = stage.simulator.make_enrollment_key("4711", TimeDelta::days(1), ReportView::System)?.into();

    let asking = (0..60).map(|number| stage.workers[number % 2].consumption().check_key("4711", &key));
    let answers = join_all(asking).await;

    let sent = stage.simulator.calls().iter().filter(|call| call.path.ends_with("/billingperiods")).count();
    assert_eq!((answers.iter().filter(|answer| answer.is_ok()).count(), sent), (20, 20));
    Ok(())
}

#[tokio::test]
async fn no_key_in_redis_shows_a_token_and_all_of_them_expire() -> Result<()> {
    let stage = Stage::start().await?;
    let token = stage.simulator.access_token("owner", "https://management.azure.com", "user_impersonation");
    let caller = Caller::Pasted { tenant: stage.simulator.tenant_id(), token: token.clone().into() };
    stage.workers[0].arm().subscription(&caller, stage.subscription).await?;

    let mut connection = stage.redis.connect().await?;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;

    assert!(!keys.is_empty());
    for key in keys {
        assert!(key.starts_with("tenantry:budget:arm-reads:"), "{key}");
        assert!(!token.split('.').any(|part| key.contains(part)), "{key}");
        let expires: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await?;
        assert!((1..=600).contains(&expires), "{expires}");
    }
    Ok(())
}

#[tokio::test]
async fn calls_go_on_without_redis_and_share_again_when_it_is_back() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.read(0).await?;
    stage.redis.kill()?;

    for _ in 0..20 {
        stage.read(0).await?;
        stage.read(1).await?;
    }
    stage.redis.restart().await?;
    stage.redis.flush().await?;

    eventually("both share again", async || {
        stage.read(0).await.ok()?;
        stage.read(1).await.ok()?;
        let mut connection = stage.redis.connect().await.ok()?;
        let keys: Vec<String> =
            redis::cmd("KEYS").arg("*arm-reads*").query_async(&mut connection).await.ok()?;
        (!keys.is_empty()).then_some(())
    })
    .await;
    stage.plan(&[("retry-after", "30")], 429, THROTTLED);
    assert!(stage.read(0).await.is_err());
    eventually("the other is held back", async || stage.read(1).await.err()).await;
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_is_throttled_for_good_holds_up_no_other() -> Result<()> {
    let app = TestApp::small(21, 210).await?;
    let throttled = app.simulator.subscriptions()[0].id;
    for path in [format!("/subscriptions/{throttled}"), format!("/subscriptions/{throttled}/**")] {
        let fault = Fault::on("*", &path).times(usize::MAX);
        app.simulator.faults().plan(fault.answer(429, &[("retry-after", "3")], THROTTLED));
    }
    let (consent, _) = app.consent("owner", simulator::Decision::Accept).await?;

    // Everything that is due now; whoever waits for a budget is due later.
    app.run_due().await?;

    let early = app.operation_of(&consent).await?;
    assert_eq!(states(&early, throttled), (vec!["ASSIGNING"], vec!["DONE"; 20]));
    app.simulator.faults().clear();
    app.run_jobs().await?;
    let ended = app.operation_of(&consent).await?;
    assert_eq!(states(&ended, throttled), (vec!["DONE"], vec!["DONE"; 20]));
    assert_eq!(outcomes(&ended)["GRANTED"], outcomes(&early)["GRANTED"] + 1);
    Ok(())
}

/// The states of the steps at this subscription, and of all others.
fn states(operation: &Value, at: Uuid) -> (Vec<&str>, Vec<&str>) {
    let steps = operation["steps"]["nodes"].as_array().into_iter().flatten();
    let (here, others): (Vec<_>, Vec<_>) =
        steps.partition(|step| step["subscription"]["azureSubscriptionId"] == at.to_string());
    let [here, others] =
        [here, others].map(|steps| steps.into_iter().filter_map(|step| step["state"].as_str()).collect());
    (here, others)
}
