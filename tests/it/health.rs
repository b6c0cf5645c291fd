//! What is lost in a tenant is found, told with who can mend it, and forgotten when it is mended; data is kept.

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::audit_event::{self, Action};
use entity::subscription::{self, AccessLevel};
use entity::{Owned, tenant};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};
use serde_json::{Value, json};
use simulator::{BuiltInRole, Decision, Fault, Person, Scope};
use support::app::TestApp;
use uuid::Uuid;
use worker::Context;
use worker::job::Job;
use worker::jobs::{CheckTenant, Sweep};
use worker::queue::When;

const HEALTH: &str = "{ tenants(first: 1) { nodes { id state failure { code }
    health { checkedAt degradedSince checkFailure { code }
      reasons(first: 10) { totalCount nodes { severity since failure { code fixableBy message }
        subscription { azureSubscriptionId accessLevel } } } }
    subscriptions(first: 10) { nodes { azureSubscriptionId azureState healthReasons { failure { code } } } } } } }";

/// How the tenant stands.
async fn health(app: &TestApp) -> Result<Value> {
    Ok(app.ask(HEALTH, json!({})).await?["tenants"]["nodes"][0].take())
}

/// Has the tenant checked; answers how it stands then.
async fn check(app: &TestApp) -> Result<Value> {
    ask_for_check(app).await?;
    app.run_jobs().await?;
    health(app).await
}

async fn ask_for_check(app: &TestApp) -> Result<()> {
    let id = health(app).await?["id"].take();
    let query =
        "mutation($id: ID!) { checkTenant(input: { tenantId: $id }) { tenant { id } userErrors { code } } }";
    let data = app.ask(query, json!({ "id": id })).await?;
    assert_eq!(data["checkTenant"], json!({ "tenant": { "id": id }, "userErrors": [] }));
    Ok(())
}

fn reasons(tenant: &Value) -> Vec<&Value> {
    tenant["health"]["reasons"]["nodes"].as_array().into_iter().flatten().collect()
}

fn codes(tenant: &Value) -> Vec<&str> {
    reasons(tenant).into_iter().filter_map(|reason| reason["failure"]["code"].as_str()).collect()
}

/// The changes of health in the audit, the oldest first.
async fn changes(app: &TestApp) -> Result<Vec<Action>> {
    let events = audit_event::Entity::owned_by(app.member.organization_id)
        .filter(audit_event::Column::Action.is_in([Action::TenantDegraded, Action::TenantRecovered]))
        .order_by_asc(audit_event::Column::Sequence)
        .all(&app.database)
        .await?;
    Ok(events.into_iter().map(|event| event.action).collect())
}

async fn resources(app: &TestApp) -> Result<Value> {
    Ok(app.ask("{ resources(first: 1) { totalCount } }", json!({})).await?["resources"]["totalCount"].take())
}

fn principal(app: &TestApp) -> Uuid {
    app.simulator.service_principal_id().unwrap_or_default()
}

fn take_reader(app: &TestApp, subscription: Uuid) {
    app.simulator.revoke(principal(app), BuiltInRole::Reader, Scope::Subscription(subscription));
}

fn give_reader(app: &TestApp, subscription: Uuid) {
    app.simulator.grant(principal(app), BuiltInRole::Reader, Scope::Subscription(subscription));
}

