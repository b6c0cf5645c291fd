//! A plan says what will be done, and then exactly that is done.

mod access_change;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::consent::Asking;
use chrono::TimeDelta;
use entity::audit_event::{Actor, Author};
use entity::{Owned, Work, consent, delegated_call, operation, operation_step, subscription};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use simulator::{BuiltInRole, Call, Config, Decision, Fault, Person, Scope};
use support::app::TestApp;
use support::eventually::eventually;
use uuid::Uuid;

/// What tests read of a plan.
const PLAN: &str = "windowClosesAt outcomes { outcome count }
    estimate { durationSeconds windowSeconds expectedEndAt fitsWindow resourcesAreAssumed propagationIsMeasured
      calls { userReads userWrites userDeletes appReads resourceGraphQueries tokenRequests } }
    subscriptions(first: 100) { totalCount nodes { azureSubscriptionId displayName basis outcome
      failure { code message fixableBy } rolesAdded rolesRemoved byRole { role condition } resourceCount
      subscription { id } calls { userReads userWrites userDeletes } } }";

/// The user of this key opens a window and leaves it open. Answers the consent.
async fn hold(app: &TestApp, user: &str) -> Result<consent::Model> {
    let asking = Asking {
        organization_id: app.member.organization_id,
        member_id: app.member.id,
        entra_tenant_id: app.simulator.tenant_id(),
        work: Work::Hold,
        author: Author::unasked(app.member.organization_id, Actor::System),
    };
    let (asked, link) = api::consent::ask(&app.services, asking).await?;
    let page = Person::new(user).consent(link.as_str(), Decision::Accept).await?;
    ensure!(page.status == 200, "{}", page.body);
    let held = consent::Entity::owned_by(asked.organization_id).filter(consent::Column::Id.eq(asked.id));
    held.one(&app.database).await?.context("the consent is gone")
}

async fn plan_onboarding(app: &TestApp, consent: &consent::Model) -> Result<Value> {
    let query = format!("query($id: ID!) {{ planOnboarding(consentId: $id) {{ {PLAN} }} }}");
    let mut data = app.ask(&query, json!({ "id": format!("consent:{}", consent.id) })).await?;
    Ok(data["planOnboarding"].take())
}

