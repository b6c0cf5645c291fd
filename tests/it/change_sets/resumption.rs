//! Whatever happens on the way, no change is sent twice that Azure already has, and none is lost.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use simulator::Fault;
use support::app::TestApp;
use support::database::CONNECTIONS;
use tokio::time::timeout;

use super::{Tenant, outcomes};

const PATCHES: &str =
    "/subscriptions/*/resourcegroups/*/providers/*/*/*/providers/microsoft.resources/tags/default";

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_found_and_not_sent_again() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let tags = json!([{ "name": "a", "value": "b" }]);
    let asked = tenant.ask("assignTags", json!({ "selection": tenant.select(&[0]), "tags": tags })).await?;
    let id = asked["changeSet"]["id"].as_str().context("no change set")?;
    // As if a worker had died after it had sent this, and before it could say so.
    let write = asked["changeSet"]["writes"]["nodes"][0]["id"].as_str().context("no write")?;
    let row = write.trim_start_matches("tag-write:").parse()?;
    mark_sent(&tenant, row).await?;
    let mut with: Vec<(String, String)> = tenant.tags(0).into_iter().collect();
    with.push(("a".to_owned(), "b".to_owned()));
    let with: Vec<(&str, &str)> = with.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    tenant.app.simulator.replace_tags(&tenant.arm_id(0), &with);

    tenant.app.run_jobs().await?;

    assert_eq!(outcomes(&tenant.change_set(id).await?), ["APPLIED"]);
    assert_eq!(tenant.calls(), ["GET"]);
    Ok(())
}

async fn mark_sent(tenant: &Tenant, row: uuid::Uuid) -> Result<()> {
    use sea_orm::{ActiveModelTrait, Set, Unchanged};
    let sent = entity::tag_write::ActiveModel {
        id: Unchanged(row),
        sent_at: Set(Some(tenant.app.clock.now())),
        ..Default::default()
    };
    sent.update(&tenant.app.database).await?;
    Ok(())
}

#[tokio::test]
async fn azure_that_does_not_answer_is_asked_again_and_the_rest_is_not_held_up() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let fault = Fault::on("PATCH", PATCHES).times(6).answer(503, &[], "");
    tenant.app.simulator.faults().plan(fault);

    let change_set = tenant.assign(&[0, 2, 4], "a", "b").await?;

    assert_eq!(outcomes(&change_set), ["APPLIED", "APPLIED", "APPLIED"]);
    assert_eq!(change_set["state"], "APPLIED");
    Ok(())
}

#[tokio::test]
async fn a_change_that_azure_makes_later_is_waited_for() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.app.simulator.set_tags_later(Some(1));

    let change_set = tenant.assign(&[0], "a", "b").await?;

    assert_eq!(outcomes(&change_set), ["APPLIED"]);
    assert_eq!(tenant.tags(0)["a"], "b");
    Ok(())
}

#[tokio::test]
async fn many_subscriptions_are_written_to_over_a_single_connection_to_the_database() -> Result<()> {
    let tenant = Tenant::onboarded(TestApp::small(6, 90).await?).await?;
    tenant.change_access("WRITE_TAGS").await?;
    let wish =
        json!({ "selection": { "all": true, "expectedCount": 90 }, "tags": [{ "name": "a", "value": "b" }] });
    let asked = tenant.ask("assignTags", wish).await?;
    let id = asked["changeSet"]["id"].as_str().context(asked.to_string())?;
    // Steps end while others wait for Azure and for the database.
    tenant.app.simulator.set_latency(Duration::from_millis(5));
    let mut taken = Vec::new();
    for _ in 1..CONNECTIONS {
        taken.push(worker::transaction::snapshot(&tenant.app.database).await?);
    }

    // Whoever waits for a connection that nobody gives back does so for half a minute.
    timeout(Duration::from_secs(25), tenant.app.run_jobs()).await??;

    drop(taken);
    let change_set = tenant.change_set(id).await?;
    assert_eq!(outcomes(&change_set), vec!["APPLIED"; 90]);
    Ok(())
}

#[tokio::test]
async fn what_was_cancelled_stops_says_so_and_is_finished_by_a_retry() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let tags = json!([{ "name": "a", "value": "b" }]);
    let asked =
        tenant.ask("assignTags", json!({ "selection": tenant.select(&[0, 2]), "tags": tags })).await?;
    let id = json!({ "changeSetId": asked["changeSet"]["id"] });

    let cancelled = tenant.to_the_end("cancelChangeSet", id.clone()).await?;
    let again = tenant.ask("cancelChangeSet", id.clone()).await?;

    assert_eq!(
        (outcomes(&cancelled), cancelled["state"].as_str()),
        (vec!["CANCELLED", "CANCELLED"], Some("CANCELLED"))
    );
    assert_eq!(again["userErrors"][0]["code"], "ALREADY_ENDED");
    assert_eq!(tenant.calls(), Vec::<String>::new());
    let retry = "mutation($id: ID!) { retryOperation(input: { operationId: $id }) { userErrors { code } } }";
    let retried = tenant.app.ask(retry, json!({ "id": cancelled["operations"][0]["id"] })).await?;
    assert_eq!(retried["retryOperation"]["userErrors"], json!([]));
    tenant.app.run_jobs().await?;
    let ended = tenant.change_set(cancelled["id"].as_str().unwrap_or_default()).await?;
    assert_eq!((outcomes(&ended), ended["state"].as_str()), (vec!["APPLIED", "APPLIED"], Some("APPLIED")));
    Ok(())
}

#[tokio::test]
async fn what_was_only_planned_is_dropped_by_a_cancellation() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let wish = json!({ "selection": tenant.select(&[0]), "set": [{ "name": "a", "value": "b" }] });
    let planned = tenant.ask("planChangeSet", wish).await?;
    let id = json!({ "changeSetId": planned["changeSet"]["id"] });

    let dropped = tenant.ask("cancelChangeSet", id.clone()).await?;
    let applied = tenant.ask("applyChangeSet", id.clone()).await?;
    let reverted = tenant.ask("revertChangeSet", id).await?;

    assert_eq!(dropped["changeSet"]["state"], "CANCELLED");
    assert_eq!(applied["userErrors"][0]["code"], "NOT_PLANNED");
    assert_eq!(
        (reverted["userErrors"][0]["code"].as_str(), &reverted["changeSet"]),
        (Some("NOTHING_TO_CHANGE"), &Value::Null)
    );
    Ok(())
}

#[tokio::test]
async fn a_name_whose_case_could_not_be_mended_is_there_as_it_was() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("costcenter", "1010"), ("other", "1")]).await?;
    let before = tenant.tags(0);
    let refusal = r#"{"error":{"code":"RequestDisallowedByPolicy","message":"no"}}"#;
    // The first takes the tag away, the second would add it under its new name.
    let fault = Fault::on("PATCH", PATCHES).after(1).times(1).answer(403, &[], refusal);
    tenant.app.simulator.faults().plan(fault);
    let renaming = json!({ "from": "costcenter", "to": "CostCenter" });

    let mended = tenant
        .to_the_end("renameTag", json!({ "selection": tenant.select(&[0]), "renaming": renaming }))
        .await?;

    assert_eq!(outcomes(&mended), ["DENIED_BY_POLICY"]);
    assert_eq!(tenant.tags(0), before);
    Ok(())
}
