//! A tenant is disconnected: what Tenantry created is removed where a window is open, and told where none is.

mod afterwards;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::audit_event::{self, Action};
use entity::{Owned, consent, operation};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulator::{Decision, Fault, Person};
use support::app::{TestApp, outcomes};
use worker::jobs::{ResumeOperation, Sweep};
use worker::queue::When;

const DELETE_ROLE: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*";

const DISCONNECT: &str = "mutation($id: ID!, $data: DisconnectedData!, $withoutWindow: Boolean!) {
    disconnectTenant(input: { tenantId: $id, data: $data, withoutWindow: $withoutWindow }) {
      tenant { state } operation { id state } userErrors { code consentUrl }
      plan { windowClosesAt removes { totalCount nodes { command roleAssignment { armId role scope }
             subscription { azureSubscriptionId } } }
        stays { totalCount nodes { command roleAssignment { origin } } }
        manualSteps { by instruction commands } } } }";

async fn tenant_id(app: &TestApp) -> Result<Value> {
    Ok(app.ask("{ tenants { nodes { id } } }", json!({})).await?["tenants"]["nodes"][0]["id"].take())
}

async fn disconnect(app: &TestApp, data: &str, without_window: bool) -> Result<Value> {
    let variables = json!({ "id": tenant_id(app).await?, "data": data, "withoutWindow": without_window });
    Ok(app.ask(DISCONNECT, variables).await?["disconnectTenant"].take())
}

/// The owner, or whoever `user` is, consents where the refusal says.
async fn consent_at(refused: &Value, user: &str) -> Result<()> {
    assert_eq!(refused["userErrors"][0]["code"], "CONSENT_REQUIRED", "{refused}");
    let link = refused["userErrors"][0]["consentUrl"].as_str().context("no link")?;
    let page = Person::new(user).consent(link, Decision::Accept).await?;
    anyhow::ensure!(page.status == 200, "the consent ended with {}: {}", page.status, page.body);
    Ok(())
}

/// Disconnects in the window of a consent that is given for it.
async fn disconnect_with_consent(app: &TestApp, data: &str) -> Result<()> {
    let refused = disconnect(app, data, false).await?;
    consent_at(&refused, "owner").await?;
    app.run_jobs().await
}

async fn state(app: &TestApp) -> Result<Value> {
    Ok(app.ask("{ tenants { nodes { state } } }", json!({})).await?["tenants"]["nodes"][0]["state"].take())
}

/// The newest operation, with its steps.
async fn last_operation(app: &TestApp) -> Result<Value> {
    let query = "{ operations(first: 1) { nodes { id kind state failure { code }
        steps { nodes { outcome failure { code } subscription { accessLevel } } } } } }";
    Ok(app.ask(query, json!({})).await?["operations"]["nodes"][0].take())
}

async fn left(app: &TestApp) -> Result<Value> {
    let query = "query($id: ID!) { planDisconnect(tenantId: $id) { removes { totalCount } } }";
    let mut data = app.ask(query, json!({ "id": tenant_id(app).await? })).await?;
    Ok(data["planDisconnect"]["removes"]["totalCount"].take())
}

fn in_azure(app: &TestApp) -> usize {
    app.simulator.subscriptions().iter().map(|one| app.simulator.assignments_at(one.id)).sum()
}

async fn count(app: &TestApp, list: &str) -> Result<Value> {
    let data = app.ask(&format!("{{ {list}(first: 1) {{ totalCount }} }}"), json!({})).await?;
    Ok(data[list]["totalCount"].clone())
}

async fn told(app: &TestApp, action: Action) -> Result<u64> {
    let events = audit_event::Entity::owned_by(app.member.organization_id);
    Ok(events.filter(audit_event::Column::Action.eq(action)).count(&app.database).await?)
}

#[tokio::test]
async fn without_a_window_a_consent_is_asked_for_and_nothing_is_changed() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;

    let refused = disconnect(&app, "KEEP", false).await?;

    assert_eq!(refused["userErrors"][0]["code"], "CONSENT_REQUIRED");
    assert!(
        refused["userErrors"][0]["consentUrl"].as_str().is_some_and(|url| url.contains("/consent/start"))
    );
    assert_eq!((&refused["tenant"], &refused["operation"]), (&Value::Null, &Value::Null));
    assert_eq!((state(&app).await?, in_azure(&app)), (json!("CONNECTED"), 2));
    Ok(())
}