/// Something that happens to a subscription, and what is told of it.
type Loss = (fn(&TestApp, Uuid), &'static str);

#[tokio::test]
async fn what_happens_to_a_subscription_is_told_with_who_can_mend_it_and_its_data_is_kept() -> Result<()> {
    let losses: [Loss; 4] = [
        (take_reader, "ROLE_REMOVED"),
        (|app, id| app.simulator.move_subscription(id), "SUBSCRIPTION_MOVED"),
        (|app, id| app.simulator.remove_subscription(id), "SUBSCRIPTION_DELETED"),
        (|app, id| app.simulator.set_disabled(id, true), "SUBSCRIPTION_DISABLED"),
    ];
    for (lose, code) in losses {
        let app = TestApp::small(3, 30).await?;
        app.onboard().await?;
        let lost = app.simulator.subscriptions()[1].id;
        lose(&app, lost);

        let tenant = check(&app).await?;

        assert_eq!(codes(&tenant), [code], "{tenant}");
        let reason = reasons(&tenant)[0];
        assert_eq!(reason["severity"], "DEGRADED");
        assert_eq!(reason["failure"]["fixableBy"], "SUBSCRIPTION_OWNER");
        // Its level stays too: what was agreed on is not forgotten because it is out of reach.
        let subscription = json!({ "azureSubscriptionId": lost, "accessLevel": "READ_TAGS" });
        assert_eq!(reason["subscription"], subscription);
        assert_eq!((&tenant["state"], &tenant["failure"]["code"]), (&json!("DEGRADED"), &json!(code)));
        assert_eq!(tenant["health"]["degradedSince"], reason["since"]);
        for subscription in tenant["subscriptions"]["nodes"].as_array().context("no subscriptions")? {
            let is_lost = subscription["azureSubscriptionId"] == json!(lost);
            assert_eq!(subscription["healthReasons"].as_array().map(Vec::len), Some(usize::from(is_lost)));
        }
        assert_eq!(resources(&app).await?, 30);
        assert_eq!(changes(&app).await?, [Action::TenantDegraded]);
    }
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_nobody_lets_us_into_is_told_with_who_can_mend_it_and_mended_without_a_consent()
-> Result<()> {
    type Turn = fn(&TestApp);
    let losses: [(Turn, Turn, &str, &str); 3] = [
        (
            |app| app.simulator.set_service_principal_enabled(false),
            |app| app.simulator.set_service_principal_enabled(true),
            "APPLICATION_DISABLED",
            "GLOBAL_ADMINISTRATOR",
        ),
        (
            |app| app.simulator.set_client_secret("another"),
            |app| app.simulator.set_client_secret(&app.simulator.client_secret()),
            "CLIENT_SECRET_REFUSED",
            "OPERATOR",
        ),
        (|app| app.simulator.expire_client_secret(), |_| (), "CLIENT_SECRET_EXPIRED", "OPERATOR"),
    ];
    for (lose, mend, code, fixable_by) in losses {
        let app = TestApp::small(2, 20).await?;
        app.onboard().await?;
        lose(&app);

        let lost = check(&app).await?;
        mend(&app);
        let mended = check(&app).await?;

        assert_eq!((&lost["state"], codes(&lost)), (&json!("DEGRADED"), vec![code]), "{lost}");
        assert_eq!(reasons(&lost)[0]["failure"]["fixableBy"], fixable_by);
        assert_eq!(reasons(&lost)[0]["subscription"], Value::Null);
        assert_eq!(resources(&app).await?, 20);
        if code == "CLIENT_SECRET_EXPIRED" {
            continue;
        }
        assert_eq!((&mended["state"], codes(&mended)), (&json!("CONNECTED"), vec![]), "{mended}");
        assert_eq!(mended["health"]["degradedSince"], Value::Null);
        assert_eq!(changes(&app).await?, [Action::TenantDegraded, Action::TenantRecovered]);
    }
    Ok(())
}

#[tokio::test]
async fn an_enterprise_application_that_was_deleted_is_a_consent_that_was_lost() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    app.simulator.delete_service_principal();

    let lost = check(&app).await?;
    app.onboard().await?;
    let mended = check(&app).await?;

    assert_eq!(codes(&lost), ["CONSENT_WITHDRAWN"]);
    assert_eq!(reasons(&lost)[0]["failure"]["fixableBy"], "GLOBAL_ADMINISTRATOR");
    assert_eq!((&mended["state"], codes(&mended)), (&json!("CONNECTED"), vec![]), "{mended}");
    Ok(())
}

#[tokio::test]
async fn a_service_principal_that_others_created_again_has_none_of_our_roles() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    app.simulator.delete_service_principal();
    let stranger = app.stranger().await?;
    let query =
        "mutation($tenant: String!) { startConsent(input: { tenant: $tenant }) { authorizationUrl } }";
    let tenant = json!({ "tenant": app.simulator.tenant_id().to_string() });
    let started = app.ask_as(&stranger, query, tenant).await?;
    let link = started["data"]["startConsent"]["authorizationUrl"].as_str().context("no link")?;
    Person::new("guest").consent(link, Decision::Accept).await?;

    let tenant = check(&app).await?;

    let mut codes = codes(&tenant);
    codes.sort_unstable();
    // The guest owns the first subscription only.
    assert_eq!(codes, ["ROLE_REMOVED", "SERVICE_PRINCIPAL_RECREATED"], "{tenant}");
    assert_eq!(tenant["failure"]["code"], "SERVICE_PRINCIPAL_RECREATED");
    Ok(())
}

