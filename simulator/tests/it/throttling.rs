//! Token buckets, with Microsoft's numbers and headers.

use reqwest::Method;
use serde_json::json;
use simulator::Config;

use crate::cloud::{ARM, Cloud, Got, OWNED, assignment_path, authorized, got, subscription_path};

const LIST: &str = "/subscriptions?api-version=2022-12-01";
const READS: &str = "x-ms-ratelimit-remaining-subscription-reads";

fn throttled() -> Cloud {
    Cloud::with(Config { throttle: true, ..Config::default() })
}

#[tokio::test]
async fn an_answer_says_how_much_is_left_of_each_bucket() {
    let cloud = throttled();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let left =
        |got: &Got, name: &str| got.header(&format!("x-ms-ratelimit-remaining-{name}")).map(str::to_owned);

    let read = cloud.get(&token, &subscription_path(at)).await;
    assert_eq!(left(&read, "subscription-reads").as_deref(), Some("249"));
    assert_eq!(left(&read, "subscription-global-reads").as_deref(), Some("3749"));
    let written = cloud.put(&token, &assignment_path(at, "nonsense"), &json!({})).await;
    assert_eq!(written.status, 400, "a refused call has its price too");
    assert_eq!(left(&written, "subscription-writes").as_deref(), Some("199"));
    assert_eq!(left(&written, "subscription-global-writes").as_deref(), Some("2999"));
    let deleted = cloud.delete(&token, &assignment_path(at, "nonsense")).await;
    assert_eq!(left(&deleted, "subscription-deletes").as_deref(), Some("199"));
    let listed = cloud.get(&token, LIST).await;
    assert_eq!(left(&listed, "tenant-reads").as_deref(), Some("249"));
    assert_eq!(left(&listed, "subscription-global-reads"), None);
}

#[tokio::test]
async fn an_empty_bucket_refuses_until_its_retry_after_has_passed() {
    let cloud = throttled();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let path = subscription_path(at);
    for left in (0..250).rev() {
        let answer = cloud.get(&token, &path).await;
        assert_eq!((answer.status, answer.header(READS)), (200, Some(left.to_string().as_str())));
    }

    for _ in 0..2 {
        let refused = cloud.get(&token, &path).await;
        assert_eq!(refused.error(), (429, "SubscriptionRequestsThrottled"));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.message().contains(&format!("for subscription '{at}'")), "{}", refused.message());
        assert!(refused.message().ends_with("Please try again after '1' seconds."), "{}", refused.message());
    }
    let elsewhere = subscription_path(cloud.subscription(OWNED + 1));
    assert_eq!(cloud.get(&token, &elsewhere).await.status, 200, "another subscription");
    let other = cloud.user_token("reader").await;
    let answer = cloud.get(&other, &path).await;
    assert_eq!((answer.status, answer.header(READS)), (200, Some("249")), "somebody else");

    cloud.pass(1);
    let answer = cloud.get(&token, &path).await;
    assert_eq!((answer.status, answer.header(READS)), (200, Some("24")), "25 a second come back");
    cloud.pass(3_000);
    let full = cloud.automation_token(ARM).await;
    assert_eq!(cloud.get(&full, &path).await.header(READS), Some("249"), "never more than the bucket holds");
}

#[tokio::test]
async fn calls_without_a_subscription_have_a_bucket_of_their_own() {
    let cloud = throttled();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    for _ in 0..250 {
        assert_eq!(cloud.get(&token, LIST).await.status, 200);
    }
    let refused = cloud.get(&token, LIST).await;
    assert_eq!(refused.error(), (429, "TenantRequestsThrottled"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(cloud.get(&token, &subscription_path(at)).await.status, 200);
}

#[tokio::test]
async fn writes_come_back_ten_a_second() {
    let cloud = throttled();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let write = async || cloud.put(&token, &assignment_path(at, "nonsense"), &json!({})).await;
    for _ in 0..200 {
        assert_eq!(write().await.status, 400);
    }
    assert_eq!(write().await.error(), (429, "SubscriptionRequestsThrottled"));
    cloud.pass(1);
    let answer = write().await;
    assert_eq!(answer.header("x-ms-ratelimit-remaining-subscription-writes"), Some("9"));
}

#[tokio::test]
async fn throttling_is_switched_on_and_off() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    assert_eq!(cloud.get(&token, &subscription_path(at)).await.header(READS), None);
    cloud.simulator.set_throttle(true);
    assert_eq!(cloud.get(&token, &subscription_path(at)).await.header(READS), Some("249"));
    cloud.simulator.set_throttle(false);
    assert_eq!(cloud.get(&token, &subscription_path(at)).await.header(READS), None);
}

#[tokio::test]
async fn a_call_that_is_not_let_in_costs_nothing() {
    let cloud = throttled();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let path = subscription_path(at);
    let unknown = authorized(cloud.request(Method::GET, &path), "Bearer nonsense");
    let refused = got(unknown).await;
    assert_eq!((refused.status, refused.header(READS)), (401, None));
    assert_eq!(cloud.get(&token, &path).await.header(READS), Some("249"));
}
