//! Several processes over one PostgreSQL and one Redis, and what happens to them: kill -9, a flushed Redis, a
//! restarted PostgreSQL. Only the distributed stack has processes.

mod writing;

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::Clock;
use secrecy::SecretString;
use serde_json::{Value, json};
use simulator::{Config, Fault};
use support::app::outcomes;
use support::eventually::eventually;
use support::postgres::PostgresServer;
use support::processes::Installation;
use support::stack::Stack;

const SUBSCRIPTIONS: u32 = 6;
const RESOURCES: u64 = 6_000;

fn small_world() -> Config {
    Config { subscriptions: SUBSCRIPTIONS, resources: RESOURCES, ..Config::default() }
}

/// Everything was granted once, and every resource is there.
fn assert_whole(installation: &Installation, operation: &Value) {
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(outcomes(operation).values().sum::<usize>(), SUBSCRIPTIONS as usize);
    let steps = operation["steps"]["nodes"].as_array();
    let seen: u64 = steps.into_iter().flatten().filter_map(|step| step["resourcesSeen"].as_u64()).sum();
    assert_eq!(seen, RESOURCES);
    for subscription in installation.simulator.subscriptions() {
        assert_eq!(installation.simulator.assignments_at(subscription.id), 1, "{}", subscription.name);
    }
}

/// Waits until somebody has called `path` with `method`.
async fn called(installation: &Installation, method: &str, path: &str, times: usize) {
    eventually(path, async || {
        let calls = installation.simulator.calls();
        let found =
            calls.iter().filter(|call| call.method == method && call.path.to_lowercase().contains(path));
        (found.count() >= times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_one_node_revokes_no_node_takes() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    let installation = Installation::start(small_world(), 2).await?;
    let (_first, _second) = (installation.api(0).await?, installation.api(1).await?);
    let create = "mutation($at: DateTime!) { createAccessToken(input: { name: \"partner\",
                    scopes: [INVENTORY_READ], expiresAt: $at }) { accessToken { id } secret } }";
    let in_a_week = (Clock::system().now() + TimeDelta::days(7)).to_rfc3339();
    let created = installation.ask(0, create, json!({ "at": in_a_week })).await?;
    let created = &created["createAccessToken"];
    let secret = created["secret"].as_str().context("no access token")?.to_owned();
    let secret = SecretString::from(secret);
    let ask =
        async |place| installation.ask_as(&secret, place, "{ tenants { totalCount } }", json!({})).await;
    for place in [0, 1] {
        assert_eq!(ask(place).await?["data"]["tenants"]["totalCount"], 0);
    }

    let revoke =
        "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
    installation.ask(0, revoke, json!({ "id": created["accessToken"]["id"] })).await?;

    for place in [0, 1] {
        eventually("the node refuses", async || {
            let answer = ask(place).await.ok()?;
            (answer["errors"][0]["extensions"]["reason"] == "REVOKED").then_some(())
        })
        .await;
    }
    Ok(())
}

#[tokio::test]
async fn two_apis_and_two_workers_do_the_same_job_together() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    let installation = Installation::start(small_world(), 2).await?;
    let first = installation.api(0).await?;
    let _second = installation.api(1).await?;
    let (worker, _other) = (installation.worker()?, installation.worker()?);

    let consent = installation.consent(0).await?;
    let operation = installation.ended(1, &consent).await;

    assert_whole(&installation, &operation);
    assert_eq!(first.terminate().await?, Some(0));
    assert_eq!(worker.terminate().await?, Some(0));
    assert_tells_no_secret(&installation.log()?, &installation);
    Ok(())
}

/// The log tells of the work, and of no token, secret, code or e-mail address.
fn assert_tells_no_secret(log: &str, installation: &Installation) {
    assert!(log.contains("operation ended"), "the log tells of the work");
    // Every token begins as a JWT does, every code of the simulator with `1.` and 64 digits.
    for secret in ["eyJ", &installation.simulator.client_secret(), "Bearer ", "code_verifier", "@"] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_at_any_step_is_replaced() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    for (method, path, nth) in [
        ("GET", "/tenants", 1),
        ("PUT", "/roleassignments/", 1),
        ("GET", "/subscriptions/", 1),
        // Resources are counted before they are scanned.
        ("POST", "/providers/microsoft.resourcegraph/resources", 1),
        ("POST", "/providers/microsoft.resourcegraph/resources", 2),
    ] {
        let installation = Installation::start(small_world(), 1).await?;
        // The call is held up, so that the worker dies in the middle of it.
        let held_up = Fault::on(method, &pattern(path)).after(nth - 1).delay(Duration::from_secs(2));
        installation.simulator.faults().plan(held_up);
        let _api = installation.api(0).await?;
        let mut worker = installation.worker()?;
        let consent = installation.consent(0).await?;
        called(&installation, method, path, nth).await;

        worker.kill()?;
        let _next = installation.worker()?;

        let operation = installation.ended(0, &consent).await;
        assert_whole(&installation, &operation);
    }
    Ok(())
}

fn pattern(path: &str) -> String {
    match path {
        "/roleassignments/" => {
            "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*".to_owned()
        }
        "/subscriptions/" => "/subscriptions/*".to_owned(),
        other => other.to_owned(),
    }
}

#[tokio::test]
async fn a_redis_that_forgets_everything_loses_nothing() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    let installation = Installation::start(small_world(), 1).await?;
    let put = pattern("/roleassignments/");
    installation.simulator.faults().plan(Fault::on("PUT", &put).times(3).delay(Duration::from_millis(500)));
    let _api = installation.api(0).await?;
    let _worker = installation.worker()?;
    let consent = installation.consent(0).await?;
    called(&installation, "PUT", "/roleassignments/", 1).await;

    installation.redis.as_ref().context("no Redis")?.flush().await?;

    let operation = installation.ended(0, &consent).await;
    assert_whole(&installation, &operation);
    Ok(())
}

#[tokio::test]
async fn a_postgres_that_restarts_in_the_middle_is_waited_for() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    let mut postgres = PostgresServer::start().await?;
    let url = postgres.url();
    let installation = Installation::over(small_world(), 1, url, None).await?;
    let _api = installation.api(0).await?;
    let _worker = installation.worker()?;
    let consent = installation.consent(0).await?;
    called(&installation, "PUT", "/roleassignments/", 1).await;

    postgres.restart().await?;

    let operation = installation.ended(0, &consent).await;
    assert_whole(&installation, &operation);
    Ok(())
}