fn nodes(plan: &Value) -> &[Value] {
    plan["subscriptions"]["nodes"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Each subscription's outcome, and the code of its failure, by Azure's id.
fn planned(plan: &Value) -> BTreeMap<String, (String, String)> {
    nodes(plan).iter().map(|node| (text(&node["azureSubscriptionId"]), told(node))).collect()
}

fn happened(operation: &Value) -> BTreeMap<String, (String, String)> {
    let steps = operation["steps"]["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().map(|step| (text(&step["subscription"]["azureSubscriptionId"]), told(step))).collect()
}

fn told(one: &Value) -> (String, String) {
    (text(&one["outcome"]), text(&one["failure"]["code"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The calls that were made in this user's name.
fn calls_of(app: &TestApp, user: &str) -> Vec<Call> {
    let id = app.simulator.users().into_iter().find(|one| one.key == user).map(|one| one.object_id);
    app.simulator.calls().into_iter().filter(|call| call.principal == id).collect()
}

/// How many calls of each kind were made in this user's name, as an estimate counts them: without the further pages of
/// who else has roles.
fn counted(calls: &[Call]) -> Value {
    let is_page = |call: &&Call| call.query.to_lowercase().contains("skiptoken");
    let calls: Vec<_> = calls.iter().filter(|call| !is_page(call)).collect();
    let count =
        |methods: &[&str]| calls.iter().filter(|call| methods.contains(&call.method.as_str())).count();
    json!({
        "userReads": count(&["GET", "POST"]), "userWrites": count(&["PUT"]), "userDeletes": count(&["DELETE"]),
    })
}

fn of_user(calls: &Value) -> Value {
    json!({
        "userReads": calls["userReads"], "userWrites": calls["userWrites"], "userDeletes": calls["userDeletes"],
    })
}

/// Something of everything: held by hand, held from above, with no room, and what the seed made.
fn lay_out(app: &TestApp) {
    let all = app.simulator.subscriptions();
    let Some(principal) = app.simulator.service_principal_id() else { return };
    let at = |index: usize| Scope::Subscription(all[index].id);
    app.simulator.grant(principal, BuiltInRole::Reader, at(0));
    app.simulator.grant(principal, BuiltInRole::TagContributor, at(1));
    app.simulator.fill_assignments(all[2].id, 4_000);
}

#[tokio::test]
async fn what_is_planned_for_each_user_is_what_then_happens() -> Result<()> {
    for user in [
        "owner",
        "user-access-administrator",
        "rbac-administrator",
        "group-owner",
        "contributor",
        "reader",
        "conditioned-owner",
        "guest",
    ] {
        let app = TestApp::with(|config: &mut Config| config.subscriptions = 20).await?;
        let held = hold(&app, user).await?;
        lay_out(&app);
        let plan = plan_onboarding(&app, &held).await?;
        app.simulator.clear_calls();

        let operation = app.onboard_as(user).await?;

        assert_eq!(planned(&plan), happened(&operation), "{user}");
        assert!(nodes(&plan).iter().all(|node| node["basis"] == "ASKED"), "{user}: {plan}");
        let calls = of_user(&plan["estimate"]["calls"]);
        assert_eq!(calls, counted(&calls_of(&app, user)), "{user}");
    }
    Ok(())
}

#[tokio::test]
async fn what_will_fail_is_told_with_its_reason_and_with_who_can_mend_it() -> Result<()> {
    let app = TestApp::with(|config| config.subscriptions = 20).await?;
    let held = hold(&app, "owner").await?;
    lay_out(&app);

    let plan = plan_onboarding(&app, &held).await?;

    let mut outcomes: Vec<_> = nodes(&plan).iter().map(told).collect();
    outcomes.sort();
    outcomes.dedup();
    let expected = [
        ("ALREADY_GRANTED", ""),
        ("CONDITION_BLOCKED", "CONDITION_BLOCKED"),
        ("GRANTED", ""),
        ("INHERITED", ""),
        ("LIMIT_REACHED", "LIMIT_REACHED"),
        ("NOT_PERMITTED", "NOT_PERMITTED"),
        ("SUBSCRIPTION_DISABLED", "SUBSCRIPTION_DISABLED"),
    ];
    assert_eq!(outcomes, expected.map(|(outcome, code)| (outcome.to_owned(), code.to_owned())));
    for node in nodes(&plan) {
        let fails = node["failure"] != Value::Null;
        assert!(!fails || node["failure"]["fixableBy"] == "SUBSCRIPTION_OWNER", "{node}");
        let adds = node["outcome"] == "GRANTED";
        assert_eq!(node["rolesAdded"], if adds { json!(["READER"]) } else { json!([]) }, "{node}");
        assert!(!adds || node["byRole"] == json!({ "role": "OWNER", "condition": null }), "{node}");
        // It was counted, though nothing was ever scanned.
        let real = app
            .simulator
            .subscriptions()
            .into_iter()
            .find(|one| node["azureSubscriptionId"] == one.id.to_string());
        assert_eq!(node["resourceCount"], json!(real.map(|one| one.resources)), "{node}");
    }
    assert_eq!(plan["estimate"]["resourcesAreAssumed"], false);
    let counts =
        plan["outcomes"].as_array().context("outcomes")?.iter().filter_map(|one| one["count"].as_u64());
    assert_eq!(counts.sum::<u64>(), 20);
    Ok(())
}

#[tokio::test]
async fn a_plan_sends_no_write_and_each_of_its_calls_is_in_the_receipt() -> Result<()> {
    let app = TestApp::start().await?;
    let held = hold(&app, "owner").await?;
    app.simulator.clear_calls();

    plan_onboarding(&app, &held).await?;

    let calls = app.simulator.calls();
    assert!(calls.iter().all(|call| matches!(call.method.as_str(), "GET" | "POST")), "{calls:?}");
    let in_receipt = delegated_call::Entity::of_consent(app.member.organization_id, held.id);
    let in_receipt = in_receipt.count(&app.database).await?;
    assert_eq!(in_receipt, calls_of(&app, "owner").len() as u64);
    // Nothing was stored but that: a plan finds subscriptions, and keeps none.
    let stored = subscription::Entity::owned_by(app.member.organization_id).count(&app.database).await?;
    assert_eq!(stored, 0);
    Ok(())
}

#[tokio::test]
async fn without_a_window_a_plan_says_what_is_known_and_what_is_assumed() -> Result<()> {
    let app = TestApp::start().await?;
    let operation = app.onboard().await?;
    app.simulator.clear_calls();
    let query = format!("query($id: ID!) {{ planOnboarding(tenantId: $id) {{ {PLAN} }} }}");

    let data = app.ask(&query, json!({ "id": operation["tenant"]["id"] })).await?;

    let plan = &data["planOnboarding"];
    assert_eq!(plan["windowClosesAt"], Value::Null);
    let mut told: Vec<_> =
        nodes(plan).iter().map(|node| (text(&node["basis"]), text(&node["outcome"]))).collect();
    told.sort();
    told.dedup();
    let expected = [("ASSUMED", "GRANTED"), ("KNOWN", "ALREADY_GRANTED"), ("KNOWN", "SUBSCRIPTION_DISABLED")];
    assert_eq!(told, expected.map(|(basis, outcome)| (basis.to_owned(), outcome.to_owned())));
    assert_eq!(nodes(plan).len(), 12);
    assert_eq!(app.simulator.calls().len(), 0);
    // A whole window is what it would have.
    assert_eq!(plan["estimate"]["fitsWindow"], true);
    Ok(())
}

#[tokio::test]
async fn a_window_that_closed_asks_nobody() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    let held = hold(&app, "owner").await?;
    app.clock.advance(TimeDelta::minutes(61));
    app.simulator.clear_calls();

    let plan = plan_onboarding(&app, &held).await?;

    assert_eq!((&plan["windowClosesAt"], &plan["subscriptions"]["totalCount"]), (&Value::Null, &json!(0)));
    assert_eq!(app.simulator.calls().len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_refused_leaves_what_is_known() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.onboard().await?;
    let held = hold(&app, "owner").await?;
    app.simulator.set_continuous_access(true);
    app.simulator.revoke_sessions("owner");

    let plan = plan_onboarding(&app, &held).await?;

    assert!(nodes(&plan).iter().all(|node| node["basis"] == "KNOWN"), "{plan}");
    assert_eq!(nodes(&plan).len(), 3);
    Ok(())
}

#[tokio::test]
async fn whoever_may_start_no_consent_makes_no_call_in_a_users_name() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.onboard().await?;
    let held = hold(&app, "owner").await?;
    let viewer = app.signed_in("colleague", "VIEWER").await?;
    app.simulator.clear_calls();
    let query = format!("{{ planOnboarding(consentId: \"consent:{}\") {{ {PLAN} }} }}", held.id);

    let answer = viewer.ask(&query).await?.json;

    assert!(answer.get("errors").is_none(), "{answer}");
    assert!(nodes(&answer["data"]["planOnboarding"]).iter().all(|node| node["basis"] == "KNOWN"), "{answer}");
    assert_eq!(calls_of(&app, "owner").len(), 0);
    Ok(())
}

#[tokio::test]
async fn what_azure_does_not_tell_is_assumed_and_said_to_be() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    let held = hold(&app, "owner").await?;
    let refused = simulator::Fault::on("POST", "/providers/Microsoft.ResourceGraph/resources");
    app.simulator.faults().plan(refused.answer(
        400,
        &[],
        r#"{"error":{"code":"BadRequest","message":"no"}}"#,
    ));
    let usage = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignmentsUsageMetrics";
    app.simulator.faults().plan(simulator::Fault::on("GET", usage).times(2).answer(404, &[], ""));

    let plan = plan_onboarding(&app, &held).await?;

    assert_eq!(plan["estimate"]["resourcesAreAssumed"], true);
    assert!(
        nodes(&plan).iter().all(|node| node["resourceCount"] == Value::Null && node["outcome"] == "GRANTED")
    );
    Ok(())
}

#[tokio::test]
async fn what_could_not_be_asked_in_time_is_assumed_and_every_call_still_ends() -> Result<()> {
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources) = (600, 600);
        config.latency = Duration::from_millis(400);
    })
    .await?;
    let held = hold(&app, "owner").await?;

    let plan = plan_onboarding(&app, &held).await?;

    assert_eq!(plan["subscriptions"]["totalCount"], 600);
    let writes = plan["estimate"]["calls"]["userWrites"].as_u64().unwrap_or_default();
    assert!((590..=600).contains(&writes), "{writes}");
    let query = format!(
        "{{ planOnboarding(consentId: \"consent:{}\") {{
             subscriptions(first: 500) {{ nodes {{ basis outcome }} }} }} }}",
        held.id
    );
    let bases: Vec<_> = nodes(&app.ask(&query, json!({})).await?["planOnboarding"])
        .iter()
        .map(|node| text(&node["basis"]))
        .collect();
    assert!(bases.iter().any(|basis| basis == "ASKED") && bases.iter().any(|basis| basis == "ASSUMED"));
    let unended = delegated_call::Entity::of_consent(app.member.organization_id, held.id)
        .filter(delegated_call::Column::EndedAt.is_null());
    eventually("every call has ended", async || {
        (unended.clone().count(&app.database).await.ok()? == 0).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn where_the_quota_ends_the_counting_the_others_are_taken_to_be_like_those_that_were_counted()
-> Result<()> {
    let app = TestApp::small(310, 3_100).await?;
    let held = hold(&app, "owner").await?;
    let spent = Fault::on("POST", "/providers/Microsoft.ResourceGraph/resources").after(1);
    app.simulator.faults().plan(spent.answer(429, &[("retry-after", "60")], ""));

    let plan = plan_onboarding(&app, &held).await?;

    let estimate = &plan["estimate"];
    assert_eq!(estimate["resourcesAreAssumed"], true);
    // About 3,100 rows in two batches; of 500 in each they would be 154,000.
    let queries = estimate["calls"]["resourceGraphQueries"].as_u64().unwrap_or_default();
    assert!((4..=6).contains(&queries), "{queries}");
    Ok(())
}

#[tokio::test]
async fn what_is_somebody_elses_has_no_plan() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    let held = hold(&app, "owner").await?;
    let stranger = app.stranger().await?;
    for id in [held.id, Uuid::now_v7()] {
        let query = format!("{{ planOnboarding(consentId: \"consent:{id}\") {{ windowClosesAt }} }}");

        let answer = app.ask_as(&stranger, &query, json!({})).await?;

        assert_eq!(answer, json!({ "data": { "planOnboarding": null } }));
    }
    Ok(())
}

/// The steps of an operation by Azure's id of their subscription.
async fn steps(
    app: &TestApp,
    operation: &operation::Model,
) -> Result<BTreeMap<String, operation_step::Model>> {
    let steps = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .all(&app.database)
        .await?;
    let subscriptions = subscription::Entity::owned_by(operation.organization_id).all(&app.database).await?;
    let azure_id = |id: Uuid| {
        let found = subscriptions.iter().find(|one| one.id == id);
        found.map(|one| one.azure_subscription_id.to_string()).unwrap_or_default()
    };
    Ok(steps.into_iter().map(|step| (azure_id(step.subscription_id), step)).collect())
}
