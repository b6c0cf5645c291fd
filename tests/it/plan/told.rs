//! What an operation was expected to take, against what it then took.

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::{BuiltInRole, Scope};
use support::app::TestApp;

use super::text;

const OPERATION: &str = "query($id: ID!) { operation(id: $id) { startedAt finishedAt state
    estimate { durationSeconds windowSeconds expectedEndAt fitsWindow propagationIsMeasured resourcesAreAssumed
      calls { userReads userWrites resourceGraphQueries } } } }";

async fn told(app: &TestApp, operation: &Value) -> Result<Value> {
    let mut data = app.ask(OPERATION, json!({ "id": operation["id"] })).await?;
    Ok(data["operation"].take())
}

fn moment(value: &Value) -> Result<DateTime<Utc>> {
    text(value).parse().with_context(|| format!("no moment: {value}"))
}

#[tokio::test]
async fn an_onboarding_says_when_it_will_have_ended_and_is_right_within_15_percent() -> Result<()> {
    let app = TestApp::with(|config| {
        config.subscriptions = 40;
        config.resources = 4_000;
    })
    .await?;
    app.simulator.set_propagation_between(TimeDelta::seconds(20), TimeDelta::minutes(7));
    let first = told(&app, &app.onboard().await?).await?;
    let principal = app.simulator.service_principal_id().context("a service principal")?;
    app.simulator.set_propagation(TimeDelta::zero());
    for subscription in app.simulator.subscriptions() {
        app.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(subscription.id));
    }
    app.simulator.set_propagation_between(TimeDelta::seconds(20), TimeDelta::minutes(7));

    let second = told(&app, &app.onboard().await?).await?;

    // Nothing was measured before the first.
    assert_eq!(first["estimate"]["propagationIsMeasured"], false, "{first}");
    let estimate = &second["estimate"];
    assert_eq!((&estimate["propagationIsMeasured"], &estimate["fitsWindow"]), (&json!(true), &json!(true)));
    let begun = moment(&second["startedAt"])?;
    let took = (moment(&second["finishedAt"])? - begun).num_milliseconds();
    let expected = (moment(&estimate["expectedEndAt"])? - begun).num_milliseconds();
    assert!((expected - took).abs() * 100 <= took * 15, "expected {expected} ms, took {took} ms");
    Ok(())
}

#[tokio::test]
async fn a_scan_changes_no_access_and_is_told_nothing_of() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    let onboarding = app.onboard().await?;

    let scan = told(&app, &app.scan(&onboarding).await?).await?;

    assert_eq!(scan["estimate"], Value::Null);
    assert_eq!(told(&app, &onboarding).await?["estimate"]["calls"]["userWrites"], 2);
    Ok(())
}