#[tokio::test]
async fn the_consent_that_was_asked_for_disconnects_and_keeps_the_data() -> Result<()> {
    let app = TestApp::start().await?;
    app.onboard().await?;
    let resources = count(&app, "resources").await?;
    let before = in_azure(&app);

    disconnect_with_consent(&app, "KEEP").await?;

    let operation = last_operation(&app).await?;
    assert_eq!((&operation["kind"], &operation["state"]), (&json!("DISCONNECT_TENANT"), &json!("SUCCEEDED")));
    assert_eq!(outcomes(&operation), [("REMOVED".to_owned(), before)].into());
    for step in operation["steps"]["nodes"].as_array().into_iter().flatten() {
        assert_eq!(step["subscription"]["accessLevel"], "NONE");
    }
    assert_eq!((state(&app).await?, in_azure(&app)), (json!("DISCONNECTED"), 0));
    assert_eq!((count(&app, "resources").await?, left(&app).await?), (resources, json!(0)));
    let open = consent::Entity::owned_by(app.member.organization_id)
        .filter(consent::Column::SealedToken.is_not_null());
    assert_eq!(open.count(&app.database).await?, 0);
    assert_eq!(told(&app, Action::TenantDisconnected).await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_open_window_is_used_and_what_is_under_way_in_it_is_stopped() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.simulator.set_propagation(TimeDelta::minutes(5));
    let (consent, _) = app.consent("owner", Decision::Accept).await?;
    app.run_due().await?;
    assert_eq!(in_azure(&app), 3);
    // The window of the first consent is closed by now: its roles are assigned.
    let (second, _) = app.consent("owner", Decision::Accept).await?;

    let begun = disconnect(&app, "KEEP", false).await?;
    let during = state(&app).await?;
    let scan = "mutation($id: ID!) { scanTenant(input: { tenantId: $id }) { userErrors { code } } }";
    let refused = app.ask(scan, json!({ "id": tenant_id(&app).await? })).await?;
    app.run_jobs().await?;

    assert_eq!((&begun["userErrors"], &during), (&json!([]), &json!("DISCONNECTING")), "{begun}");
    assert!(begun["plan"]["windowClosesAt"].is_string());
    assert_eq!(refused["scanTenant"]["userErrors"], json!([{ "code": "NOT_CONNECTED" }]));
    for consent in [consent, second] {
        assert_eq!(app.operation_of(&consent).await?["kind"], Value::Null);
    }
    let unfinished = operation::Entity::owned_by(app.member.organization_id)
        .filter(operation::Column::FinishedAt.is_null());
    assert_eq!(unfinished.count(&app.database).await?, 0);
    let stopped = operation::Entity::owned_by(app.member.organization_id)
        .filter(operation::Column::State.eq(operation::State::Cancelled));
    assert_eq!(stopped.count(&app.database).await?, 2);
    assert_eq!((state(&app).await?, in_azure(&app)), (json!("DISCONNECTED"), 0));
    Ok(())
}

#[tokio::test]
async fn a_window_that_is_nearly_over_is_none() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    app.onboard().await?;
    app.consent("owner", Decision::Accept).await?;
    app.clock.advance(TimeDelta::minutes(59) + TimeDelta::seconds(30));

    let refused = disconnect(&app, "KEEP", false).await?;

    assert_eq!(refused["userErrors"][0]["code"], "CONSENT_REQUIRED", "{refused}");
    app.run_jobs().await
}

