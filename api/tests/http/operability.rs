//! Health, readiness, and stopping.

use std::time::Duration;

use api::http::{Check, HttpSettings, Server};
use api::limits::Limits;
use serde_json::json;

use crate::server::TestServer;

#[tokio::test]
async fn a_process_that_is_not_ready_still_lives() {
    let server = TestServer::checked(vec![
        Check::new("database", || async { Ok(()) }),
        Check::new("redis", || async { Err("redis://:secret@10.0.0.7 refused".to_owned()) }),
    ]);
    let ready = server.send(server.client.get(server.url("/readyz"))).await;
    assert_eq!(ready.status, 503);
    let checks = json!({ "database": "ok", "redis": "failed" });
    assert_eq!(ready.json, json!({ "status": "unavailable", "checks": checks }));
    let alive = server.send(server.client.get(server.url("/healthz"))).await;
    assert_eq!((alive.status, alive.json), (200, json!({ "status": "ok" })));
}

#[tokio::test]
async fn a_check_that_panics_has_failed() {
    let server = TestServer::checked(vec![Check::new("database", || async { panic!("on purpose") })]);
    let ready = server.send(server.client.get(server.url("/readyz"))).await;
    assert_eq!((ready.status, &ready.json["checks"]["database"]), (503, &json!("failed")));
}

#[tokio::test]
async fn what_works_is_ready() {
    let server = TestServer::checked(vec![Check::new("database", || async { Ok(()) })]);
    let ready = server.send(server.client.get(server.url("/readyz"))).await;
    assert_eq!((ready.status, ready.json), (200, json!({ "status": "ok", "checks": { "database": "ok" } })));
}

#[tokio::test]
async fn other_routes_are_served_too() {
    let server = TestServer::start();
    assert_eq!(server.send(server.client.get(server.url("/extra"))).await.text, "extra");
    assert_eq!(server.send(server.client.get(server.url("/nothing"))).await.status, 404);
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let server = TestServer::start();
    let settings = HttpSettings { listen: server.running.address(), ..HttpSettings::default() };
    let (schema, _) = crate::schema::build();
    let error =
        Server::start(settings, schema, server.services.clone(), server.shutdown.clone()).unwrap_err();
    assert!(error.to_string().contains(&server.running.address().to_string()));
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way_and_no_longer() {
    let limits = Limits { execution: Duration::from_millis(500), ..Limits::default() };
    let stop_within = Duration::from_secs(30);
    let server = TestServer::with(HttpSettings { limits, stop_within, ..HttpSettings::default() });
    let url = server.url("/graphql");
    let body = json!({ "query": "{ endless }" }).to_string();
    let pending = tokio::spawn(server.post().body(body).send());
    server.under_way.becomes(1).await;

    server.shutdown.cancel();
    let began = std::time::Instant::now();
    server.running.join().await.unwrap();

    assert_eq!(pending.await.unwrap().unwrap().status(), 504);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(server.client.get(url).send().await.unwrap_err().is_connect());
}
