//! A whole Tenantry behind the wall, and how its operator is told of it.

use std::process::{Command, Output, Stdio};

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use simulator::Config;
use support::app::TestApp;
use support::database::TestDatabase;
use support::processes::{Installation, program};
use support::stack::Stack;

#[tokio::test]
async fn a_tenant_is_onboarded_and_scanned_behind_the_wall_and_strangers_see_nothing() -> Result<()> {
    let mut home = TestDatabase::start(Stack::chosen()).await?;
    home.raise_wall().await?;
    let app = TestApp::over(home, |config| (config.subscriptions, config.resources) = (3, 300)).await?;

    let operation = app.onboard().await?;
    let operation = app.scan(&operation).await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    let query = "{ resources { totalCount } tenants { totalCount } operations { totalCount } }";
    let seen = app.ask(query, json!({})).await?;
    assert_eq!(seen["resources"]["totalCount"], 300);
    let stranger = app.stranger().await?;
    let seen = app.ask_as(&stranger, query, json!({})).await?;
    let nothing = json!({ "totalCount": 0 });
    assert_eq!(seen["data"], json!({ "resources": nothing, "tenants": nothing, "operations": nothing }));
    Ok(())
}

/// Runs the executable on the database at `url`.
fn tenantry(command: &str, url: &SecretString, switch: Option<&str>) -> Result<Output> {
    let mut tenantry = Command::new(program());
    tenantry
        .arg(command)
        .env("DATABASE_URL", url.expose_secret())
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .env("TENANTRY_LOG", "warn");
    if let Some(switch) = switch {
        tenantry.args(["--row-level-security", switch]);
    }
    Ok(tenantry.output()?)
}

#[tokio::test]
async fn sqlite_has_no_wall_and_says_so() -> Result<()> {
    let home = TestDatabase::start(Stack::Embedded).await?;

    let migrated = tenantry("migrate", home.url(), Some("on"))?;
    let served = tenantry("serve", home.url(), Some("on"))?;

    for (refused, code) in [(migrated, 1), (served, 78)] {
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{told}");
        assert!(told.contains("SQLite has no row-level security"), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn an_operator_is_told_when_the_wall_holds_nobody_or_costs_much() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    let mut home = TestDatabase::start(Stack::Distributed).await?;
    let superuser = tenantry("migrate", home.url(), Some("on"))?;
    home.raise_wall().await?;
    let owner = tenantry("migrate", home.url(), None)?;
    home.mark().await?;
    let marked = tenantry("migrate", home.url(), None)?;

    let told =
        |output: &Output| String::from_utf8_lossy(&[&*output.stderr, &*output.stdout].concat()).into_owned();
    for output in [&superuser, &owner, &marked] {
        assert_eq!(output.status.code(), Some(0), "{}", told(output));
    }
    assert!(told(&superuser).contains("holds nobody"), "{}", told(&superuser));
    assert!(!told(&owner).contains("holds nobody"), "{}", told(&owner));
    assert!(told(&owner).contains("jsonb_contains(jsonb, jsonb) leakproof"), "{}", told(&owner));
    assert!(!told(&marked).contains("row-level security"), "{}", told(&marked));
    Ok(())
}

#[tokio::test]
async fn processes_refuse_to_start_without_the_wall_that_they_are_to_have() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    let installation = Installation::start(Config::default(), 1).await?;

    for name in ["api", "worker"] {
        let mut process = installation.command(name)?;
        process.env("TENANTRY_ROW_LEVEL_SECURITY", "on").stderr(Stdio::piped());
        let refused = process.output()?;

        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{told}");
        assert!(told.contains("run `tenantry migrate` with the same setting first"), "{told}");
    }
    Ok(())
}