#[tokio::test]
async fn what_a_lock_keeps_is_left_to_people_and_removed_by_a_later_consent() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let locked = r#"{"error":{"code":"ScopeLocked","message":"The scope is locked."}}"#;
    app.simulator.faults().plan(Fault::on("DELETE", DELETE_ROLE).answer(409, &[], locked));

    disconnect_with_consent(&app, "DELETE").await?;
    let operation = last_operation(&app).await?;
    let left_behind = left(&app).await?;
    let kept = count(&app, "subscriptions").await?;
    disconnect_with_consent(&app, "DELETE").await?;

    assert_eq!(operation["state"], "PARTIAL", "{operation}");
    let failures = operation["steps"]["nodes"].as_array().context("no steps")?;
    assert_eq!(failures.len(), 1, "the steps of what is deleted are gone: {operation}");
    assert_eq!(failures[0]["failure"]["code"], "SCOPE_LOCKED");
    assert_eq!((&left_behind, &kept), (&json!(1), &json!(1)));
    assert_eq!((left(&app).await?, in_azure(&app)), (json!(0), 0));
    assert_eq!((state(&app).await?, count(&app, "subscriptions").await?), (json!("DISCONNECTED"), json!(0)));
    Ok(())
}

#[tokio::test]
async fn a_user_who_may_remove_nothing_leaves_everything_to_be_removed_by_hand() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let refused = disconnect(&app, "KEEP", false).await?;

    consent_at(&refused, "contributor").await?;
    app.run_jobs().await?;

    let operation = last_operation(&app).await?;
    assert_eq!(
        (&operation["state"], &operation["failure"]["code"]),
        (&json!("FAILED"), &json!("NOTHING_REMOVED"))
    );
    assert_eq!(outcomes(&operation), [("NOT_PERMITTED".to_owned(), 2)].into());
    assert_eq!((state(&app).await?, left(&app).await?), (json!("DISCONNECTED"), json!(2)));
    Ok(())
}

#[tokio::test]
async fn a_window_that_closes_halfway_leaves_the_rest_to_be_removed_by_hand() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.onboard().await?;
    let later = Fault::on("DELETE", DELETE_ROLE).answer(429, &[("retry-after", "7200")], "{}");
    app.simulator.faults().plan(later);

    disconnect_with_consent(&app, "KEEP").await?;

    let operation = last_operation(&app).await?;
    assert_eq!(operation["state"], "PARTIAL", "{operation}");
    assert_eq!(outcomes(&operation), [("NEEDS_RECONSENT".to_owned(), 1), ("REMOVED".to_owned(), 2)].into());
    assert_eq!((state(&app).await?, left(&app).await?), (json!("DISCONNECTED"), json!(1)));
    Ok(())
}

#[tokio::test]
async fn answers_that_are_lost_and_jobs_that_run_again_remove_nothing_twice_and_tell_it_once() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.onboard().await?;
    app.simulator.faults().plan(Fault::on("DELETE", DELETE_ROLE).times(3).truncate());
    app.simulator.faults().plan(Fault::on("DELETE", DELETE_ROLE).times(2).reset());

    disconnect_with_consent(&app, "KEEP").await?;
    let ended = operation::Entity::owned_by(app.member.organization_id)
        .filter(operation::Column::Kind.eq(operation::Kind::DisconnectTenant))
        .one(&app.database)
        .await?
        .context("no operation")?;
    let again = ResumeOperation { organization_id: ended.organization_id, operation_id: ended.id };
    app.context.queue.push(&again, When::default()).await?;
    app.run_jobs().await?;

    assert_eq!(last_operation(&app).await?["state"], "SUCCEEDED");
    assert_eq!((told(&app, Action::RoleRemoved).await?, in_azure(&app)), (3, 0));
    assert_eq!(told(&app, Action::TenantDisconnected).await?, 1);
    Ok(())
}

