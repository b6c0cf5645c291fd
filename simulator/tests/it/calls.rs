//! What is remembered of the calls.

use reqwest::Method;
use simulator::{Config, Fault};
use uuid::Uuid;

use crate::cloud::{ARM, Cloud, got};

const SUBSCRIPTIONS: &str = "/subscriptions?api-version=2022-12-01";
const CALL: Uuid = Uuid::from_u128(11);
const JOB: Uuid = Uuid::from_u128(12);

#[tokio::test]
async fn a_call_is_remembered_with_the_ids_that_both_sides_gave_it() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let request = cloud.request(Method::GET, SUBSCRIPTIONS).bearer_auth(&token);
    let request = request
        .header("x-ms-client-request-id", CALL.to_string())
        .header("x-ms-correlation-request-id", JOB.to_string());

    let answer = got(request).await;

    let call = cloud.simulator.calls().pop().unwrap();
    let answered = |name: &str| answer.header(name).and_then(|id| Uuid::try_parse(id).ok());
    assert_eq!((call.client_request_id, call.correlation_id), (Some(CALL), Some(JOB)));
    assert_eq!(answered("x-ms-client-request-id"), Some(CALL));
    assert!(call.request_id.is_some());
    assert_eq!(call.request_id, answered("x-ms-request-id"));
    assert_eq!(
        (call.answered_correlation_id, answered("x-ms-correlation-request-id")),
        (Some(JOB), Some(JOB))
    );
}

#[tokio::test]
async fn a_call_without_ids_is_given_one_and_a_reset_one_was_told_none() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let answer = cloud.get(&token, SUBSCRIPTIONS).await;
    cloud.simulator.faults().plan(Fault::on("GET", "/subscriptions").reset());
    let lost = cloud.request(Method::GET, SUBSCRIPTIONS).bearer_auth(&token).send().await;
    assert!(lost.is_err() || lost.unwrap().bytes().await.is_err());

    let calls = cloud.simulator.calls();

    let [.., answered, reset] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((answered.client_request_id, answered.correlation_id), (None, None));
    assert_eq!(answered.request_id.map(|id| id.to_string()).as_deref(), answer.header("x-ms-request-id"));
    assert_eq!(answered.answered_correlation_id, answered.request_id);
    assert_eq!((reset.status, reset.request_id, reset.answered_correlation_id), (0, None, None));
}

#[tokio::test]
async fn calls_are_counted_and_the_oldest_are_forgotten() {
    let cloud = Cloud::with(Config { remembered_calls: 10, ..Config::default() });
    let token = cloud.automation_token(ARM).await;
    for number in 0..12 {
        let status = cloud.get(&token, &format!("{SUBSCRIPTIONS}&number={number}")).await.status;
        assert_eq!(status, 200);
    }
    cloud.get("nonsense", SUBSCRIPTIONS).await;

    assert_eq!(cloud.simulator.count_calls(|_| true), 10);
    assert_eq!(cloud.simulator.count_calls(|call| call.status == 401), 1);
    assert_eq!(cloud.simulator.count_calls(|call| call.query.ends_with("number=2")), 0);
    assert_eq!(cloud.simulator.count_calls(|call| call.query.ends_with("number=3")), 1);
    cloud.simulator.clear_calls();
    assert_eq!(cloud.simulator.count_calls(|_| true), 0);
}

#[tokio::test]
async fn a_cloud_that_begins_anew_has_another_world_and_remembers_nothing() {
    let mut cloud = Cloud::start();
    let (token, before) = (cloud.automation_token(ARM).await, cloud.simulator.tenant_id());

    cloud.simulator.begin_anew(Config { seed: 8, ..Config::default() });

    assert_eq!(cloud.simulator.count_calls(|_| true), 0);
    assert_ne!(cloud.simulator.tenant_id(), before);
    let refused = cloud.get(&token, SUBSCRIPTIONS).await;
    assert_eq!((refused.status, cloud.simulator.count_calls(|call| call.path == "/subscriptions")), (401, 1));
}
