//! Planned faults, and the calls that are remembered.

use std::time::{Duration, Instant};

use reqwest::Method;
use simulator::Fault;

use crate::cloud::{ARM, Cloud, OWNED, subscription_path};

const LIST: &str = "/subscriptions?api-version=2022-12-01";

#[tokio::test]
async fn a_fault_happens_as_often_as_planned_and_to_the_planned_call_only() {
    let cloud = Cloud::start();
    let (token, path) = (cloud.automation_token(ARM).await, subscription_path(cloud.subscription(OWNED)));
    cloud.simulator.faults().plan(Fault::on("GET", "/subscriptions/*").after(1).times(2));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        assert_eq!(cloud.get(&token, LIST).await.status, 200);
        statuses.push(cloud.get(&token, &path).await.status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
}

#[tokio::test]
async fn of_several_faults_the_first_planned_happens_first() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let faults = cloud.simulator.faults();
    for status in [503, 504] {
        faults.plan(Fault::on("GET", "/subscriptions").answer(status, &[], ""));
    }
    for status in [503, 504, 200] {
        assert_eq!(cloud.get(&token, LIST).await.status, status);
    }
}

#[tokio::test]
async fn odd_answers_are_given_as_planned() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    for (status, headers, body) in [
        (429, &[("retry-after", "7")][..], "\"\""),
        (429, &[], r#"{"code":"TooManyRequests"}"#),
        (502, &[("x-cache", "CONFIG_NOCACHE")], "<html>Bad gateway</html>"),
        (504, &[], ""),
    ] {
        cloud.simulator.faults().plan(Fault::on("*", "/subscriptions/**").answer(status, headers, body));
        let answer = cloud.get(&token, &subscription_path(cloud.subscription(OWNED))).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, body));
        for &(name, value) in headers {
            assert_eq!(answer.header(name), Some(value));
        }
    }
}

#[tokio::test]
async fn the_sign_in_can_fail_too() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    let answer = Fault::on("POST", "/*/oauth2/v2.0/token").answer(503, &[("retry-after", "2")], "");
    cloud.simulator.faults().plan(answer);
    let refused = cloud.ask_app_token(ARM).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")));
    assert_eq!(cloud.ask_app_token(ARM).await.status, 200);
}

#[tokio::test]
async fn a_connection_is_reset_and_a_body_ends_in_its_middle() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let whole = cloud.get(&token, LIST).await.text;
    for (fault, most) in [
        (Fault::on("GET", "/subscriptions").reset(), 0),
        (Fault::on("GET", "/subscriptions").truncate(), whole.len() / 2),
    ] {
        cloud.simulator.faults().plan(fault);
        let (mut read, mut failed) = (0, false);
        match cloud.request(Method::GET, LIST).bearer_auth(&token).send().await {
            Err(_) => failed = true,
            Ok(mut response) => {
                while !failed {
                    match response.chunk().await {
                        Ok(Some(chunk)) => read += chunk.len(),
                        Ok(None) => break,
                        Err(_) => failed = true,
                    }
                }
            }
        }
        assert!(failed, "the answer ended as if it were whole");
        assert!(read <= most, "{read} of {}", whole.len());
    }
    assert_eq!(cloud.get(&token, LIST).await.text, whole);
    assert_eq!(cloud.simulator.calls().iter().filter(|call| call.status == 0).count(), 1);
}

#[tokio::test]
async fn an_answer_is_late_when_planned() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let delay = Duration::from_millis(30);
    cloud.simulator.faults().plan(Fault::on("GET", "/subscriptions").delay(delay));
    let begun = Instant::now();
    assert_eq!(cloud.get(&token, LIST).await.status, 200);
    assert!(begun.elapsed() >= delay);
}

#[tokio::test]
async fn planned_faults_are_forgotten_when_cleared() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    cloud.simulator.faults().plan(Fault::on("*", "/**").times(100));
    assert_eq!(cloud.get(&token, LIST).await.status, 500);
    cloud.simulator.faults().clear();
    assert_eq!(cloud.get(&token, LIST).await.status, 200);
}

#[tokio::test]
async fn calls_are_remembered_with_who_made_them_and_what_came_of_it() {
    let cloud = Cloud::start();
    let token = cloud.user_token("owner").await;
    cloud.simulator.clear_calls();
    cloud.pass(3);
    cloud.get(&token, LIST).await;
    cloud.open(LIST).await;

    let calls = cloud.simulator.calls();

    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.method.as_str(), call.path.as_str(), call.status, call.principal))
        .collect();
    let owner = Some(cloud.user_id("owner"));
    assert_eq!(seen, [("GET", "/subscriptions", 200, owner), ("GET", "/subscriptions", 401, None)]);
    assert!(
        calls.iter().all(|call| call.query == "api-version=2022-12-01" && call.at.timestamp() == cloud.now())
    );
    assert!(!format!("{calls:?}").contains(&token));
}
