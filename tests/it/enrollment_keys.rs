//! Enrollment keys, from their registration to what Microsoft says of them every day.

use std::time::Duration;

use anyhow::Result;
use api::authentication::DevelopmentTokens;
use chrono::TimeDelta;
use entity::Owned;
use entity::enrollment_key::{self, Column};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::{Value, json};
use simulator::{Fault, ReportView};
use support::app::TestApp;
use worker::queue::When;

const NUMBER: &str = "4711";
const PERIODS: &str = "/v3/enrollments/*/billingperiods";

const KEY: &str = "id enrollmentNumber hint state message expiresAt checkedAt failure { code fixableBy }
    createdBy { displayName }";

fn make_key(app: &TestApp, lifetime: TimeDelta) -> Result<String> {
    Ok(app.simulator.make_enrollment_key(NUMBER, lifetime, ReportView::System)?)
}

async fn register(app: &TestApp, number: &str, key: &str) -> Result<Value> {
    let query = format!(
        "mutation($number: String!, $key: String!) {{
           registerEnrollmentKey(input: {{ enrollmentNumber: $number, key: $key }}) {{
             enrollmentKey {{ {KEY} }} userErrors {{ code field message }} }} }}"
    );
    let mut data = app.ask(&query, json!({ "number": number, "key": key })).await?;
    Ok(data["registerEnrollmentKey"].take())
}

/// Registers a key, and lets it be checked; answers the only key there is.
async fn connect(app: &TestApp, key: &str) -> Result<Value> {
    register(app, NUMBER, key).await?;
    app.run_jobs().await?;
    only(app).await
}

async fn only(app: &TestApp) -> Result<Value> {
    let mut data = app.ask(&format!("{{ enrollmentKeys {{ nodes {{ {KEY} }} }} }}"), json!({})).await?;
    anyhow::ensure!(data["enrollmentKeys"]["nodes"].as_array().is_some_and(|keys| keys.len() == 1), "{data}");
    Ok(data["enrollmentKeys"]["nodes"][0].take())
}

async fn check(app: &TestApp, key: &Value) -> Result<Value> {
    let query = "mutation($id: ID!) { checkEnrollmentKey(input: { enrollmentKeyId: $id }) {
                   enrollmentKey { id } userErrors { code } } }";
    app.ask(query, json!({ "id": key["id"] })).await?;
    app.run_jobs().await?;
    only(app).await
}

async fn sweep(app: &TestApp) -> Result<Value> {
    app.context.queue.push(&worker::jobs::Sweep {}, When::default()).await?;
    app.run_jobs().await?;
    only(app).await
}

fn asked(app: &TestApp) -> usize {
    app.simulator.calls().iter().filter(|call| call.path.ends_with("/billingperiods")).count()
}

async fn row(app: &TestApp) -> Result<enrollment_key::Model> {
    let found = enrollment_key::Entity::owned_by(app.member.organization_id).one(&app.database).await?;
    found.ok_or_else(|| anyhow::anyhow!("there is no enrollment key"))
}

#[tokio::test]
async fn a_key_that_cannot_be_good_is_refused_with_the_reason_and_nothing_is_stored_or_asked() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    let expired = make_key(&app, TimeDelta::seconds(-1))?;
    let token = app.simulator.access_token("owner", "https://management.azure.com", "user_impersonation");

    for (number, key, code, field) in [
        (NUMBER, &key[..key.len() - 1], "KEY_INCOMPLETE", "key"),
        (NUMBER, &key[..100], "KEY_INCOMPLETE", "key"),
        (NUMBER, &token, "NOT_AN_ENROLLMENT_KEY", "key"),
        (NUMBER, "", "NOT_AN_ENROLLMENT_KEY", "key"),
        ("4712", &key, "ANOTHER_ENROLLMENT", "key"),
        (NUMBER, &expired, "KEY_EXPIRED", "key"),
        ("47/11", &key, "INVALID_ENROLLMENT_NUMBER", "enrollmentNumber"),
    ] {
        let refused = register(&app, number, key).await?;
        let error = &refused["userErrors"][0];
        assert_eq!((&error["code"], &error["field"][0]), (&json!(code), &json!(field)), "{refused}");
        assert!(refused["enrollmentKey"].is_null());
        assert!(key.is_empty() || !refused.to_string().contains(key), "{refused}");
    }
    app.run_jobs().await?;
    let data = app.ask("{ enrollmentKeys { totalCount } }", json!({})).await?;
    assert_eq!((data["enrollmentKeys"]["totalCount"].as_i64(), asked(&app)), (Some(0), 0));
    Ok(())
}