#[tokio::test]
async fn a_role_that_lets_us_write_is_missed_though_the_subscription_is_seen() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let writable = app.simulator.subscriptions()[0].id;
    subscription::Entity::update_many()
        .set(subscription::ActiveModel { access_level: Set(AccessLevel::WriteTags), ..Default::default() })
        .filter(subscription::Column::AzureSubscriptionId.eq(writable))
        .exec(&app.database)
        .await?;

    let lost = check(&app).await?;
    app.simulator.grant(principal(&app), BuiltInRole::TagContributor, Scope::Subscription(writable));
    let mended = check(&app).await?;

    assert_eq!(codes(&lost), ["WRITE_ROLE_REMOVED"]);
    assert_eq!(codes(&mended), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_reason_keeps_its_since_and_each_change_is_told_once() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let [one, two] = [0, 1].map(|index| app.simulator.subscriptions()[index].id);
    take_reader(&app, one);
    let first = check(&app).await?;
    app.clock.advance(TimeDelta::hours(2));

    let again = check(&app).await?;
    take_reader(&app, two);
    let both = check(&app).await?;
    give_reader(&app, one);
    give_reader(&app, two);
    check(&app).await?;
    take_reader(&app, one);
    let anew = check(&app).await?;

    assert_eq!(reasons(&again), reasons(&first));
    assert_eq!(reasons(&both).len(), 2);
    assert_eq!(reasons(&both)[0]["since"], reasons(&first)[0]["since"]);
    assert_ne!(reasons(&both)[1]["since"], reasons(&first)[0]["since"]);
    assert_eq!(both["health"]["degradedSince"], first["health"]["degradedSince"]);
    assert_ne!(anew["health"]["degradedSince"], first["health"]["degradedSince"]);
    let told =
        [Action::TenantDegraded, Action::TenantDegraded, Action::TenantRecovered, Action::TenantDegraded];
    assert_eq!(changes(&app).await?, told);
    Ok(())
}

#[tokio::test]
async fn a_throttled_check_changes_nothing_says_so_and_goes_on_by_itself() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let [known, unknown] = [0, 1].map(|index| app.simulator.subscriptions()[index].id);
    take_reader(&app, known);
    let before = check(&app).await?;
    take_reader(&app, unknown);
    let too_many = r#"{"error":{"code":"TooManyRequests","message":"later"}}"#;
    let throttle = Fault::on("GET", &format!("/subscriptions/{unknown}"));
    app.simulator.faults().plan(throttle.answer(429, &[("retry-after", "5")], too_many));

    ask_for_check(&app).await?;
    app.run_due().await?;
    let throttled = health(&app).await?;
    app.run_jobs().await?;
    let after = health(&app).await?;

    assert_eq!(throttled["health"]["checkFailure"]["code"], "MICROSOFT_THROTTLED");
    assert_eq!(throttled["health"]["checkedAt"], before["health"]["checkedAt"]);
    assert_eq!(reasons(&throttled), reasons(&before));
    assert_eq!(after["health"]["checkFailure"], Value::Null);
    assert_eq!(reasons(&after)[0], reasons(&before)[0]);
    assert_eq!(reasons(&after)[1]["subscription"]["azureSubscriptionId"], json!(unknown));
    Ok(())
}

