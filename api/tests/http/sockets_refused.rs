//! `graphql-transport-ws`: what is refused, and by which close code.

use std::time::Duration;

use api::http::HttpSettings;
use api::limits::Limits;
use serde_json::json;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::TestServer;
use crate::sockets::{Socket, request};

/// The status with which a socket is not opened.
async fn not_opened(request: Request<()>) -> u16 {
    match tokio_tungstenite::connect_async(request).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_an_init_the_socket_is_closed() {
    let server = TestServer::limited(Limits { init: Duration::from_millis(50), ..Limits::default() });
    let mut silent = Socket::open(&server).await;
    assert_eq!(silent.closed().await, 4408);
    let mut talkative = Socket::open(&server).await;
    talkative.say(json!({ "type": "ping" })).await;
    assert_eq!(talkative.closed().await, 4408);
}

#[tokio::test]
async fn a_second_init_is_one_too_many() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.closed().await, 4429);
}

#[tokio::test]
async fn an_operation_before_the_acknowledgement_is_unauthorized() {
    let server = TestServer::in_development();
    let mut socket = Socket::open(&server).await;
    socket.subscribe("1", "{ __typename }").await;
    assert_eq!(socket.closed().await, 4401);
}

#[tokio::test]
async fn an_id_in_use_is_refused() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { endless }").await;
    socket.subscribe("1", "subscription { endless }").await;
    assert_eq!(socket.closed().await, 4409);
    server.under_way.becomes(0).await;
}

#[tokio::test]
async fn what_is_no_message_is_bad() {
    let server = TestServer::start();
    for message in [
        Message::text("not json"),
        Message::text("[]"),
        Message::text(r#"{"type":"unheard of"}"#),
        Message::text(r#"{"type":"subscribe","id":"1"}"#),
        Message::text(r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#),
        Message::text(r#"{"type":"subscribe","payload":{"query":"{ hello }"}}"#),
        Message::text(r#"{"type":"complete"}"#),
        Message::text(r#"{"type":"ping","payload":1}"#),
        Message::binary(vec![1, 2, 3]),
    ] {
        let mut socket = Socket::ready(&server).await;
        socket.send(message.clone()).await;
        assert_eq!(socket.closed().await, 4400, "{message}");
    }
}

#[tokio::test]
async fn refused_tokens_are_forbidden() {
    let server = TestServer::start();
    let cut = format!("Bearer {}", &server.token()[..50]);
    for payload in
        [json!(null), json!({}), json!({ "authorization": cut }), json!({ "authorization": "Basic x" })]
    {
        let mut socket = Socket::open(&server).await;
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.closed().await, 4403, "{payload}");
    }
    let server = TestServer::in_development();
    let mut socket = Socket::open(&server).await;
    socket.say(json!({ "type": "connection_init", "payload": { "Authorization": cut } })).await;
    assert_eq!(socket.closed().await, 4403);
}

#[tokio::test]
async fn a_message_over_the_limit_is_too_big() {
    let server = TestServer::limited(Limits { body: 1_000, ..Limits::default() });
    let mut socket = Socket::ready(&server).await;
    socket.send(Message::text("x".repeat(1_001))).await;
    assert_eq!(socket.closed().await, 1009);
}

#[tokio::test]
async fn a_refused_token_in_the_request_opens_no_socket() {
    let server = TestServer::start();
    let mut request = request(&server);
    request.headers_mut().insert("authorization", "Bearer x.y".parse().unwrap());
    assert_eq!(not_opened(request).await, 401);
}

#[tokio::test]
async fn other_protocols_open_no_socket() {
    let server = TestServer::start();
    let mut legacy = request(&server);
    legacy.headers_mut().insert("sec-websocket-protocol", "graphql-ws".parse().unwrap());
    assert_eq!(not_opened(legacy).await, 400);
    let mut none = request(&server);
    none.headers_mut().remove("sec-websocket-protocol");
    assert_eq!(not_opened(none).await, 400);
    let plain =
        server.client.get(server.url("/graphql/ws")).header("sec-websocket-protocol", "graphql-transport-ws");
    server.send(plain).await.refused(400, "BAD_REQUEST");
}

#[tokio::test]
async fn other_origins_open_no_socket() {
    let allowed_origins = vec!["https://app.example".to_owned()];
    let server = TestServer::with(HttpSettings { allowed_origins, ..HttpSettings::default() });
    let from = |origin: String| {
        let mut request = request(&server);
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request
    };
    assert_eq!(not_opened(from("https://evil.example".to_owned())).await, 403);
    assert_eq!(not_opened(from("null".to_owned())).await, 403);
    Socket::by(from("https://app.example".to_owned())).await;
    Socket::by(from(server.url(""))).await;
}
