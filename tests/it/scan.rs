//! What a scan stores, and what it leaves alone.

mod schedule;
mod sources;

use anyhow::Result;
use entity::role_assignment;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use simulator::{BuiltInRole, Fault, Scope};
use support::app::TestApp;
use support::database::misplaced;

const QUERY: &str = "/providers/Microsoft.ResourceGraph/resources";

fn sum(operation: &Value, field: &str) -> u64 {
    let steps = operation["steps"]["nodes"].as_array();
    steps.into_iter().flatten().filter_map(|step| step[field].as_u64()).sum()
}

fn codes(operation: &Value) -> Vec<&str> {
    let steps = operation["steps"]["nodes"].as_array();
    steps.into_iter().flatten().filter_map(|step| step["failure"]["code"].as_str()).collect()
}

async fn total(app: &TestApp) -> Result<u64> {
    let data = app.ask("{ resources(first: 1) { totalCount } }", json!({})).await?;
    Ok(data["resources"]["totalCount"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn a_rescan_writes_only_what_changed() -> Result<()> {
    let app = TestApp::small(3, 2_500).await?;
    let onboarding = app.onboard().await?;
    assert_eq!(sum(&onboarding, "resourcesWritten"), 2_500);
    let subscription = app.simulator.subscriptions()[1].id;
    let first = app.scan(&onboarding).await?;
    app.simulator.set_tags(subscription, 3, &[("Env", "Prod")]);
    app.simulator.add_resources(subscription, 2);
    app.simulator.remove_resource(subscription, 5);

    let second = app.scan(&onboarding).await?;

    assert_eq!((sum(&first, "resourcesWritten"), sum(&first, "resourcesDeleted")), (0, 0));
    assert_eq!(first["state"], "SUCCEEDED");
    assert_eq!((sum(&second, "resourcesWritten"), sum(&second, "resourcesDeleted")), (3, 1));
    assert_eq!(total(&app).await?, 2_501);
    assert_eq!(misplaced(&app.database).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_is_lost_keeps_its_inventory_and_says_so() -> Result<()> {
    let app = TestApp::small(3, 300).await?;
    let onboarding = app.onboard().await?;
    let lost = app.simulator.subscriptions()[0].clone();
    let principal = app.simulator.service_principal_id().unwrap_or_default();
    app.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(lost.id));

    let scan = app.scan(&onboarding).await?;

    assert_eq!(scan["state"], "PARTIAL");
    assert_eq!(codes(&scan), ["ACCESS_LOST"]);
    assert_eq!(sum(&scan, "resourcesDeleted"), 0);
    assert_eq!(total(&app).await?, 300);
    assert_eq!(scan["tenant"]["state"], "DEGRADED");
    let stale = scan["steps"]["nodes"].as_array().into_iter().flatten();
    let stale: Vec<_> = stale
        .filter(|step| !step["subscription"]["stale"].is_null())
        .map(|step| &step["subscription"])
        .collect();
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0]["resourceCount"], lost.resources);
    Ok(())
}

#[tokio::test]
async fn losing_every_subscription_deletes_nothing() -> Result<()> {
    let app = TestApp::small(2, 100).await?;
    let onboarding = app.onboard().await?;
    app.simulator.delete_service_principal();

    let scan = app.scan(&onboarding).await?;

    assert_eq!(scan["state"], "FAILED");
    assert_eq!(sum(&scan, "resourcesDeleted"), 0);
    assert_eq!(total(&app).await?, 100);
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_cut_is_no_complete_scan() -> Result<()> {
    let app = TestApp::small(1, 1_500).await?;
    let onboarding = app.onboard().await?;
    app.simulator.remove_resource(app.simulator.subscriptions()[0].id, 7);
    app.simulator.faults().plan(Fault::on("POST", QUERY).corrupt_page());

    let cut = app.scan(&onboarding).await?;
    let whole = app.scan(&onboarding).await?;

    assert_eq!(cut["state"], "FAILED");
    assert_eq!(cut["steps"]["nodes"][0]["scanned"], false);
    assert_eq!(sum(&cut, "resourcesDeleted"), 0);
    assert_eq!((sum(&whole, "resourcesDeleted"), total(&app).await?), (1, 1_499));
    Ok(())
}

#[tokio::test]
async fn one_bad_answer_costs_no_other_subscription_its_scan() -> Result<()> {
    let app = TestApp::small(4, 400).await?;
    let onboarding = app.onboard().await?;
    // The query for all four, the first half of it, and then one alone.
    app.simulator.faults().plan(Fault::on("POST", QUERY).times(3).corrupt_page());

    let scan = app.scan(&onboarding).await?;

    assert_eq!(scan["state"], "PARTIAL");
    assert_eq!(codes(&scan).len(), 1);
    assert_eq!(total(&app).await?, 400);
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_vanishes_during_the_scan_keeps_its_inventory() -> Result<()> {
    let app = TestApp::small(2, 100).await?;
    let onboarding = app.onboard().await?;
    // The list before the scan is answered from memory of better times; afterwards the subscription is gone.
    let gone = app.simulator.subscriptions()[0].id;
    let rows: Vec<_> = app.simulator.subscriptions().into_iter().map(|one| row(&app, one.id)).collect();
    let list = json!({ "value": rows }).to_string();
    app.simulator.faults().plan(Fault::on("GET", "/subscriptions").answer(200, &[], &list));
    app.simulator.remove_subscription(gone);

    let scan = app.scan(&onboarding).await?;

    assert_eq!(codes(&scan), ["ACCESS_LOST"]);
    assert_eq!((sum(&scan, "resourcesDeleted"), total(&app).await?), (0, 100));
    Ok(())
}

fn row(app: &TestApp, id: uuid::Uuid) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": app.simulator.tenant_id(),
        "displayName": "as before", "state": "Enabled",
    })
}

#[tokio::test]
async fn tag_contributor_alone_scans_through_resource_manager() -> Result<()> {
    let app = TestApp::small(1, 2_100).await?;
    let onboarding = app.onboard().await?;
    let subscription = app.simulator.subscriptions()[0].id;
    let principal = app.simulator.service_principal_id().unwrap_or_default();
    app.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(subscription));
    app.simulator.grant(principal, BuiltInRole::TagContributor, Scope::Subscription(subscription));
    app.simulator.set_page_size(500);
    role_assignment::Entity::delete_many().exec(&app.database).await?;

    let scan = app.scan(&onboarding).await?;

    assert_eq!(scan["state"], "SUCCEEDED", "{scan}");
    assert_eq!((sum(&scan, "resourcesSeen"), sum(&scan, "resourcesWritten")), (2_100, 0));
    Ok(())
}
