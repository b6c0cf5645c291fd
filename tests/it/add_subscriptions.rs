//! More subscriptions of a tenant that is connected: what another owner consents for, who that could be, and windows
//! that are held open for it.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{BuiltInRole, Decision, Fault, Person, Scope};
use support::app::{TestApp, outcomes};
use support::socket::Socket;

const ADD: &str = "mutation($tenant: ID!, $ids: [ID!]! = []) {
    addSubscriptions(input: { tenantId: $tenant, subscriptionIds: $ids }) {
      consent { id } authorizationUrl operation { id } userErrors { code field } } }";

const OWNERS: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments";

/// The tenant, and its subscriptions by name, with who could consent for them.
async fn tenant(app: &TestApp) -> Result<(String, Vec<Value>)> {
    let query =
        "{ tenants { nodes { id } } subscriptions { nodes { id displayName accessLevel azureSubscriptionId
        ownersReadAt owners { principalId principalType role inherited condition } } } }";
    let data = app.ask(query, json!({})).await?;
    let id = data["tenants"]["nodes"][0]["id"].as_str().context("no tenant")?.to_owned();
    Ok((id, data["subscriptions"]["nodes"].as_array().cloned().context("no subscriptions")?))
}

fn ids(subscriptions: &[Value]) -> Value {
    subscriptions.iter().map(|one| one["id"].clone()).collect()
}

/// At which of them something can be read.
fn readable(subscriptions: &[Value]) -> Vec<bool> {
    subscriptions.iter().map(|one| one["accessLevel"] != "NONE").collect()
}

async fn add(app: &TestApp, tenant: &str, ids: Value) -> Result<Value> {
    Ok(app.ask(ADD, json!({ "tenant": tenant, "ids": ids })).await?["addSubscriptions"].take())
}

/// The user of this key consents for these, and every job that follows is run; answers the operation.
async fn add_as(app: &TestApp, user: &str, tenant: &str, ids: Value) -> Result<Value> {
    let asked = add(app, tenant, ids).await?;
    let link = asked["authorizationUrl"].as_str().with_context(|| asked.to_string())?;
    let page = Person::new(user).consent(link, Decision::Accept).await?;
    assert_eq!(page.status, 200, "{}", page.body);
    app.run_jobs().await?;
    app.operation_of(asked["consent"]["id"].as_str().unwrap_or_default()).await
}

#[tokio::test]
async fn what_is_granted_foreign_or_unknown_is_not_asked_for() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    app.onboard().await?;
    let (tenant, subscriptions) = tenant(&app).await?;
    let nobodys = json!("subscription:01930000-0000-7000-8000-000000000000");
    let before = app.ask("{ consents { totalCount } }", json!({})).await?;

    for (tenant, ids, code, field) in [
        (tenant.as_str(), ids(&subscriptions), "ALREADY_GRANTED", "subscriptionIds"),
        (&tenant, json!([subscriptions[0]["id"], nobodys]), "NOT_FOUND", "subscriptionIds"),
        ("tenant:01930000-0000-7000-8000-000000000000", json!([]), "NOT_FOUND", "tenantId"),
    ] {
        let refused = add(&app, tenant, ids).await?;
        assert_eq!(refused["userErrors"], json!([{ "code": code, "field": [field] }]));
        assert_eq!((&refused["consent"], &refused["authorizationUrl"]), (&Value::Null, &Value::Null));
    }

    assert_eq!(app.ask("{ consents { totalCount } }", json!({})).await?, before);
    Ok(())
}

#[tokio::test]
async fn two_owners_consent_one_after_the_other_for_what_only_they_own() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    let first = app.onboard_as("guest").await?;
    assert_eq!(outcomes(&first), [("GRANTED".to_owned(), 1)].into());
    // The guest sees no other; somebody who reads all lets them be known.
    app.onboard_as("reader").await?;
    let (tenant_id, subscriptions) = tenant(&app).await?;
    assert_eq!(readable(&subscriptions).iter().filter(|readable| **readable).count(), 1);
    app.simulator.clear_calls();

    let operation = add_as(&app, "owner", &tenant_id, ids(&subscriptions)).await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    let expected = [("ALREADY_GRANTED".to_owned(), 1), ("GRANTED".to_owned(), 2)];
    assert_eq!(outcomes(&operation), expected.into());
    let granted = app.simulator.service_principal_id().context("no service principal")?;
    let calls = app.simulator.calls();
    assert_eq!(calls.iter().filter(|call| call.method == "PUT").count(), 2);
    // Where it is granted the owner is not impersonated at all.
    let untouched =
        subscriptions.iter().find(|one| one["accessLevel"] != "NONE").context("none is granted")?;
    let path = format!("/subscriptions/{}/", untouched["azureSubscriptionId"].as_str().unwrap_or_default());
    let delegated = |call: &&simulator::Call| call.principal.is_some_and(|principal| principal != granted);
    let touched: Vec<_> =
        calls.iter().filter(delegated).filter(|call| call.path.starts_with(&path)).collect();
    assert!(touched.is_empty(), "{touched:?}");
    assert_eq!(readable(&tenant(&app).await?.1), [true; 3]);
    Ok(())
}