#[tokio::test]
async fn a_good_key_is_connected_once_microsoft_took_it_and_is_stored_sealed() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;

    let registered = register(&app, NUMBER, &format!(" Bearer {key}\n")).await?;
    app.run_jobs().await?;

    let before = &registered["enrollmentKey"];
    assert_eq!((&before["state"], &before["checkedAt"]), (&Value::Null, &Value::Null), "{registered}");
    let after = only(&app).await?;
    assert_eq!((&after["state"], &after["message"]), (&json!("CONNECTED"), &Value::Null), "{after}");
    assert_eq!(after["hint"], format!("…{}", &key[key.len() - 4..]));
    assert!(after["checkedAt"].is_string() && after["expiresAt"].is_string(), "{after}");
    assert_eq!((after["createdBy"]["displayName"].as_str(), asked(&app)), (Some("Mona Member"), 1));
    let row = row(&app).await?;
    assert!(!String::from_utf8_lossy(&row.sealed_key).contains("eyJ"));
    assert_eq!(app.services.keyring.open(&row.sealed_key, &row.row())?.as_slice(), key.as_bytes());
    Ok(())
}

#[tokio::test]
async fn a_new_key_of_the_same_enrollment_takes_the_place_of_the_old_one() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let old = make_key(&app, TimeDelta::days(180))?;
    app.simulator.revoke_enrollment_key(&old);
    let revoked = connect(&app, &old).await?;
    let new = make_key(&app, TimeDelta::days(90))?;

    let replaced = register(&app, NUMBER, &new).await?;
    app.run_jobs().await?;

    assert_eq!(revoked["state"], "REVOKED");
    assert_eq!(replaced["enrollmentKey"]["id"], revoked["id"]);
    assert_eq!(replaced["enrollmentKey"]["state"], Value::Null, "the new one was not checked yet");
    let now = only(&app).await?;
    assert_eq!((&now["state"], &now["id"]), (&json!("CONNECTED"), &revoked["id"]));
    assert_eq!(now["hint"], format!("…{}", &new[new.len() - 4..]));
    Ok(())
}

#[tokio::test]
async fn a_check_of_the_replaced_key_says_nothing_of_the_new_one() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (old, new) = (make_key(&app, TimeDelta::days(180))?, make_key(&app, TimeDelta::days(90))?);
    app.simulator.revoke_enrollment_key(&old);
    register(&app, NUMBER, &old).await?;
    let app = &app;
    app.simulator.faults().plan(Fault::on("GET", PERIODS).delay(Duration::from_millis(500)));

    // The job of the old key waits for Microsoft when the new key is registered.
    let (ran, replaced) = tokio::join!(app.run_due(), async {
        while !is_begun(app).await? {
            tokio::task::yield_now().await;
        }
        register(app, NUMBER, &new).await
    });
    ran?;
    replaced?;

    app.run_jobs().await?;
    assert_eq!(only(app).await?["state"], "CONNECTED");
    Ok(())
}

/// Whether a worker has begun the check.
async fn is_begun(app: &TestApp) -> Result<bool> {
    Ok(app.context.queue.depth("check-enrollment-key").await?.leased > 0 || asked(app) > 0)
}

