//! Microsoft at its worst: what was asked for still comes out right, and nothing is done twice.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Value, json};
use simulator::Fault;
use support::app::{TestApp, outcomes};

const ANYTHING: [&str; 3] = ["/subscriptions/**", "/providers/**", "/subscriptions"];

/// The operation is as it would have been without any fault.
async fn assert_unharmed(app: &TestApp, operation: &Value) -> Result<()> {
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(outcomes(operation).get("GRANTED"), Some(&4));
    for subscription in app.simulator.subscriptions() {
        assert_eq!(app.simulator.assignments_at(subscription.id), 1, "{}", subscription.name);
    }
    let data = app.ask("{ resources(first: 1) { totalCount } }", json!({})).await?;
    assert_eq!(data["resources"]["totalCount"], 400);
    Ok(())
}

#[tokio::test]
async fn a_storm_of_429s_is_sat_out() -> Result<()> {
    let app = TestApp::small(4, 400).await?;
    let body = r#"{"error":{"code":"TooManyRequests","message":"Please try again after '1' seconds."}}"#;
    for path in ANYTHING {
        let storm = Fault::on("*", path).answer(429, &[("retry-after", "1")], body);
        app.simulator.faults().plan(storm.times(4));
    }

    let operation = app.onboard().await?;

    assert_unharmed(&app, &operation).await
}

#[tokio::test]
async fn answers_that_are_no_answers_are_asked_for_again() -> Result<()> {
    let app = TestApp::small(4, 400).await?;
    let faults = app.simulator.faults();
    for path in ANYTHING {
        faults.plan(Fault::on("*", path).times(3).answer(502, &[], "<html>Bad Gateway</html>"));
        faults.plan(Fault::on("*", path).times(3).reset());
        faults.plan(Fault::on("*", path).times(3).answer(500, &[], ""));
        faults.plan(Fault::on("*", path).times(2).truncate());
        faults.plan(Fault::on("*", path).times(2).answer(503, &[("retry-after", "15")], "\"\""));
    }

    let operation = app.onboard().await?;

    assert_unharmed(&app, &operation).await
}

#[tokio::test]
async fn an_assignment_whose_answer_was_lost_is_not_made_twice() -> Result<()> {
    let app = TestApp::small(4, 400).await?;
    let put = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*";
    app.simulator.faults().plan(Fault::on("PUT", put).times(4).truncate());

    let operation = app.onboard().await?;

    let mut names: HashMap<String, usize> = HashMap::new();
    for call in app.simulator.calls().into_iter().filter(|call| call.method == "PUT" && call.status == 201) {
        *names.entry(call.path.to_lowercase()).or_default() += 1;
    }
    assert_eq!((names.len(), names.values().max()), (4, Some(&1)));
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    for subscription in app.simulator.subscriptions() {
        assert_eq!(app.simulator.assignments_at(subscription.id), 1);
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_rotate_in_the_middle_are_fetched_again() -> Result<()> {
    let app = TestApp::small(4, 400).await?;
    app.onboard().await?;
    app.simulator.rotate_keys()?;

    let operation = app.onboard().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    Ok(())
}

#[tokio::test]
async fn a_secret_of_ours_that_expired_is_never_blamed_on_the_customer() -> Result<()> {
    let app = TestApp::small(4, 400).await?;
    let onboarding = app.onboard().await?;
    app.simulator.expire_client_secret();

    let scan = app.scan(&onboarding).await?;

    assert_eq!(scan["state"], "FAILED", "{scan}");
    let step = &scan["steps"]["nodes"][0];
    let data = app
        .ask("{ operations(first: 1) { nodes { steps { nodes { failure { fixableBy } } } } } }", json!({}));
    let failure = &data.await?["operations"]["nodes"][0]["steps"]["nodes"][0]["failure"];
    assert_eq!(failure["fixableBy"], "OPERATOR", "{step}");
    let data = app.ask("{ resources(first: 1) { totalCount } }", json!({})).await?;
    assert_eq!(data["resources"]["totalCount"], 400);
    Ok(())
}

#[tokio::test]
async fn the_published_limits_are_kept_without_being_told() -> Result<()> {
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources, config.throttle) = (4, 400, true);
    })
    .await?;

    let operation = app.onboard().await?;

    assert_unharmed(&app, &operation).await?;
    assert_eq!(app.simulator.calls().iter().filter(|call| call.status == 429).count(), 0);
    Ok(())
}