#[tokio::test]
async fn a_role_that_was_lost_in_azure_is_granted_again() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let onboarded = app.onboard().await?;
    let (tenant_id, subscriptions) = tenant(&app).await?;
    let azure_id = subscriptions[0]["azureSubscriptionId"].as_str().unwrap_or_default().parse()?;
    let principal = app.simulator.service_principal_id().context("no service principal")?;
    app.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(azure_id));
    app.scan(&onboarded).await?;

    let operation = add_as(&app, "owner", &tenant_id, json!([subscriptions[0]["id"]])).await?;

    assert_eq!(outcomes(&operation), [("GRANTED".to_owned(), 1)].into(), "{operation}");
    assert_eq!(app.simulator.assignments_at(azure_id), 1);
    Ok(())
}

#[tokio::test]
async fn who_consents_for_some_subscriptions_shows_the_organization_no_others() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.onboard_as("guest").await?;
    let (tenant_id, subscriptions) = tenant(&app).await?;
    let azure_id = subscriptions[0]["azureSubscriptionId"].as_str().unwrap_or_default().parse()?;
    let principal = app.simulator.service_principal_id().context("no service principal")?;
    app.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(azure_id));
    let tenant_row = json!({ "tenant": { "id": tenant_id } });
    app.scan(&tenant_row).await?;

    let operation = add_as(&app, "owner", &tenant_id, ids(&subscriptions)).await?;

    assert_eq!(outcomes(&operation), [("GRANTED".to_owned(), 1)].into(), "{operation}");
    assert_eq!(tenant(&app).await?.1.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_nobody_consented_for_shows_who_could() -> Result<()> {
    let app = TestApp::small(2, 10).await?;

    app.onboard_as("reader").await?;

    let (_, subscriptions) = tenant(&app).await?;
    assert_eq!(readable(&subscriptions), [false; 2]);
    for subscription in &subscriptions {
        assert!(subscription["ownersReadAt"].is_string(), "{subscription}");
        let owners = subscription["owners"].as_array().context("no owners")?;
        let direct: Vec<_> = owners.iter().filter(|owner| owner["inherited"] == false).collect();
        let olivia = app.simulator.users().into_iter().find(|user| user.key == "owner");
        let olivia = olivia.context("no owner")?.object_id.to_string();
        assert_eq!(direct[0], &owners[0]);
        assert!(direct.iter().any(|owner| owner["principalId"] == olivia && owner["role"] == "OWNER"));
        let roles = ["USER_ACCESS_ADMINISTRATOR", "ROLE_BASED_ACCESS_CONTROL_ADMINISTRATOR"];
        assert!(roles.iter().all(|role| owners.iter().any(|owner| owner["role"] == *role)), "{owners:?}");
        assert!(owners.iter().any(|owner| owner["principalType"] == "GROUP"), "{owners:?}");
        let conditioned = owners.iter().filter(|owner| owner["condition"].is_string());
        assert_eq!(conditioned.count(), 1, "{owners:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_service_principal_reads_owners_where_it_has_a_role() -> Result<()> {
    let app = TestApp::small(2, 10).await?;

    app.onboard().await?;

    let (_, subscriptions) = tenant(&app).await?;
    for subscription in &subscriptions {
        assert!(subscription["owners"].as_array().is_some_and(|owners| owners.len() > 3), "{subscription}");
    }
    Ok(())
}

#[tokio::test]
async fn owners_that_may_not_be_read_are_not_known_and_nothing_fails_for_it() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    let refusal = r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#;
    let faults = app.simulator.faults();
    // The first list is of our own assignments, the second of everybody's.
    faults.plan(Fault::on("GET", OWNERS).answer(403, &[], refusal));
    faults.plan(Fault::on("GET", OWNERS).answer(403, &[], refusal));

    let operation = app.onboard_as("reader").await?;

    assert_eq!(outcomes(&operation), [("NOT_PERMITTED".to_owned(), 1)].into());
    let (_, subscriptions) = tenant(&app).await?;
    assert_eq!(
        (&subscriptions[0]["owners"], &subscriptions[0]["ownersReadAt"]),
        (&Value::Null, &Value::Null)
    );
    // Another consent asks again.
    app.clock.advance(TimeDelta::minutes(1));
    app.onboard_as("reader").await?;
    assert!(tenant(&app).await?.1[0]["owners"].is_array());
    Ok(())
}

#[tokio::test]
async fn a_window_that_is_held_open_is_used_at_once_until_it_is_closed() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let held = app.hold_window("owner").await?;
    app.run_jobs().await?;
    let data = app.ask("{ tenants { nodes { id } } }", json!({})).await?;
    let tenant_id = data["tenants"]["nodes"][0]["id"].as_str().context("no tenant")?.to_owned();

    let begun = add(&app, &tenant_id, json!([])).await?;
    let again = add(&app, &tenant_id, json!([])).await?;

    assert_eq!((&begun["consent"]["id"], &begun["authorizationUrl"]), (&json!(held), &Value::Null));
    assert_eq!(begun["operation"], again["operation"]);
    app.run_jobs().await?;
    let operation = app.operation_of(&held).await?;
    assert_eq!(outcomes(&operation), [("GRANTED".to_owned(), 2)].into(), "{operation}");
    assert_eq!(window(&app, &held).await?["isOpen"], true);

    let close = "mutation($id: ID!) { closeWindow(input: { consentId: $id }) {
                   consent { state erasedAt } userErrors { code } } }";
    let closed = app.ask(close, json!({ "id": held })).await?;
    let in_vain = app.ask(close, json!({ "id": held })).await?;

    assert_eq!(closed["closeWindow"]["consent"]["state"], "CLOSED", "{closed}");
    assert!(closed["closeWindow"]["consent"]["erasedAt"].is_string());
    assert_eq!(in_vain["closeWindow"]["userErrors"][0]["code"], "NOT_OPEN");
    let window = window(&app, &held).await?;
    assert_eq!((&window["isOpen"], &window["closedBecause"]), (&json!(false), &json!("BY_MEMBER")));
    let asked = add(&app, &tenant_id, json!([])).await?;
    assert!(asked["authorizationUrl"].is_string(), "{asked}");
    Ok(())
}