#[tokio::test]
async fn revoked_and_without_its_role_are_told_apart_when_asked_for() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = app.simulator.make_enrollment_key(NUMBER, TimeDelta::days(180), ReportView::Account)?;
    let connected = connect(&app, &key).await?;
    app.simulator.hide_charges_from(&key);

    let without_role = check(&app, &connected).await?;
    app.simulator.revoke_enrollment_key(&key);
    let revoked = check(&app, &connected).await?;

    assert_eq!(connected["state"], "CONNECTED");
    assert_eq!(without_role["state"], "INSUFFICIENT_ROLE");
    assert!(without_role["message"].as_str().is_some_and(|told| told.contains("enterprise administrator")));
    assert_eq!(revoked["state"], "REVOKED");
    assert!(revoked["message"].as_str().is_some_and(|told| told.contains("Generate a new one")), "{revoked}");
    Ok(())
}

#[tokio::test]
async fn a_key_warns_of_its_expiry_and_expires_by_the_clock_alone() -> Result<()> {
    let mut app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(40))?;
    let connected = connect(&app, &key).await?;

    app.clock.advance(TimeDelta::days(11));
    let soon = only(&app).await?;
    app.clock.advance(TimeDelta::days(30));
    // The member's own token has expired by now.
    let tokens = DevelopmentTokens::new(&app.services.keyring);
    app.token = tokens.issue(app.member.id, app.clock.now() + TimeDelta::hours(1));
    let expired = only(&app).await?;

    assert_eq!(connected["state"], "CONNECTED");
    assert_eq!((&soon["state"], &expired["state"]), (&json!("EXPIRES_SOON"), &json!("EXPIRED")));
    for told in [&soon, &expired] {
        let at = connected["expiresAt"].as_str().unwrap_or("never").split('.').next().unwrap_or_default();
        assert!(
            told["message"].as_str().is_some_and(|told| told.contains(at.trim_end_matches('Z'))),
            "{told}"
        );
    }
    // It knows that itself, and need not ask Microsoft.
    let before = asked(&app);
    let swept = sweep(&app).await?;
    assert_eq!((swept["state"].as_str(), asked(&app)), (Some("EXPIRED"), before));
    assert_eq!(row(&app).await?.state, Some(enrollment_key::State::Expired));
    Ok(())
}

#[tokio::test]
async fn every_key_is_checked_once_a_day() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    connect(&app, &key).await?;
    app.simulator.revoke_enrollment_key(&key);
    app.simulator.clear_calls();

    app.clock.advance(TimeDelta::hours(23));
    let same_day = sweep(&app).await?;
    let asked_before = asked(&app);
    app.clock.advance(TimeDelta::hours(1));
    let next_day = sweep(&app).await?;
    sweep(&app).await?;

    assert_eq!((same_day["state"].as_str(), asked_before), (Some("CONNECTED"), 0));
    assert_eq!((next_day["state"].as_str(), asked(&app)), (Some("REVOKED"), 1));
    Ok(())
}

#[tokio::test]
async fn a_bell_that_was_lost_is_rung_again() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    connect(&app, &key).await?;
    // As it is when the queue lost what was pushed.
    let mut lost = row(&app).await?.into_active_model();
    (lost.state, lost.checked_at, lost.updated_at) = (Set(None), Set(None), Set(app.clock.now()));
    lost.update(&app.database).await?;

    let too_early = sweep(&app).await?;
    app.clock.advance(TimeDelta::minutes(2));
    let rung = sweep(&app).await?;

    assert_eq!((&too_early["state"], &rung["state"]), (&Value::Null, &json!("CONNECTED")));
    Ok(())
}

#[tokio::test]
async fn when_microsoft_is_away_the_state_stays_and_the_failure_is_told() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    let mut before = connect(&app, &key).await?;
    for (status, times, code) in [
        (503, 100, "MICROSOFT_UNAVAILABLE"),
        (404, 1, "ENROLLMENT_NOT_REPORTED"),
        (400, 1, "ENROLLMENT_KEY_NOT_CHECKED"),
    ] {
        app.simulator.faults().plan(Fault::on("GET", PERIODS).times(times).answer(status, &[], "nothing"));

        let away = check(&app, &before).await?;
        app.simulator.faults().clear();
        let back = check(&app, &before).await?;

        assert_eq!((&away["state"], &away["failure"]["code"]), (&json!("CONNECTED"), &json!(code)), "{away}");
        assert_eq!(away["checkedAt"], before["checkedAt"], "nothing was found out");
        assert_eq!((&back["state"], &back["failure"]), (&json!("CONNECTED"), &Value::Null), "{back}");
        before = back;
    }
    Ok(())
}