#[tokio::test]
async fn an_outage_of_the_sign_in_blames_nobody() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    app.onboard().await?;
    let outage = Fault::on("POST", "/*/oauth2/v2.0/token").answer(503, &[("retry-after", "300")], "");
    app.simulator.faults().plan(outage.times(20));

    ask_for_check(&app).await?;
    app.run_due().await?;

    let tenant = health(&app).await?;
    assert_eq!((&tenant["state"], codes(&tenant)), (&json!("CONNECTED"), vec![]), "{tenant}");
    assert_eq!(tenant["health"]["checkFailure"]["code"], "MICROSOFT_UNAVAILABLE");
    app.simulator.faults().clear();
    app.run_jobs().await?;
    assert_eq!(health(&app).await?["health"]["checkFailure"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn one_bad_subscription_hides_no_other() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.onboard().await?;
    let [odd, lost] = [0, 1].map(|index| app.simulator.subscriptions()[index].id);
    take_reader(&app, odd);
    take_reader(&app, lost);
    let path = format!("/subscriptions/{odd}");
    app.simulator.faults().plan(Fault::on("GET", &path).answer(400, &[], "{}"));

    let tenant = check(&app).await?;

    assert_eq!(codes(&tenant), ["ROLE_REMOVED"], "{tenant}");
    assert_eq!(reasons(&tenant)[0]["subscription"]["azureSubscriptionId"], json!(lost));
    assert_eq!(tenant["health"]["checkFailure"]["code"], "UNEXPECTED_ANSWER");
    let tenant = check(&app).await?;
    assert_eq!((codes(&tenant).len(), &tenant["health"]["checkFailure"]), (2, &Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_list_that_leaves_out_what_is_there_degrades_nothing() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    app.simulator.faults().plan(Fault::on("GET", "/subscriptions").answer(200, &[], r#"{"value":[]}"#));

    let tenant = check(&app).await?;

    assert_eq!((&tenant["state"], codes(&tenant)), (&json!("CONNECTED"), vec![]), "{tenant}");
    Ok(())
}

#[tokio::test]
async fn what_a_scan_does_not_see_is_explained_by_a_check_at_once() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    let onboarding = app.onboard().await?;
    let moved = app.simulator.subscriptions()[0].id;
    app.simulator.move_subscription(moved);

    app.scan(&onboarding).await?;

    let tenant = health(&app).await?;
    assert_eq!(codes(&tenant), ["SUBSCRIPTION_MOVED"], "{tenant}");
    assert_eq!(tenant["health"]["degradedSince"], reasons(&tenant)[0]["since"]);
    Ok(())
}

#[tokio::test]
async fn a_tenant_in_which_nothing_was_granted_is_degraded_until_something_is() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard_as("reader").await?;

    let empty = check(&app).await?;
    app.onboard().await?;
    let granted = health(&app).await?;

    assert_eq!((&empty["state"], codes(&empty)), (&json!("DEGRADED"), vec!["NOTHING_GRANTED"]), "{empty}");
    assert_eq!((&granted["state"], codes(&granted)), (&json!("CONNECTED"), vec![]), "{granted}");
    Ok(())
}

async fn tenant_row(app: &TestApp) -> Result<tenant::Model> {
    let found = tenant::Entity::owned_by(app.member.organization_id).one(&app.database).await?;
    found.context("there is no tenant")
}

/// Checks as an installation does whose client secret expires then.
async fn check_with_secret_until(app: &TestApp, expires_at: DateTime<Utc>) -> Result<Value> {
    let context = Context { client_secret_expires_at: Some(expires_at), ..app.context.clone() };
    CheckTenant::of(&tenant_row(app).await?).run(&context).await?;
    health(app).await
}

#[tokio::test]
async fn a_client_secret_that_expires_within_a_month_is_a_warning_and_no_more() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    app.onboard().await?;
    let now = app.clock.now();

    let early = check_with_secret_until(&app, now + TimeDelta::days(31)).await?;
    let soon = check_with_secret_until(&app, now + TimeDelta::days(29)).await?;
    let past = check_with_secret_until(&app, now - TimeDelta::days(1)).await?;
    let renewed = check_with_secret_until(&app, now + TimeDelta::days(700)).await?;

    assert_eq!(codes(&early), [""; 0]);
    for warned in [&soon, &past] {
        assert_eq!((&warned["state"], codes(warned)), (&json!("CONNECTED"), vec!["CLIENT_SECRET_EXPIRES"]));
        let reason = reasons(warned)[0];
        assert_eq!(reason["severity"], "WARNING");
        assert_eq!(reason["failure"]["fixableBy"], "OPERATOR");
    }
    assert_eq!(codes(&renewed), [""; 0]);
    assert_eq!(changes(&app).await?, []);
    Ok(())
}

#[tokio::test]
async fn the_sweep_checks_every_hour_and_not_more_often() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    app.onboard().await?;
    let sweep = async |app: &TestApp| {
        app.simulator.clear_calls();
        app.context.queue.push(&Sweep {}, When::default()).await?;
        app.run_jobs().await?;
        anyhow::Ok(app.simulator.calls().len())
    };

    let at_first = sweep(&app).await?;
    app.clock.advance(TimeDelta::minutes(61));
    let after_an_hour = sweep(&app).await?;
    let again = sweep(&app).await?;

    assert_eq!((at_first, again), (0, 0));
    assert!(after_an_hour > 0);
    assert!(health(&app).await?["health"]["checkedAt"].is_string());
    Ok(())
}
