//! What keeps browsers safe: headers, allowed origins, pages.

use api::http::HttpSettings;
use reqwest::Method;
use serde_json::json;

use crate::server::TestServer;

const FRONT_END: &str = "https://app.example";

fn with_front_end() -> TestServer {
    TestServer::with(HttpSettings { allowed_origins: vec![FRONT_END.to_owned()], ..HttpSettings::default() })
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let server = TestServer::with(HttpSettings { https: true, ..HttpSettings::default() });
    for path in ["/graphql", "/healthz", "/readyz", "/extra", "/nothing", "/graphql/ws"] {
        let answer = server.send(server.client.get(server.url(path))).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("script-src"), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn a_request_id_is_kept_if_it_can_do_no_harm() {
    let server = TestServer::start();
    let get = |id: &str| server.client.get(server.url("/healthz")).header("x-request-id", id);
    assert_eq!(server.send(get("partner-42")).await.header("x-request-id"), "partner-42");
    assert_ne!(server.send(get("a b")).await.header("x-request-id"), "a b");
}

#[tokio::test]
async fn other_origins_are_not_let_in() {
    for server in [TestServer::start(), with_front_end()] {
        let preflight = server.client.request(Method::OPTIONS, server.url("/graphql"));
        let preflight = preflight.header("origin", "https://evil.example");
        let answer = server.send(preflight.header("access-control-request-method", "POST")).await;
        answer.refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn an_allowed_origin_is_let_in_without_cookies() {
    let server = with_front_end();
    let preflight =
        server.client.request(Method::OPTIONS, server.url("/graphql")).header("origin", FRONT_END);
    let answer = server.send(preflight.header("access-control-request-method", "POST")).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), FRONT_END);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST");
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let body = json!({ "query": "{ hello }" }).to_string();
    let answer = server.send(server.post().header("origin", FRONT_END).body(body)).await;
    assert_eq!(answer.header("access-control-allow-origin"), FRONT_END);
    assert!(answer.header("access-control-expose-headers").contains("www-authenticate"));
    assert!(answer.headers.get_all("vary").iter().any(|vary| vary == "origin"));
    assert_eq!(answer.json["data"]["hello"], "world");
}

#[tokio::test]
async fn graphiql_is_there_in_development_only() {
    let server = TestServer::start();
    for path in ["/", "/graphiql", "/graphiql.js"] {
        assert_eq!(server.send(server.client.get(server.url(path))).await.status, 404, "{path}");
    }
    let server = TestServer::in_development();
    for path in ["/", "/graphiql"] {
        let answer = server.send(server.client.get(server.url(path))).await;
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self' https://unpkg.com;"), "{policy}");
        let scripts = answer.text.matches("<script").count();
        assert_eq!(answer.text.matches("<script defer src=").count(), scripts, "a script is inline");
        let elsewhere = answer.text.matches("https://unpkg.com").count();
        assert_eq!(answer.text.matches("integrity=\"sha384-").count(), elsewhere);
    }
    let script = server.send(server.client.get(server.url("/graphiql.js"))).await;
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
}
