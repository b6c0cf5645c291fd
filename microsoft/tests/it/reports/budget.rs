//! Fourteen requests in ten minutes.

use std::time::Duration;

use microsoft::graph::report::mailbox::Mailbox;
use microsoft::graph::report::site::Site;
use microsoft::{MicrosoftError, Period};
use simulator::{ReportMode, RetryAfter};

use super::{Cloud, read};

#[tokio::test]
async fn the_fifteenth_request_is_not_sent() {
    let cloud = Cloud::start();
    cloud.simulator.set_report_mode(ReportMode::HeaderOnly);
    for _ in 0..14 {
        cloud.mailboxes().await.expect("a report");
    }

    let refused = cloud.fetch::<Mailbox>(Period::D30).await.expect_err("a throttle");

    assert!(matches!(refused, MicrosoftError::Throttled { .. }), "{refused}");
    let wait = refused.retry_after().expect("a wait");
    assert!((Duration::from_mins(9)..Duration::from_mins(11)).contains(&wait), "{wait:?}");
    assert_eq!((cloud.asked().len(), cloud.opened().len()), (14, 14), "what is opened is not counted");
    let sites = cloud.fetch::<Site>(Period::D7).await.expect("another report has a budget of its own");
    assert!(read(sites).await.is_ok());
}

#[tokio::test]
async fn what_fails_counts_as_well() {
    let cloud = Cloud::start();
    cloud.simulator.fail_reports(14);
    for _ in 0..14 {
        assert!(cloud.mailboxes().await.is_err());
    }

    let refused = cloud.mailboxes().await.expect_err("a throttle");

    assert!(matches!(refused, MicrosoftError::Throttled { .. }), "{refused}");
    assert_eq!(cloud.asked().len(), 14);
}

#[tokio::test]
async fn a_refusal_closes_the_lane_for_as_long_as_it_says_or_for_a_minute() {
    for (said, at_least, at_most) in
        [(RetryAfter::Seconds, 590, 601), (RetryAfter::Fraction, 590, 601), (RetryAfter::Missing, 59, 61)]
    {
        let cloud = Cloud::start();
        cloud.simulator.set_report_mode(ReportMode::HeaderOnly);
        cloud.simulator.set_throttle(true);
        cloud.simulator.set_retry_after(said);
        for _ in 0..14 {
            cloud.fetch::<Mailbox>(Period::D7).await.expect("a report");
        }
        let another = cloud.another_client();
        let ask = async || another.graph().report::<Mailbox>(cloud.tenant(), Period::D7, None).await;

        let refused = ask().await.expect_err("a throttle");
        let not_sent = ask().await.expect_err("a throttle");

        for error in [&refused, &not_sent] {
            let wait = error.retry_after().expect("a wait").as_secs();
            assert!((at_least..=at_most).contains(&wait), "{said:?}: {error}, {wait} s");
        }
        assert_eq!(refused.detail().status, Some(429));
        assert_eq!(cloud.asked().len(), 15, "{said:?}");
    }
}