#[tokio::test]
async fn being_told_to_wait_is_said_meanwhile_and_sat_out() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    for (status, header) in [(429, "x-ms-ratelimit-microsoft.consumption-retry-after"), (503, "retry-after")]
    {
        app.simulator.faults().plan(Fault::on("GET", PERIODS).answer(status, &[(header, "60")], ""));
        register(&app, NUMBER, &key).await?;

        app.run_due().await?;
        let meanwhile = only(&app).await?;
        app.clock.advance(TimeDelta::minutes(1));
        app.run_jobs().await?;
        let after = only(&app).await?;

        assert!(meanwhile["state"].is_null() && meanwhile["failure"]["code"].is_string(), "{meanwhile}");
        assert_eq!((&after["state"], &after["failure"]), (&json!("CONNECTED"), &Value::Null), "{after}");
    }
    Ok(())
}

#[tokio::test]
async fn a_check_that_could_not_say_is_repeated_an_hour_later() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    connect(&app, &key).await?;
    app.clock.advance(TimeDelta::days(1));
    app.simulator.faults().plan(Fault::on("GET", PERIODS).answer(404, &[], ""));
    sweep(&app).await?;
    app.simulator.clear_calls();

    let at_once = sweep(&app).await?;
    let asked_at_once = asked(&app);
    app.clock.advance(TimeDelta::hours(1));
    let later = sweep(&app).await?;

    assert_eq!((at_once["failure"]["code"].as_str(), asked_at_once), (Some("ENROLLMENT_NOT_REPORTED"), 0));
    assert_eq!((&later["failure"], asked(&app)), (&Value::Null, 1));
    Ok(())
}

#[tokio::test]
async fn what_was_stored_and_is_no_whole_key_is_incomplete_without_asking() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    let connected = connect(&app, &key).await?;
    let stored = row(&app).await?;
    let cut = app.services.keyring.seal(&key.as_bytes()[..key.len() - 9], &stored.row());
    let mut stored = stored.into_active_model();
    stored.sealed_key = Set(cut);
    stored.update(&app.database).await?;
    app.simulator.clear_calls();

    let incomplete = check(&app, &connected).await?;

    assert_eq!((incomplete["state"].as_str(), asked(&app)), (Some("INCOMPLETE"), 0), "{incomplete}");
    Ok(())
}

#[tokio::test]
async fn a_removed_key_is_gone_and_a_check_that_waits_for_it_finds_nothing_to_do() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = make_key(&app, TimeDelta::days(180))?;
    let registered = register(&app, NUMBER, &key).await?;
    let query = "mutation($id: ID!) { removeEnrollmentKey(input: { enrollmentKeyId: $id }) {
                   enrollmentKey { id enrollmentNumber } userErrors { code } } }";
    let id = json!({ "id": registered["enrollmentKey"]["id"] });

    let removed = app.ask(query, id.clone()).await?;
    let again = app.ask(query, id).await?;
    app.run_jobs().await?;

    assert_eq!(removed["removeEnrollmentKey"]["enrollmentKey"]["enrollmentNumber"], NUMBER);
    assert_eq!(again["removeEnrollmentKey"]["userErrors"][0]["code"], "NOT_FOUND");
    let left = enrollment_key::Entity::owned_by(app.member.organization_id)
        .filter(Column::EnrollmentNumber.eq(NUMBER))
        .one(&app.database)
        .await?;
    assert_eq!((left, asked(&app)), (None, 0));
    Ok(())
}
