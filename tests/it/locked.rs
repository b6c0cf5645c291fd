//! Somebody holds a lock on the database: whoever waits for it is told so in time, and then keeps nothing from
//! others.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use futures::future::join_all;
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::app::TestApp;
use support::database::CONNECTIONS;

const TENANTS: &str = "{ tenants { nodes { id } } }";

/// Another program, that lets nobody write to this table until the transaction is dropped.
async fn hold(app: &TestApp, table: &str) -> Result<(DatabaseConnection, DatabaseTransaction)> {
    let other = migration::connect(app.home.url().expose_secret(), 1).await?;
    // On SQLite this is all that it takes.
    let held = worker::transaction::begin(&other).await?;
    if other.get_database_backend() == DbBackend::Postgres {
        held.execute_unprepared(&format!("lock table {table} in exclusive mode")).await?;
    }
    Ok((other, held))
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_refused_in_time_and_good_afterwards() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let create = "mutation($at: DateTime!) { createAccessToken(input: { name: \"partner\", expiresAt: $at,
                    scopes: [INVENTORY_READ] }) { secret } }";
    let created = app.ask(create, json!({ "at": app.clock.now() + TimeDelta::days(1) })).await?;
    let token = created["createAccessToken"]["secret"].as_str().context("no token")?;
    // The first use of a token is written down.
    let (_other, held) = hold(&app, "access_token").await?;

    let refused = app.answered(token, TENANTS).await?;

    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    let error = &refused.json["errors"][0];
    assert_eq!(error["extensions"]["code"], "UPSTREAM_UNAVAILABLE");
    assert_eq!(error["extensions"]["retryable"], true);
    assert_eq!(error["message"], "The token could not be checked. Try again in a moment.");
    held.rollback().await?;
    let answered = app.answered(token, TENANTS).await?;
    assert_eq!(answered.status, StatusCode::OK, "{answered:?}");
    Ok(())
}

#[tokio::test]
async fn requests_that_were_given_up_at_a_lock_keep_no_connection_from_others() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.onboard().await?;
    let data = app.ask(TENANTS, json!({})).await?;
    let tenant = data["tenants"]["nodes"][0]["id"].as_str().context("no tenant")?;
    let scan =
        format!("mutation {{ scanTenant(input: {{ tenantId: \"{tenant}\" }}) {{ operation {{ id }} }} }}");
    let (_other, held) = hold(&app, "operation").await?;
    let token = app.token.expose_secret();

    let scans = join_all((0..2 * CONNECTIONS).map(|_| app.answered(token, &scan))).await;

    for scan in scans {
        let scan = scan?;
        let code = &scan.json["errors"][0]["extensions"]["code"];
        let is_told = [&json!("TIMED_OUT"), &json!("UPSTREAM_UNAVAILABLE")].contains(&code);
        assert!(is_told, "{scan:?}");
    }
    let page = app.answered(token, "{ resources(first: 1) { nodes { id } } }").await?;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert_eq!(page.json["errors"], Value::Null);
    held.rollback().await?;
    let scan = app.answered(token, &scan).await?;
    assert!(scan.json["data"]["scanTenant"]["operation"]["id"].is_string(), "{scan:?}");
    Ok(())
}