async fn window(app: &TestApp, consent: &str) -> Result<Value> {
    let query = "query($id: ID!) { consent(id: $id) { window { isOpen remainingSeconds closedBecause } } }";
    Ok(app.ask(query, json!({ "id": consent })).await?["consent"]["window"].take())
}

#[tokio::test]
async fn what_a_closed_window_was_needed_for_needs_another_consent() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let held = app.hold_window("owner").await?;
    let data = app.ask("{ tenants { nodes { id } } }", json!({})).await?;
    let tenant_id = data["tenants"]["nodes"][0]["id"].as_str().context("no tenant")?.to_owned();
    add(&app, &tenant_id, json!([])).await?;

    let close = "mutation($id: ID!) { closeWindow(input: { consentId: $id }) { userErrors { code } } }";
    app.ask(close, json!({ "id": held })).await?;
    app.run_jobs().await?;

    let operation = app.operation_of(&held).await?;
    assert_eq!(operation["failure"]["code"], "CONSENT_WINDOW_CLOSED", "{operation}");
    assert_eq!(app.simulator.calls().iter().filter(|call| call.method == "PUT").count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_consent_is_followed_live_from_the_question_to_the_closed_window() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    let tenant = app.simulator.tenant_id().to_string();
    let query = "mutation($tenant: String!) { startConsent(input: { tenant: $tenant, holdWindow: true }) {
                   consent { id } authorizationUrl } }";
    let data = app.ask(query, json!({ "tenant": tenant })).await?;
    let started = &data["startConsent"];
    let id = started["consent"]["id"].as_str().context("no consent")?;
    let link = started["authorizationUrl"].as_str().context("no link")?;
    let mut socket = Socket::open(&app, &[]).await?;
    socket.init(json!({ "Authorization": format!("Bearer {}", app.token.expose_secret()) })).await?;
    let live = format!(
        "subscription {{ consent(id: \"{id}\") {{ state work {{ kind }}
           window {{ isOpen remainingSeconds closedBecause }} }} }}"
    );
    socket.subscribe(&live).await?;

    let asked = socket.hear().await?["payload"]["data"]["consent"].take();
    Person::new("owner").consent(link, Decision::Accept).await?;
    let open = until(&mut socket, "GRANTED").await?;
    app.clock.advance(TimeDelta::minutes(20));
    // Nobody rings: it looks by itself.
    let later = until(&mut socket, "GRANTED").await?;
    let close = "mutation($id: ID!) { closeWindow(input: { consentId: $id }) { userErrors { code } } }";
    app.ask(close, json!({ "id": id })).await?;
    let closed = until(&mut socket, "CLOSED").await?;

    assert_eq!(asked, json!({ "state": "PENDING", "work": { "kind": "HOLD" }, "window": null }));
    assert_eq!(open["window"]["remainingSeconds"], 3_600, "{open}");
    assert_eq!(later["window"]["remainingSeconds"], 2_400, "{later}");
    let ended = json!({ "isOpen": false, "remainingSeconds": 0, "closedBecause": "BY_MEMBER" });
    assert_eq!(closed["window"], ended);
    assert_eq!(socket.hear().await?["type"], "complete");
    Ok(())
}

/// The next event in which the consent is in this state.
async fn until(socket: &mut Socket, state: &str) -> Result<Value> {
    loop {
        let mut heard = socket.hear().await?;
        let consent = heard["payload"]["data"]["consent"].take();
        anyhow::ensure!(consent.is_object(), "{heard}");
        if consent["state"] == state {
            return Ok(consent);
        }
    }
}
