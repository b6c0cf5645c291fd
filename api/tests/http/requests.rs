//! GraphQL over HTTP: methods, media types, parameters, statuses.

use std::io::Write;
use std::time::Duration;

use api::limits::Limits;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::schema::PATIENCE;
use crate::server::{GRAPHQL_RESPONSE, TestServer};

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_served() {
    let server = TestServer::start();
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = server.send(server.client.request(method, server.url("/graphql"))).await;
        answer.refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), "GET, POST");
    }
}

#[tokio::test]
async fn bodies_of_other_media_types_are_refused() {
    let server = TestServer::start();
    let post = || server.client.post(server.url("/graphql")).bearer_auth(server.token());
    let body = json!({ "query": "{ hello }" }).to_string();
    for content_type in [
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=iso-8859-1",
    ] {
        let answer = server.send(post().header("content-type", content_type).body(body.clone())).await;
        answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    server.send(post().body(body)).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn a_client_that_accepts_nothing_we_speak_is_told() {
    let server = TestServer::start();
    let request = server.client.post(server.url("/graphql")).header("accept", "text/html");
    server.send(request).await.refused(406, "NOT_ACCEPTABLE");
}

#[tokio::test]
async fn malformed_requests_are_400_whatever_is_accepted() {
    let server = TestServer::start();
    for accept in ["application/json", GRAPHQL_RESPONSE] {
        for body in [
            "{",
            "",
            "[]",
            r#"[{"query":"{ hello }"}]"#,
            "{}",
            r#"{"query":1}"#,
            r#"{"query":"{ hello }","operationName":1}"#,
            r#"{"query":"{ hello }","variables":"{}"}"#,
            r#"{"query":"{ hello }","variables":[]}"#,
            r#"{"query":"{ hello }","extensions":true}"#,
        ] {
            let request = server.client.post(server.url("/graphql")).bearer_auth(server.token());
            let request = request.header("content-type", "application/json").header("accept", accept);
            server.send(request.body(body)).await.refused(400, "BAD_REQUEST");
        }
    }
}

#[tokio::test]
async fn what_graphql_refuses_is_400_by_the_newer_media_type_and_200_by_the_older() {
    let server = TestServer::start();
    for (query, variables, code) in [
        ("{", json!({}), "BAD_DOCUMENT"),
        ("{ unknown }", json!({}), "BAD_DOCUMENT"),
        ("{ add(a: \"x\") }", json!({}), "BAD_DOCUMENT"),
        ("query ($a: Int!) { add(a: $a) }", json!({}), "BAD_INPUT"),
        ("query ($a: Int!) { add(a: $a) }", json!({ "a": null }), "BAD_INPUT"),
        ("query ($a: Int!) { add(a: $a) }", json!({ "a": "x" }), "BAD_DOCUMENT"),
        ("query A { hello } query B { hello }", json!({}), "BAD_DOCUMENT"),
        ("{ hello @skip(if: false) @skip(if: true) }", json!({}), "BAD_DOCUMENT"),
    ] {
        for (accept, status) in [("application/json", 200), (GRAPHQL_RESPONSE, 400)] {
            let body = json!({ "query": query, "variables": variables }).to_string();
            let request = server.client.post(server.url("/graphql")).bearer_auth(server.token());
            let request = request.header("content-type", "application/json").header("accept", accept);
            let answer = server.send(request.body(body)).await;
            answer.refused(status, code);
            assert_eq!(answer.header("content-type"), format!("{accept}; charset=utf-8"));
        }
    }
}

#[tokio::test]
async fn mutations_and_live_queries_do_not_come_by_get() {
    let server = TestServer::start();
    let get = |query: &str| {
        let request = server.client.get(server.url("/graphql")).bearer_auth(server.token());
        request.header("accept", GRAPHQL_RESPONSE).query(&[("query", query)])
    };
    let answer = server.send(get("mutation { change }")).await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "POST");
    let both = get("query Q { hello } mutation M { change }").query(&[("operationName", "M")]);
    server.send(both).await.refused(405, "METHOD_NOT_ALLOWED");
    server.send(get("subscription { count(to: 1) }")).await.refused(400, "BAD_REQUEST");
}

#[tokio::test]
async fn live_queries_do_not_come_by_post() {
    let server = TestServer::start();
    let answer = server.ask("subscription { count(to: 1) }").await;
    assert!(answer.refused(400, "BAD_REQUEST")["message"].as_str().unwrap().contains("/graphql/ws"));
}

#[tokio::test]
async fn a_query_comes_by_get_with_its_name_and_variables() {
    let server = TestServer::start();
    let query = "query A { hello } query B($a: Int!) { add(a: $a, b: 2) }";
    let request = server.client.get(server.url("/graphql")).bearer_auth(server.token());
    let request = request.query(&[("query", query), ("operationName", "B"), ("variables", r#"{"a":40}"#)]);
    let answer = server.send(request).await;
    assert_eq!(answer.json, json!({ "data": { "add": 42 } }));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn keys_keep_the_order_of_the_query() {
    let server = TestServer::start();
    let answer = server.ask("{ late b: hello nested { name } a: hello }").await;
    assert_eq!(answer.text, r#"{"data":{"late":"late","b":"world","nested":{"name":"nested"},"a":"world"}}"#);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_compressed_or_not() {
    let server = TestServer::start();
    let large = json!({ "query": "{ hello }", "variables": { "x": "x".repeat(300_000) } }).to_string();
    let answer = server.send(server.post().body(large.clone())).await;
    answer.refused(413, "TOO_LARGE");
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(
        large
            .as_bytes()
            .chunks(10_000)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    ));
    server.send(server.post().body(chunked)).await.refused(413, "TOO_LARGE");
    let bomb = gzip(&vec![b' '; 50_000_000]);
    let answer = server.send(server.post().header("content-encoding", "gzip").body(bomb)).await;
    answer.refused(413, "TOO_LARGE");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let server = TestServer::limited(Limits { execution: Duration::from_millis(50), ..Limits::default() });
    let mut stream = TcpStream::connect(server.running.address()).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\
         authorization: Bearer {}\r\n\r\n{{",
        server.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("BAD_REQUEST"), "{answer}");
}

#[tokio::test]
async fn a_compressed_body_is_read_and_other_encodings_are_not() {
    let server = TestServer::start();
    let body = gzip(br#"{"query":"{ hello }"}"#);
    let answer = server.send(server.post().header("content-encoding", "gzip").body(body.clone())).await;
    assert_eq!(answer.json["data"]["hello"], "world");
    let brotli = server.post().header("content-encoding", "br").body(body);
    server.send(brotli).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let rubbish = server.post().header("content-encoding", "gzip").body("{}");
    server.send(rubbish).await.refused(400, "BAD_REQUEST");
}

#[tokio::test]
async fn the_inside_of_a_failure_stays_inside() {
    let server = TestServer::start();
    let answer = server.ask("{ hello broken }").await;
    assert_eq!((answer.status, answer.code()), (200, "INTERNAL"));
    assert_eq!(answer.json["data"], Value::Null);
    assert!(!answer.text.contains("10.0.0.7"), "{}", answer.text);
    assert_eq!(answer.json["errors"][0]["extensions"]["traceId"], answer.header("x-request-id"));
    assert_eq!(answer.json["errors"][0]["extensions"]["retryable"], true);
}

#[tokio::test]
async fn a_panic_is_answered_and_the_server_goes_on() {
    let server = TestServer::start();
    server.ask("{ panics }").await.refused(500, "INTERNAL");
    assert_eq!(server.ask("{ hello }").await.json["data"]["hello"], "world");
}

#[tokio::test]
async fn what_the_viewer_may_not_do_is_refused_and_says_what_is_missing() {
    let server = TestServer::start();
    let answer = server.ask("{ forbidden }").await;
    let error = answer.refused(403, "FORBIDDEN");
    assert_eq!(error["extensions"]["reason"], "INSUFFICIENT_SCOPE");
    assert_eq!(error["extensions"]["scope"], "audit:read");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", error_description=\"This needs"));
    assert!(challenge.ends_with("scope=\"audit:read\""), "{challenge}");
}

#[tokio::test]
async fn an_argument_out_of_range_is_the_clients_mistake() {
    let server = TestServer::start();
    let answer = server.ask("{ add(a: 99999999999) }").await;
    assert!(["BAD_INPUT", "BAD_DOCUMENT"].contains(&answer.code()), "{}", answer.text);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
