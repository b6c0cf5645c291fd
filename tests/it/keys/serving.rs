//! Processes that serve while their keys are replaced.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use entity::data_key::Purpose;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use simulator::{Config, Fault};
use support::eventually::eventually;
use support::processes::{Installation, Process};
use support::stack::Stack;
use worker::keys::{self, DataKeyUse};

const PUT_ROLE: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*";

fn world() -> Config {
    Config { subscriptions: 3, resources: 60, ..Config::default() }
}

/// `tenantry keys rotate`; answers what it printed.
async fn rotate(installation: &Installation) -> Result<String> {
    let mut command = installation.command("keys")?;
    let output = tokio::task::spawn_blocking(move || command.arg("rotate").output()).await??;
    ensure!(output.status.success(), "keys rotate failed: {}", installation.log()?);
    Ok(String::from_utf8(output.stdout)?)
}

async fn list(url: &SecretString) -> Result<Vec<DataKeyUse>> {
    let database = migration::connect(url.expose_secret(), 1).await?;
    let mut list = keys::list(&database).await?;
    list.retain(|key| key.row.purpose == Purpose::Secrets);
    database.close().await?;
    Ok(list)
}

/// The processes of this stack: one, or several.
async fn start(installation: &Installation) -> Result<Vec<Process>> {
    if installation.redis.is_none() {
        return Ok(vec![installation.serve().await?]);
    }
    Ok(vec![installation.api(0).await?, installation.worker()?, installation.worker()?])
}

async fn install() -> Result<Installation> {
    match Stack::chosen() {
        Stack::Embedded => Installation::single(world()).await,
        Stack::Distributed => Installation::start(world(), 1).await,
    }
}

#[tokio::test]
async fn a_tenant_is_onboarded_over_a_rotation() -> Result<()> {
    let mut installation = install().await?;
    let _processes = start(&installation).await?;
    // The roles have to wait until the rotation is over, and then need the delegated token again.
    let later = [("retry-after", "12")];
    let throttled = Fault::on("PUT", PUT_ROLE).answer(429, &later, r#"{"code":"TooManyRequests"}"#);
    installation.simulator.faults().plan(throttled.times(usize::MAX));
    let (pending, link) = installation.start_consent(0).await?;
    let granted = installation.consent(0).await?;
    eventually("the first role is asked for", async || {
        installation.simulator.calls().iter().any(|call| call.method == "PUT").then_some(())
    })
    .await;
    let before = list(&installation.database_url).await?;
    let old_token = installation.token.clone();

    let told = rotate(&installation).await?;
    installation.simulator.faults().clear();

    let after = list(&installation.database_url).await?;
    assert!(before.len() == 1 && before[0].uses >= 2, "what is pending and granted was sealed: {before:?}");
    assert!(after.len() == 1 && after[0].row.id != before[0].row.id, "{after:?}");
    assert_eq!(after[0].uses, before[0].uses, "neither was erased meanwhile: {told}");
    assert!(told.contains("retired"), "{told}");
    installation.renew_token()?;
    let operation = installation.ended(0, &granted).await;
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    installation.accept(&link).await?;
    let operation = installation.ended(0, &pending).await;
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    let refused = installation.ask_as(&old_token, 0, "{ tenants { nodes { id } } }", json!({})).await?;
    assert!(refused.to_string().contains("NOT_RECOGNIZED"), "{refused}");
    assert!(!installation.log()?.contains("could not be read again"));
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_is_killed_is_finished_by_the_next() -> Result<()> {
    let installation = install().await?;
    let _processes = start(&installation).await?;
    let (_, link) = installation.start_consent(0).await?;
    let before = list(&installation.database_url).await?;
    let mut command = installation.command("keys")?;
    let mut killed = command.arg("rotate").stdout(Stdio::piped()).spawn()?;
    let mut told = String::new();
    BufReader::new(killed.stdout.take().context("no output")?).read_line(&mut told)?;
    assert!(told.contains("made"), "{told}");

    killed.kill()?;
    killed.wait()?;

    assert_eq!(list(&installation.database_url).await?.len(), 2);
    let told = rotate(&installation).await?;
    assert!(told.contains("going on with it"), "{told}");
    let after = list(&installation.database_url).await?;
    assert!(after.len() == 1 && after[0].row.id != before[0].row.id, "{after:?}");
    installation.accept(&link).await
}

#[tokio::test]
async fn an_encryption_key_is_replaced_step_by_step() -> Result<()> {
    let mut installation = install().await?;
    let (old, new) = (installation.encryption_key, [43; 32]);
    let processes = start(&installation).await?;
    let (_, link) = installation.start_consent(0).await?;
    drop(processes);

    (installation.encryption_key, installation.former_encryption_keys) = (new, vec![old]);
    let processes = start(&installation).await?;
    rotate(&installation).await?;
    drop(processes);
    installation.former_encryption_keys.clear();
    installation.renew_token()?;
    let _processes = start(&installation).await?;

    installation.accept(&link).await?;
    installation.encryption_key = old;
    let refused = installation.command("token")?.output()?;
    assert_eq!(refused.status.code(), Some(78));
    Ok(())
}
