//! `graphql-transport-ws`: what works, and how sockets end.

use std::time::Duration;

use api::limits::Limits;
use chrono::TimeDelta;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::schema::PATIENCE;
use crate::server::TestServer;

/// A client of one socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

pub fn request(server: &TestServer) -> Request<()> {
    let url = server.url("/graphql/ws").replace("http:", "ws:");
    let mut request = url.into_client_request().expect("the address is one");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    // As browsers do; an upgrade must not be compressed for it.
    request.headers_mut().insert("accept-encoding", HeaderValue::from_static("gzip, deflate, br"));
    request
}

impl Socket {
    pub async fn open(server: &TestServer) -> Self {
        Self::by(request(server)).await
    }

    pub async fn by(request: Request<()>) -> Self {
        let (socket, response) = tokio_tungstenite::connect_async(request).await.expect("the socket opens");
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        Self(socket)
    }

    /// With a token, past the acknowledgement.
    pub async fn ready(server: &TestServer) -> Self {
        let mut socket = Self::open(server).await;
        let authorization = format!("Bearer {}", server.token());
        socket.say(json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("the socket is open");
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    async fn receive(&mut self) -> Message {
        let received = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message comes in time");
        received.expect("the socket is open").expect("the socket works")
    }

    /// The next message; pings of the WebSocket itself are answered by the way.
    pub async fn hear(&mut self) -> Value {
        loop {
            match self.receive().await {
                Message::Text(text) => return serde_json::from_str(&text).expect("messages are JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code by which the socket is closed, whatever is said before.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.receive().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Close(None) => panic!("closed without a code"),
                _ => {}
            }
        }
    }
}

fn next(id: &str, data: &Value) -> Value {
    json!({ "id": id, "type": "next", "payload": { "data": data } })
}

fn complete(id: &str) -> Value {
    json!({ "id": id, "type": "complete" })
}

#[tokio::test]
async fn a_live_query_is_told_to_its_end() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { count(to: 2) }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "count": 1 })));
    assert_eq!(socket.hear().await, next("1", &json!({ "count": 2 })));
    assert_eq!(socket.hear().await, complete("1"));
}

#[tokio::test]
async fn queries_and_mutations_come_by_socket_too() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    let query = "query A { hello } query B($a: Int!) { add(a: $a, b: 2) }";
    let payload = json!({ "query": query, "operationName": "B", "variables": { "a": 40 } });
    socket.say(json!({ "id": "q", "type": "subscribe", "payload": payload })).await;
    assert_eq!(socket.hear().await, next("q", &json!({ "add": 42 })));
    assert_eq!(socket.hear().await, complete("q"));
    socket.subscribe("m", "mutation { change }").await;
    assert_eq!(socket.hear().await, next("m", &json!({ "change": true })));
    assert_eq!(socket.hear().await, complete("m"));
}

#[tokio::test]
async fn a_client_may_end_an_operation_and_use_its_id_again() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { endless }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "endless": 1 })));
    server.under_way.becomes(1).await;
    socket.say(complete("1")).await;
    server.under_way.becomes(0).await;
    socket.subscribe("1", "subscription { count(to: 1) }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "count": 1 })));
    assert_eq!(socket.hear().await, complete("1"));
}

#[tokio::test]
async fn what_a_gone_client_followed_ends() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { endless }").await;
    socket.subscribe("2", "{ endless }").await;
    server.under_way.becomes(2).await;
    drop(socket);
    server.under_way.becomes(0).await;
}

