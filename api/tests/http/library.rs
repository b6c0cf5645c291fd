//! What we rely on in the GraphQL library, of the version that is pinned.

use serde_json::{Value, json};

use crate::server::TestServer;

/// The rule of our resolvers: a nullable field reports its error and answers null.
#[tokio::test]
async fn a_nullable_field_that_reports_its_error_keeps_its_siblings() {
    let server = TestServer::start();
    let answer = server.ask("{ hello absent nested { absent name } }").await;
    let data = json!({ "hello": "world", "absent": null, "nested": { "absent": null, "name": "nested" } });
    assert_eq!((answer.status, &answer.json["data"]), (200, &data));
    let errors = answer.json["errors"].as_array().unwrap();
    let paths: Vec<&Value> = errors.iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, [&json!(["absent"]), &json!(["nested", "absent"])]);
    for error in errors {
        assert_eq!(error["extensions"]["code"], "UPSTREAM_UNAVAILABLE");
        assert_eq!(error["message"], "Microsoft does not answer.");
        assert_eq!(error["extensions"]["traceId"], answer.header("x-request-id"));
    }
}

/// A non-null failure takes the nullable object around it, and no more.
#[tokio::test]
async fn a_non_null_field_that_fails_takes_its_parent() {
    let server = TestServer::start();
    let answer = server.ask("{ hello nested { name brokenInside } }").await;
    assert_eq!(answer.json["data"], json!({ "hello": "world", "nested": null }));
    assert_eq!(answer.json["errors"][0]["path"], json!(["nested", "brokenInside"]));
}
