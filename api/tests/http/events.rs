//! Server-sent events: what works, and how they end.

use futures::StreamExt;
use serde_json::json;

use crate::schema::PATIENCE;
use crate::server::TestServer;

async fn told(server: &TestServer, query: &str) -> (u16, String, String) {
    let request = server.post().header("accept", "text/event-stream");
    let request = request.body(json!({ "query": query }).to_string());
    let mut request = request.build().expect("a request");
    // The helper accepts another type first.
    request.headers_mut().insert("accept", "text/event-stream".parse().expect("a header"));
    let response = server.client.execute(request).await.expect("the server answers");
    let (status, kind) = (response.status().as_u16(), response.headers()["content-type"].clone());
    let kind = kind.to_str().expect("text").to_owned();
    let mut chunks = response.bytes_stream();
    let mut text = String::new();
    while let Some(chunk) = tokio::time::timeout(PATIENCE, chunks.next()).await.expect("it ends in time") {
        text.push_str(std::str::from_utf8(&chunk.expect("it arrives")).expect("it is text"));
    }
    (status, kind, text)
}

#[tokio::test]
async fn a_live_query_is_told_to_its_end() {
    let server = TestServer::start();

    let (status, kind, text) = told(&server, "subscription { count(to: 2) }").await;

    assert_eq!((status, kind.as_str()), (200, "text/event-stream; charset=utf-8"));
    let wanted = "event: next\ndata: {\"data\":{\"count\":1}}\n\n\
                  event: next\ndata: {\"data\":{\"count\":2}}\n\n\
                  event: complete\ndata:\n\n";
    assert_eq!(text, wanted);
}

#[tokio::test]
async fn a_query_is_one_answer_and_an_end() {
    let server = TestServer::start();

    let (_, _, text) = told(&server, "{ hello }").await;

    assert!(text.starts_with("event: next\ndata: {\"data\":{\"hello\":"), "{text}");
    assert!(text.ends_with("event: complete\ndata:\n\n"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_executed_is_a_status_and_no_event() {
    let server = TestServer::start();

    let (status, kind, text) = told(&server, "subscription { nothing }").await;

    assert_eq!(status, 400, "{text}");
    assert!(kind.starts_with("application/graphql-response+json"), "{kind}");
}

#[tokio::test]
async fn a_process_that_stops_ends_the_events_so_that_clients_come_back() {
    let server = TestServer::start();
    let watched = told(&server, "subscription { endless }");
    let stop = async {
        server.under_way.becomes(1).await;
        server.shutdown.cancel();
    };

    let ((_, _, text), ()) = tokio::join!(watched, stop);

    assert!(!text.contains("event: complete"), "it did not end by itself: {text}");
    server.under_way.becomes(0).await;
}
