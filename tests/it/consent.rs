//! What comes back from Microsoft's sign-in, when it is not what was hoped for.

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use serde_json::json;
use simulator::{Decision, Fault, Opened, Person};
use support::app::TestApp;
use worker::queue::When;

async fn state_of(app: &TestApp, consent: &str) -> Result<(String, String)> {
    let query = "query($id: ID!) { consent(id: $id) { state failure { code } operation { id } } }";
    let data = app.ask(query, json!({ "id": consent })).await?;
    let consent = &data["consent"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&consent["state"]), text(&consent["failure"]["code"])))
}

/// Follows the link up to Microsoft's answer: where it leads back, and the browser's cookie.
async fn up_to_the_callback(link: &str) -> Result<(String, String)> {
    let person = Person::new("owner");
    let Opened::Passed { to: authorize, cookie: Some(cookie) } = person.open(link).await? else {
        bail!("the link led nowhere");
    };
    let Opened::Passed { to: back, .. } = person.decide(&authorize, Decision::Accept).await? else {
        bail!("Microsoft sent nobody back");
    };
    Ok((back, cookie))
}

#[tokio::test]
async fn refusals_are_told_apart_and_said_in_words() -> Result<()> {
    for (decision, code) in [
        (Decision::Cancel, "CONSENT_CANCELLED"),
        (Decision::Refuse, "CONSENT_DECLINED"),
        (Decision::Blocked, "CONDITIONAL_ACCESS"),
    ] {
        let app = TestApp::small(1, 1).await?;

        let (consent, page) = app.consent("owner", decision).await?;

        assert_eq!(page.status, 400);
        assert!(page.body.contains("The consent was not granted"), "{}", page.body);
        assert_eq!(state_of(&app, &consent).await?, ("REFUSED".to_owned(), code.to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn a_callback_that_is_delivered_twice_is_taken_once() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_consent().await?;
    let (back, cookie) = up_to_the_callback(&link).await?;
    let person = Person::new("owner");

    let first = person.follow(&back, Some(&cookie)).await?;
    let second = person.follow(&back, Some(&cookie)).await?;

    assert_eq!((first.status, second.status), (200, 409));
    assert_eq!(state_of(&app, &consent).await?.0, "GRANTED");
    let redeemed = app.simulator.calls().iter().filter(|call| call.path.ends_with("/token")).count();
    assert_eq!(redeemed, 1);
    Ok(())
}

#[tokio::test]
async fn only_the_browser_that_went_may_come_back() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_consent().await?;
    let (back, cookie) = up_to_the_callback(&link).await?;
    let person = Person::new("owner");

    let stranger = person.follow(&back, None).await?;
    let forged = person.follow(&back, Some("tenantry-consent=forged")).await?;
    let owner = person.follow(&back, Some(&cookie)).await?;

    assert_eq!((stranger.status, forged.status, owner.status), (403, 403, 200));
    assert_eq!(state_of(&app, &consent).await?.0, "GRANTED");
    Ok(())
}

#[tokio::test]
async fn a_link_is_good_for_ten_minutes() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_consent().await?;
    let (back, cookie) = up_to_the_callback(&link).await?;
    app.clock.advance(TimeDelta::minutes(11));
    let person = Person::new("owner");

    let late = person.follow(&back, Some(&cookie)).await?;
    let Opened::Stayed(again) = person.open(&link).await? else { bail!("an old link led on") };
    app.context.queue.push(&worker::jobs::Sweep {}, When::default()).await?;
    app.run_jobs().await?;

    assert_eq!((late.status, again.status), (410, 410));
    let expected = ("EXPIRED".to_owned(), "SIGN_IN_NEVER_RETURNED".to_owned());
    assert_eq!(state_of(&app, &consent).await?, expected);
    Ok(())
}

#[tokio::test]
async fn an_unknown_or_missing_state_is_a_page_and_nothing_else() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let person = Person::new("owner");
    let at = |path: &str| format!("http://{}{path}", app.address());

    for path in
        ["/consent/callback", "/consent/callback?state=x&code=y", "/consent/start?state=x", "/consent/start"]
    {
        let Opened::Stayed(page) = person.open(&at(path)).await? else { bail!("{path} led on") };
        assert_eq!(page.status, 404, "{path}");
        assert!(page.body.contains("This link is not known"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn an_account_of_another_tenant_is_refused() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.sign_in_elsewhere();

    let (consent, page) = app.consent("owner", Decision::Accept).await?;

    assert_eq!(page.status, 400);
    assert_eq!(state_of(&app, &consent).await?, ("REFUSED".to_owned(), "WRONG_TENANT".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_code_exchange_that_fails_ends_the_consent_and_keeps_nothing() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.set_client_secret("rotated");

    let (consent, page) = app.consent("owner", Decision::Accept).await?;

    assert_eq!(page.status, 400);
    let (state, code) = state_of(&app, &consent).await?;
    assert_eq!(state, "REFUSED");
    assert!(!code.is_empty());
    assert!(!page.body.contains("rotated") && !page.body.contains("simulated-secret"));
    Ok(())
}

#[tokio::test]
async fn a_token_endpoint_that_is_away_for_a_moment_is_asked_again() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.faults().plan(Fault::on("POST", "/*/oauth2/v2.0/token").answer(503, &[], ""));

    let (_, page) = app.consent("owner", Decision::Accept).await?;

    assert_eq!(page.status, 200, "{}", page.body);
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_nobody_knows_is_an_error_that_a_person_can_act_on() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let query = "mutation($tenant: String!) { startConsent(input: { tenant: $tenant }) {
                   consent { id } authorizationUrl userErrors { code message field } } }";

    for (tenant, code) in [
        ("nobody.example", "TENANT_NOT_FOUND"),
        ("not a tenant", "INVALID_TENANT"),
        ("", "INVALID_TENANT"),
        ("common", "INVALID_TENANT"),
    ] {
        let data = app.ask(query, json!({ "tenant": tenant })).await?;
        assert_eq!(data["startConsent"]["userErrors"][0]["code"], code, "{tenant}: {data}");
        assert!(data["startConsent"]["authorizationUrl"].is_null());
    }
    let known = app.ask(query, json!({ "tenant": "contoso.example" })).await?;
    assert!(known["startConsent"]["authorizationUrl"].is_string(), "{known}");
    Ok(())
}

/// What the api says of a consent's window.
async fn window_of(app: &TestApp, consent: &str) -> Result<serde_json::Value> {
    let query = "query($id: ID!) { consent(id: $id) { window { remainingSeconds isOpen closedBecause } } }";
    let mut data = app.ask(query, json!({ "id": consent })).await?;
    Ok(data["consent"]["window"].take())
}

#[tokio::test]
async fn a_window_counts_down_and_says_why_it_closed() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (pending, _) = app.start_consent().await?;
    assert!(window_of(&app, &pending).await?.is_null());
    let (consent, _) = app.consent("owner", Decision::Accept).await?;
    app.clock.advance(TimeDelta::minutes(10));

    let open = window_of(&app, &consent).await?;

    assert_eq!(open, json!({ "remainingSeconds": 3000, "isOpen": true, "closedBecause": null }));
    app.run_jobs().await?;
    let closed = json!({ "remainingSeconds": 0, "isOpen": false, "closedBecause": "WORK_DONE" });
    assert_eq!(window_of(&app, &consent).await?, closed);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_set_back_gives_no_time_back() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let put = "/subscriptions/*/providers/microsoft.authorization/roleassignments/*";
    app.simulator.faults().plan(Fault::on("PUT", put).answer(503, &[("retry-after", "300")], "").times(100));
    let (consent, _) = app.consent("owner", Decision::Accept).await?;
    app.clock.advance(TimeDelta::minutes(20));
    app.run_due().await?;
    // Microsoft's clock goes on by itself and may be a little ahead: it is not 2,400 to the second.
    let left = window_of(&app, &consent).await?;

    app.clock.advance(-TimeDelta::minutes(19));

    let seconds = left["remainingSeconds"].as_i64().context("no window")?;
    assert!(seconds > 0 && seconds <= 2_400, "{left}");
    assert_eq!(window_of(&app, &consent).await?, left);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_revoked_closes_the_window_at_once() -> Result<()> {
    let app = TestApp::small(2, 1).await?;
    app.simulator.set_continuous_access(true);
    let (consent, _) = app.consent("owner", Decision::Accept).await?;
    app.simulator.revoke_sessions("owner");

    app.run_jobs().await?;

    let closed = json!({ "remainingSeconds": 0, "isOpen": false, "closedBecause": "SIGN_IN_DEMANDED" });
    assert_eq!(window_of(&app, &consent).await?, closed);
    let owner = app.simulator.users().into_iter().find(|user| user.key == "owner").map(|user| user.object_id);
    let calls = app.simulator.calls();
    let refused: Vec<_> = calls.iter().filter(|call| call.principal == owner && call.status == 401).collect();
    assert_eq!(refused.len(), 1, "the token was used again after it was refused");
    Ok(())
}

#[tokio::test]
async fn what_does_not_fit_the_window_is_not_tried_and_a_new_consent_goes_on() -> Result<()> {
    let app = TestApp::small(3, 6).await?;
    let put = "/subscriptions/*/providers/microsoft.authorization/roleassignments/*";
    app.simulator
        .faults()
        .plan(Fault::on("PUT", put).after(1).answer(503, &[("retry-after", "900")], "").times(100));
    let (first, _) = app.consent("owner", Decision::Accept).await?;
    app.run_jobs().await?;
    app.simulator.faults().clear();
    let operation = app.operation_of(&first).await?;
    let outcomes = support::app::outcomes(&operation);
    assert_eq!(
        (outcomes.get("GRANTED"), outcomes.get("NEEDS_RECONSENT")),
        (Some(&1), Some(&2)),
        "{operation}"
    );
    assert_eq!(window_of(&app, &first).await?["isOpen"], false);
    app.simulator.clear_calls();

    let resumed = app.onboard().await?;

    assert_eq!(resumed["state"], "SUCCEEDED", "{resumed}");
    let puts = app.simulator.count_calls(|call| call.method == "PUT");
    assert_eq!(puts, 2, "what was granted is assigned again");
    Ok(())
}