#[tokio::test]
async fn without_a_window_it_is_done_at_once_and_people_are_told_what_to_remove() -> Result<()> {
    let app = TestApp::start().await?;
    app.onboard().await?;
    let resources = count(&app, "resources").await?;
    app.simulator.clear_calls();

    let done = disconnect(&app, "KEEP", true).await?;
    app.clock.advance(TimeDelta::hours(3));
    app.context.queue.push(&Sweep {}, When::default()).await?;
    app.run_jobs().await?;

    assert_eq!((&done["userErrors"], &done["tenant"]["state"]), (&json!([]), &json!("DISCONNECTED")));
    assert_eq!(done["operation"], Value::Null);
    assert_eq!((&done["plan"]["removes"]["totalCount"], in_azure(&app)), (&json!(9), 9));
    for planned in done["plan"]["removes"]["nodes"].as_array().context("no plan")? {
        let arm_id = planned["roleAssignment"]["armId"].as_str().context("no id")?;
        assert_eq!(planned["command"], json!(format!("az role assignment delete --ids \"{arm_id}\"")));
        assert_eq!(planned["roleAssignment"]["role"], "READER");
    }
    let stays = json!([{ "command": null, "roleAssignment": { "origin": "INHERITED" } }]);
    assert_eq!(done["plan"]["stays"]["nodes"], stays);
    let steps = done["plan"]["manualSteps"].as_array().context("no steps")?;
    assert_eq!(steps.len(), 2);
    let command = format!("az ad sp delete --id {}", app.simulator.client_id());
    assert_eq!(
        (&steps[1]["by"], &steps[1]["commands"][0]),
        (&json!("GLOBAL_ADMINISTRATOR"), &json!(command))
    );
    assert_eq!(app.simulator.calls().len(), 0, "nothing is done about a disconnected tenant");
    assert_eq!(count(&app, "resources").await?, resources);
    Ok(())
}

/// Another organization connects the same tenant.
async fn onboard_as_stranger(app: &TestApp, stranger: &SecretString) -> Result<()> {
    let query =
        "mutation($tenant: String!) { startConsent(input: { tenant: $tenant }) { authorizationUrl } }";
    let tenant = json!({ "tenant": app.simulator.tenant_id().to_string() });
    let started = app.ask_as(stranger, query, tenant).await?;
    let link = started["data"]["startConsent"]["authorizationUrl"].as_str().context("no link")?;
    Person::new("owner").consent(link, Decision::Accept).await?;
    app.run_jobs().await
}

#[tokio::test]
async fn what_another_organization_relies_on_is_left_alone() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let stranger = app.stranger().await?;
    onboard_as_stranger(&app, &stranger).await?;

    disconnect_with_consent(&app, "DELETE").await?;

    assert_eq!((state(&app).await?, left(&app).await?, in_azure(&app)), (json!("DISCONNECTED"), json!(0), 2));
    let query = "{ tenants { nodes { state } } resources { totalCount } }";
    let theirs = app.ask_as(&stranger, query, json!({})).await?["data"].take();
    let untouched =
        json!({ "tenants": { "nodes": [{ "state": "CONNECTED" }] }, "resources": { "totalCount": 20 } });
    assert_eq!(theirs, untouched);
    Ok(())
}

#[tokio::test]
async fn a_consent_that_comes_back_while_it_is_being_disconnected_is_refused() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let (_, link) = app.start_consent().await?;
    let refused = disconnect(&app, "KEEP", false).await?;
    consent_at(&refused, "owner").await?;

    let page = Person::new("owner").consent(&link, Decision::Accept).await?;
    app.run_jobs().await?;

    assert!(page.status >= 400 && page.body.contains("being disconnected"), "{} {}", page.status, page.body);
    assert_eq!((state(&app).await?, in_azure(&app)), (json!("DISCONNECTED"), 0));
    let held = consent::Entity::owned_by(app.member.organization_id)
        .filter(consent::Column::SealedToken.is_not_null());
    assert_eq!(held.count(&app.database).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_disconnection_that_is_called_off_leaves_the_tenant_connected() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let refused = disconnect(&app, "DELETE", false).await?;
    consent_at(&refused, "owner").await?;
    let id = last_operation(&app).await?["id"].take();
    let query = "mutation($id: ID!) { cancelOperation(input: { operationId: $id }) { userErrors { code } } }";

    app.ask(query, json!({ "id": id })).await?;
    app.run_jobs().await?;

    assert_eq!(last_operation(&app).await?["state"], "CANCELLED");
    assert_eq!((state(&app).await?, in_azure(&app)), (json!("CONNECTED"), 2));
    assert_eq!(count(&app, "resources").await?, 20);
    Ok(())
}
