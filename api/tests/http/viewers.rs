//! Who may ask what: tokens, and reading the schema.

use chrono::TimeDelta;
use serde_json::json;

use crate::server::{ADMIN, GRAPHQL_RESPONSE, TestServer, VIEWER};

const INTROSPECTION: &str = "{ __schema { queryType { name } } }";

#[tokio::test]
async fn without_a_token_there_is_a_plain_challenge() {
    for server in [TestServer::start(), TestServer::in_development()] {
        for authorization in [None, Some("Basic dXNlcjpwYXNz")] {
            let mut request =
                server.client.post(server.url("/graphql")).json(&json!({ "query": "{ hello }" }));
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = server.send(request).await;
            answer.refused(401, "UNAUTHENTICATED");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_told_why() {
    let server = TestServer::in_development();
    let whole = server.token();
    server.advance(TimeDelta::hours(2));
    let strange = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (token, reason) in
        [(&whole[..40], "INCOMPLETE"), ("", "INCOMPLETE"), (&whole, "EXPIRED"), (strange, "NOT_RECOGNIZED")]
    {
        // Even what needs no token is refused with a bad one.
        let request = server.client.post(server.url("/graphql")).json(&json!({ "query": INTROSPECTION }));
        let answer = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        let error = answer.refused(401, "UNAUTHENTICATED");
        assert_eq!(error["extensions"]["reason"], reason);
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\", error_description=\"The token"),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn the_token_names_the_viewer() {
    let server = TestServer::start();
    let answer = server.ask("{ member }").await;
    let member = VIEWER.member_id.to_string();
    assert_eq!(answer.json["data"], json!({ "member": member }));
}

#[tokio::test]
async fn in_development_everybody_reads_the_schema_and_nothing_else() {
    let server = TestServer::in_development();
    let ask = |query: &str| {
        let request = server.client.post(server.url("/graphql")).header("accept", GRAPHQL_RESPONSE);
        server.send(request.json(&json!({ "query": query })))
    };
    assert_eq!(ask(INTROSPECTION).await.json["data"]["__schema"]["queryType"]["name"], "Query");
    assert_eq!(ask("{ __typename }").await.json["data"]["__typename"], "Query");
    for query in [
        "{ __typename hello }",
        "{ ...f } fragment f on Query { __typename ... { hello } }",
        "mutation { change }",
        "mutation { __typename change }",
    ] {
        ask(query).await.refused(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn in_production_an_admin_reads_the_schema() {
    let server = TestServer::start();
    let without = server.client.post(server.url("/graphql")).json(&json!({ "query": INTROSPECTION }));
    server.send(without).await.refused(401, "UNAUTHENTICATED");
    server.ask(INTROSPECTION).await.refused(403, "FORBIDDEN");
    server
        .ask("{ ...f } fragment f on Query { s: __schema { description } }")
        .await
        .refused(403, "FORBIDDEN");
    let admin = server.client.post(server.url("/graphql")).bearer_auth(server.token_of(&ADMIN));
    let answer = server.send(admin.json(&json!({ "query": INTROSPECTION }))).await;
    assert_eq!(answer.json["data"]["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn in_production_mistakes_do_not_teach_the_schema() {
    let query = "{ hell }";
    let answer = TestServer::start().ask(query).await;
    answer.refused(400, "BAD_DOCUMENT");
    assert!(!answer.text.contains("hello"), "{}", answer.text);
    let answer = TestServer::in_development().ask(query).await;
    assert!(answer.text.contains("hello"), "{}", answer.text);
}