#[tokio::test]
async fn pings_are_answered_before_and_after_the_acknowledgement() {
    let server = TestServer::start();
    let mut socket = Socket::open(&server).await;
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
    let mut socket = Socket::ready(&server).await;
    socket.say(json!({ "type": "ping", "payload": { "at": 1 } })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": { "at": 1 } }));
    socket.say(json!({ "type": "pong" })).await;
    socket.say(complete("never begun")).await;
    socket.send(Message::Ping("x".into())).await;
    socket.subscribe("1", "{ hello }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "hello": "world" })));
}

#[tokio::test]
async fn what_never_began_is_an_error_and_not_a_next() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    let doubling = "{ ...a } fragment a on Query { ...a }";
    for (query, code) in [
        ("{", "BAD_DOCUMENT"),
        ("subscription { unknown }", "BAD_DOCUMENT"),
        (doubling, "BAD_DOCUMENT"),
        ("query ($a: Int!) { add(a: $a) }", "BAD_INPUT"),
        ("subscription { neverBegins }", "FORBIDDEN"),
        ("{ __schema { description } }", "FORBIDDEN"),
        ("{ panics }", "INTERNAL"),
    ] {
        socket.subscribe("1", query).await;
        let message = socket.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{message}");
        assert!(message["payload"][0]["extensions"]["traceId"].is_string(), "{message}");
    }
}

#[tokio::test]
async fn a_live_query_that_breaks_does_not_show_its_inside() {
    let server = TestServer::start();
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { breaks }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "breaks": 1 })));
    let broken = socket.hear().await;
    assert_eq!(broken["type"], "next");
    assert_eq!(broken["payload"]["errors"][0]["extensions"]["code"], "INTERNAL");
    assert!(!broken.to_string().contains("10.0.0.7"), "{broken}");
    assert_eq!(socket.hear().await, complete("1"));
    socket.subscribe("2", "subscription { panics }").await;
    assert_eq!(socket.hear().await, next("2", &json!({ "panics": 1 })));
    let panicked = socket.hear().await;
    assert_eq!((&panicked["type"], &panicked["id"]), (&json!("error"), &json!("2")));
}

#[tokio::test]
async fn one_operation_too_many_is_refused_and_the_others_go_on() {
    let server = TestServer::limited(Limits { operations: 2, ..Limits::default() });
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { endless }").await;
    socket.hear().await;
    socket.subscribe("2", "subscription { endless }").await;
    socket.hear().await;
    socket.subscribe("3", "{ hello }").await;
    let refused = socket.hear().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("3")));
    let extensions = &refused["payload"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED");
    assert_eq!((&extensions["reached"], &extensions["allowed"]), (&json!(3), &json!(2)));
    socket.say(complete("1")).await;
    socket.subscribe("3", "{ hello }").await;
    assert_eq!(socket.hear().await, next("3", &json!({ "hello": "world" })));
    server.under_way.becomes(1).await;
}

#[tokio::test]
async fn a_token_may_come_with_the_request_too() {
    let server = TestServer::start();
    let mut request = request(&server);
    let authorization = format!("Bearer {}", server.token());
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    let mut socket = Socket::by(request).await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
    socket.subscribe("1", "{ hello }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "hello": "world" })));
}

#[tokio::test]
async fn in_development_the_schema_is_read_without_a_token() {
    let server = TestServer::in_development();
    let mut socket = Socket::open(&server).await;
    socket.say(json!({ "type": "connection_init", "payload": {} })).await;
    assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
    socket.subscribe("1", "{ __typename }").await;
    assert_eq!(socket.hear().await, next("1", &json!({ "__typename": "Query" })));
    assert_eq!(socket.hear().await, complete("1"));
    socket.subscribe("2", "subscription { count(to: 1) }").await;
    assert_eq!(socket.hear().await["payload"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_that_expires_ends_its_socket() {
    let server = TestServer::limited(Limits { ping: Duration::from_millis(50), ..Limits::default() });
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { endless }").await;
    server.under_way.becomes(1).await;
    server.advance(TimeDelta::hours(2));
    assert_eq!(socket.closed().await, 4403);
    server.under_way.becomes(0).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() {
    let limits = Limits { send: Duration::from_millis(200), ..Limits::default() };
    let server = TestServer::limited(limits);
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { flood(size: 100000) }").await;
    server.under_way.becomes(1).await;
    server.under_way.becomes(0).await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_let_go() {
    let server = TestServer::limited(Limits { ping: Duration::from_millis(50), ..Limits::default() });
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("1", "subscription { endless }").await;
    server.under_way.becomes(1).await;
    // Nobody polls the socket, so nobody answers.
    server.under_way.becomes(0).await;
}

#[tokio::test]
async fn a_server_that_stops_makes_clients_reconnect() {
    let server = TestServer::start();
    let mut followed = Socket::ready(&server).await;
    followed.subscribe("1", "subscription { endless }").await;
    followed.hear().await;
    let mut idle = Socket::open(&server).await;
    server.shutdown.cancel();
    assert_eq!(followed.closed().await, 1012);
    assert_eq!(idle.closed().await, 1012);
    drop((followed, idle));
    server.running.join().await.unwrap();
}
