//! The guard, from the outside.

use std::time::Duration;

use api::limits::Limits;
use serde_json::json;

use crate::server::TestServer;

#[tokio::test]
async fn doubling_fragments_are_refused_with_both_numbers() {
    let server = TestServer::start();
    let link = |at: usize| format!("fragment f{at} on Query{{...f{next}...f{next}}}", next = at + 1);
    let links: String = (0..25).map(link).collect();
    let answer = server.ask(&format!("{{...f0}}{links}fragment f25 on Query{{hello}}")).await;
    let error = answer.refused(400, "TOO_COMPLEX");
    assert_eq!(error["extensions"]["limit"], "fields");
    assert_eq!(error["extensions"]["reached"], 3 * (1 << 25) - 1);
    assert_eq!(error["extensions"]["allowed"], 5_000);
}

#[tokio::test]
async fn brackets_do_not_exhaust_the_stack() {
    let server = TestServer::start();
    let brackets = "[".repeat(1_900);
    server.ask(&format!("{{ add(a: {brackets}) }}")).await.refused(400, "TOO_COMPLEX");
    server.ask(&format!("query ($a: {brackets}Int) {{ hello }}")).await.refused(400, "TOO_COMPLEX");
    let hidden = format!("{{ add(a: [\"\"\"[\" {brackets}) }}");
    server.ask(&hidden).await.refused(400, "BAD_DOCUMENT");
    assert_eq!(server.ask("{ hello }").await.status, 200);
}

#[tokio::test]
async fn a_page_by_variable_is_multiplied() {
    let server = TestServer::limited(Limits { cost: 100, ..Limits::default() });
    let query = "query ($n: Int) { items(first: $n) { nodes { id name } } }";
    let ask = |n: i32| {
        let body = json!({ "query": query, "variables": { "n": n } }).to_string();
        server.send(server.post().body(body))
    };
    assert_eq!(ask(33).await.json["data"]["items"]["nodes"].as_array().unwrap().len(), 3);
    let answer = ask(34).await;
    let error = answer.refused(400, "TOO_COMPLEX");
    assert_eq!(
        (&error["extensions"]["limit"], &error["extensions"]["reached"]),
        (&json!("cost"), &json!(103))
    );
}

#[tokio::test]
async fn what_takes_too_long_is_cancelled() {
    let server = TestServer::limited(Limits { execution: Duration::from_millis(50), ..Limits::default() });
    server.ask("{ hello endless }").await.refused(504, "TIMED_OUT");
    server.under_way.becomes(0).await;
}

#[tokio::test]
async fn what_nobody_waits_for_is_cancelled() {
    let server = TestServer::limited(Limits { execution: Duration::from_mins(10), ..Limits::default() });
    let body = json!({ "query": "{ endless }" }).to_string();
    let request = tokio::spawn(server.post().body(body).send());
    server.under_way.becomes(1).await;
    request.abort();
    server.under_way.becomes(0).await;
}
