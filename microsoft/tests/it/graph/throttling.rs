//! Graph when it has had enough of us.

use std::time::Duration;

use futures::TryStreamExt;
use microsoft::delta::{Next, Start};
use microsoft::{MicrosoftError, User};
use simulator::{Config, Fault, RetryAfter};

use super::{Kind, round, stored};
use crate::cloud::Cloud;

const BODY: &str = r#"{"error":{"code":"TooManyRequests","message":"Too many requests."}}"#;

#[tokio::test]
async fn a_short_wait_is_waited_out_also_with_a_fraction() {
    let cloud = Cloud::usual();
    // One page each.
    for (answered_before, seconds) in [(0, "1.128"), (1, "0")] {
        let fault = Fault::on("GET", "/v1.0/users/delta").after(answered_before);
        cloud.simulator.faults().plan(fault.answer(429, &[("retry-after", seconds)], BODY));
    }
    let (users, pages, _) = round::<User>(&cloud, Start::Beginning).await;
    assert_eq!((users.len(), pages, cloud.calls_to("/v1.0/users/delta")), (250, 3, 5));
}

#[tokio::test]
async fn a_long_wait_is_the_callers_who_comes_back_with_the_same_link() {
    for (way, least, most) in [
        (RetryAfter::Seconds, 10, 10),
        (RetryAfter::Fraction, 10, 11),
        // Nothing is said: the usual wait.
        (RetryAfter::Missing, 5, 5),
    ] {
        let config = Config { throttle: true, ..Config::default() };
        let cloud = Cloud::granted(config, &["User.Read.All"]);
        cloud.simulator.set_graph_units(Some(1));
        cloud.simulator.set_retry_after(way);
        let first = User::page(&cloud, &Start::Beginning).await.expect("the one unit pays for a page");
        let Next::Page(link) = first.next else { panic!("250 users are more than a page") };

        let error = User::page(&cloud, &stored(&link)).await.expect_err("no unit is left");

        let MicrosoftError::Throttled { retry_after, .. } = error else { panic!("{way:?}: {error}") };
        let expected = Duration::from_secs(least)..=Duration::from_secs(most);
        assert!(expected.contains(&retry_after), "{way:?}: {retry_after:?}");
        assert_eq!(cloud.calls_to("/v1.0/users/delta"), 2, "{way:?}: not asked again before");
    }
}

#[tokio::test]
async fn a_stream_has_no_link_to_come_back_with_and_waits_longer() {
    let cloud = Cloud::granted(Config::default(), &["AuditLog.Read.All", "User.Read.All"]);
    cloud.simulator.faults().plan(Fault::on("GET", "/v1.0/users").answer(429, &[], BODY));
    let pages: Vec<_> = cloud.graph().sign_ins(cloud.tenant()).try_collect().await.expect("pages");
    assert_eq!((pages.len(), cloud.calls_to("/v1.0/users")), (1, 2));
}
