//! Microsoft's clock: what tells it, and what goes by it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::Value;
use simulator::{Config, Fault};

use crate::cloud::{ARM, Cloud, Got};

const SUBSCRIPTIONS: &str = "/subscriptions?api-version=2022-12-01";

/// The date of an answer, in seconds since 1970.
fn date(got: &Got) -> i64 {
    let all: Vec<_> = got.headers.get_all("date").iter().collect();
    let [date] = all.as_slice() else { panic!("{all:?}") };
    let date = date.to_str().expect("text");
    DateTime::parse_from_rfc2822(date).expect("a date").timestamp()
}

fn claims(token: &str) -> Value {
    use base64::Engine;
    let middle = token.split('.').nth(1).expect("three segments");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(middle).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn every_answer_is_dated_by_the_clouds_own_clock() {
    let cloud = Cloud::start();
    let token = cloud.ask_app_token(ARM).await;
    assert_eq!((token.status, date(&token)), (401, cloud.now()), "a refusal at the login");
    cloud.pass(90);
    let automation = cloud.automation_token(ARM).await;
    let listed = cloud.get(&automation, SUBSCRIPTIONS).await;
    assert_eq!((listed.status, date(&listed)), (200, cloud.now()));
    assert_eq!(listed.header("date"), Some("Sun, 19 Mar 2023 08:56:16 GMT"));
    cloud.simulator.faults().plan(Fault::on("GET", "/subscriptions"));
    let failed = cloud.get(&automation, SUBSCRIPTIONS).await;
    assert_eq!((failed.status, date(&failed)), (500, cloud.now()));
    let page = cloud.open(&cloud.authorize_link("organizations", &[])).await;
    assert_eq!((page.status, date(&page)), (200, cloud.now()));
}

#[tokio::test]
async fn a_clock_that_is_ahead_dates_answers_and_tokens_and_lets_them_expire() {
    let hour = Some(Duration::from_hours(1));
    let cloud = Cloud::with(Config { token_lifetime: hour, ..Config::default() });
    let before = cloud.automation_token(ARM).await;
    cloud.simulator.set_clock_skew(TimeDelta::minutes(10));

    let token = cloud.automation_token(ARM).await;
    let (listed, claims) = (cloud.get(&token, SUBSCRIPTIONS).await, claims(&token));

    assert_eq!((listed.status, date(&listed)), (200, cloud.now() + 600));
    for (name, wanted) in [("iat", 600), ("nbf", 600), ("exp", 4_200)] {
        assert_eq!(claims[name], cloud.now() + wanted, "{name}");
    }
    let last = cloud.simulator.calls().pop().unwrap();
    assert_eq!(last.at.timestamp(), cloud.now(), "calls are told by the test's clock");
    cloud.pass(3_000);
    assert_eq!(cloud.get(&before, SUBSCRIPTIONS).await.error(), (401, "ExpiredAuthenticationToken"));
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_is_behind_lets_tokens_live_longer() {
    let hour = Some(Duration::from_hours(1));
    let cloud = Cloud::with(Config { token_lifetime: hour, ..Config::default() });
    let token = cloud.automation_token(ARM).await;
    cloud.simulator.set_clock_skew(TimeDelta::minutes(-10));
    cloud.pass(4_199);
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
    cloud.pass(1);
    let refused = cloud.get(&token, SUBSCRIPTIONS).await;
    assert_eq!(refused.error(), (401, "ExpiredAuthenticationToken"));
    assert_eq!(date(&refused), cloud.now() - 600);
}
