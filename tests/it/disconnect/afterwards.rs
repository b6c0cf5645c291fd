//! What can be done about a tenant that was disconnected.

use anyhow::{Context as _, Result};
use entity::audit_event::Action;
use entity::{Owned, tenant};
use serde_json::{Value, json};
use support::app::{TestApp, outcomes};
use support::database::misplaced;
use worker::jobs::Sweep;
use worker::queue::When;

use super::{count, disconnect, disconnect_with_consent, state, tenant_id, told};

#[tokio::test]
async fn nothing_begins_in_a_disconnected_tenant_and_it_is_not_disconnected_twice() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    let onboarding = app.onboard_as("contributor").await?;
    let subscription = onboarding["steps"]["nodes"][0]["subscription"]["id"].clone();
    disconnect(&app, "KEEP", true).await?;
    let id = tenant_id(&app).await?;
    let refusal = async |name: &str, input: Value| {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query =
            format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
        anyhow::Ok(app.ask(&query, json!({ "input": input })).await?[name]["userErrors"][0]["code"].take())
    };

    let scan = refusal("scanTenant", json!({ "tenantId": id })).await?;
    let check = refusal("checkTenant", json!({ "tenantId": id })).await?;
    let retry = refusal("retryOperation", json!({ "operationId": onboarding["id"] })).await?;
    let add = refusal("addSubscriptions", json!({ "tenantId": id })).await?;
    let link = refusal("createOwnerLink", json!({ "subscriptionIds": [subscription] })).await?;
    let again = refusal("disconnectTenant", json!({ "tenantId": id, "data": "KEEP" })).await?;

    assert_eq!([scan, check, retry, add, link], ["NOT_CONNECTED"; 5].map(Value::from));
    assert_eq!(again, "ALREADY_DISCONNECTED");
    assert_eq!(told(&app, Action::TenantDisconnected).await?, 1);
    Ok(())
}

#[tokio::test]
async fn data_is_deleted_in_batches_and_operations_consents_and_the_audit_stay() -> Result<()> {
    let app = TestApp::small(2, 11_000).await?;
    app.onboard().await?;

    disconnect_with_consent(&app, "DELETE").await?;

    for list in ["resources", "subscriptions"] {
        assert_eq!(count(&app, list).await?, 0, "{list}");
    }
    assert_eq!(misplaced(&app.database).await?, 0);
    assert_eq!((count(&app, "operations").await?, count(&app, "consents").await?), (json!(2), json!(2)));
    assert_eq!(told(&app, Action::InventoryDeleted).await?, 1);
    let query = "{ tenants { nodes { state disconnectedAt inventoryDeletedAt } } }";
    let data = app.ask(query, json!({})).await?["tenants"]["nodes"][0].take();
    assert_eq!(data["state"], "DISCONNECTED");
    assert!(data["disconnectedAt"].is_string() && data["inventoryDeletedAt"].is_string(), "{data}");
    Ok(())
}

#[tokio::test]
async fn data_can_be_deleted_later_and_a_bell_that_was_lost_is_rung_by_the_sweep() -> Result<()> {
    let app = TestApp::small(1, 50).await?;
    app.onboard().await?;
    disconnect_with_consent(&app, "KEEP").await?;
    let row = tenant::Entity::owned_by(app.member.organization_id).one(&app.database).await?;
    let row = row.context("no tenant")?;
    let transaction = worker::transaction::begin(&app.database).await?;
    worker::disconnect::at_once(&transaction, &row, true, app.clock.now()).await?;
    transaction.commit().await?;

    app.context.queue.push(&Sweep {}, When::default()).await?;
    app.run_jobs().await?;

    assert_eq!((count(&app, "resources").await?, count(&app, "subscriptions").await?), (json!(0), json!(0)));
    let again = disconnect(&app, "DELETE", false).await?;
    assert_eq!(again["userErrors"][0]["code"], "ALREADY_DISCONNECTED");
    Ok(())
}

#[tokio::test]
async fn a_new_consent_connects_it_again() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    disconnect_with_consent(&app, "DELETE").await?;

    let operation = app.onboard().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(outcomes(&operation), [("GRANTED".to_owned(), 2)].into());
    assert_eq!((state(&app).await?, count(&app, "resources").await?), (json!("CONNECTED"), json!(20)));
    Ok(())
}
