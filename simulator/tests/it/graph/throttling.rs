//! Resource units, requests for reports, and when to come back.

use simulator::{Config, RetryAfter};

use super::{ALL, Graph};
use crate::cloud::{GRAPH, Got};

const MAILBOXES: &str = "/reports/getMailboxUsageDetail(period='D7')";

async fn throttled() -> Graph {
    Graph::granted(Config { throttle: true, ..Config::default() }, &ALL).await
}

#[tokio::test]
async fn a_bucket_of_resource_units_empties_and_fills() {
    let graph = throttled().await;
    graph.cloud.simulator.set_graph_units(Some(10));
    let used = |got: &Got| got.header("x-ms-throttle-limit-percentage").map(str::to_owned);
    for percentage in [None, None, None, None, Some("1.00")] {
        let answer = graph.get("/users").await;
        assert_eq!((answer.status, used(&answer).as_deref()), (200, percentage));
    }
    let refused = graph.get("/users").await;
    assert_eq!(refused.error(), (429, "TooManyRequests"));
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.header("x-ms-throttle-information"), Some("ResourceUnitLimitExceeded"));
    let (app, tenant) = (graph.cloud.simulator.client_id(), graph.cloud.tenant());
    let scope = format!("Tenant_Application/ReadWrite/{app}/{tenant}");
    assert_eq!(refused.header("x-ms-throttle-scope"), Some(scope.as_str()));
    let other = graph.cloud.automation_token(GRAPH).await;
    assert_eq!(graph.cloud.get(&other, "/v1.0/users").await.status, 200, "another app has its own");
    graph.cloud.pass(2);
    assert_eq!(graph.get("/users").await.status, 200);
}

#[tokio::test]
async fn a_call_costs_what_microsoft_says() {
    let graph = Graph::granted(Config::default(), &ALL).await;
    let group = graph.cloud.simulator.office_group(2).unwrap();
    for (path, units) in [
        ("/users".to_owned(), "2"),
        ("/users?$select=id".to_owned(), "1"),
        ("/users?$select=id&$top=5".to_owned(), "1"),
        (format!("/groups/{group}/members"), "3"),
        (format!("/groups/{group}/members?$top=5"), "2"),
        (format!("/groups/{group}/transitiveMembers"), "5"),
        ("/subscribedSkus".to_owned(), "3"),
        ("/groups".to_owned(), "1"),
    ] {
        assert_eq!(graph.get(&path).await.header("x-ms-resource-unit"), Some(units), "{path}");
    }
}

#[tokio::test]
async fn whoever_can_wait_has_to_wait_first() {
    let graph = throttled().await;
    graph.cloud.simulator.set_graph_units(Some(20));
    for _ in 0..9 {
        assert_eq!(graph.get_with("/users", "x-ms-throttle-priority", "Low").await.status, 200);
    }
    assert_eq!(graph.get_with("/users", "x-ms-throttle-priority", "Low").await.status, 429);
    assert_eq!(graph.get("/users").await.status, 200);
}

#[tokio::test]
async fn fourteen_requests_in_ten_minutes_for_each_report() {
    let graph = throttled().await;
    for _ in 0..13 {
        assert_eq!(graph.get(MAILBOXES).await.status, 302);
    }
    graph.cloud.pass(60);
    assert_eq!(graph.get(MAILBOXES).await.status, 302);
    let refused = graph.get(MAILBOXES).await;
    assert_eq!((refused.error(), refused.header("retry-after")), ((429, "TooManyRequests"), Some("540")));
    let other = graph.get("/reports/getTeamsUserActivityUserDetail(period='D7')").await;
    assert_eq!(other.status, 302, "another report");

    graph.cloud.pass(540);
    assert_eq!(graph.get(MAILBOXES).await.status, 302);
}

#[tokio::test]
async fn what_is_refused_counts_too() {
    let graph = throttled().await;
    for _ in 0..14 {
        graph.get("/reports/getMailboxUsageDetail(period='D8')").await;
    }
    graph.cloud.pass(300);
    for _ in 0..14 {
        assert_eq!(graph.get(MAILBOXES).await.status, 429);
    }
    graph.cloud.pass(301);
    assert_eq!(graph.get(MAILBOXES).await.header("retry-after"), Some("299"), "not those of the beginning");
}

#[tokio::test]
async fn when_to_come_back_is_said_in_three_ways() {
    let graph = throttled().await;
    let simulator = &graph.cloud.simulator;
    simulator.set_graph_units(Some(1));
    for (way, wanted) in [
        (RetryAfter::Seconds, Some("10")),
        (RetryAfter::Fraction, Some("10.128")),
        (RetryAfter::Missing, None),
    ] {
        simulator.set_retry_after(way);
        let refused = loop {
            let answer = graph.get("/users?$select=id").await;
            if answer.status == 429 {
                break answer;
            }
        };
        assert_eq!(refused.header("retry-after"), wanted, "{way:?}");
    }
}
