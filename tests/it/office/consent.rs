//! The consent to Office 365 is the administrator's own, and for the tenant that was asked for.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use simulator::{Decision, Opened, Person};
use support::app::TestApp;

async fn state_of(app: &TestApp, consent: &str) -> Result<(String, String)> {
    let query = "query($id: ID!) { consent(id: $id) { kind state failure { code } } }";
    let data = app.ask(query, json!({ "id": consent })).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(data["consent"]["kind"], "OFFICE_365");
    Ok((text(&data["consent"]["state"]), text(&data["consent"]["failure"]["code"])))
}

async fn tenants(app: &TestApp) -> Result<Value> {
    Ok(app.ask("{ tenants { nodes { state displayName } } }", json!({})).await?["tenants"]["nodes"].take())
}

/// Signs in as far as where the administrator is asked: the address of that page, and the browser's cookie.
async fn up_to_the_administrator(user: &str, link: &str) -> Result<(String, Option<String>)> {
    let person = Person::new(user);
    let Opened::Passed { to: authorize, cookie } = person.open(link).await? else {
        bail!("the link led nowhere")
    };
    let Opened::Passed { to: back, .. } = person.decide(&authorize, Decision::Accept).await? else {
        bail!("Microsoft sent nobody back");
    };
    let Opened::Passed { to, .. } = person.take_back(&back, cookie.as_deref()).await? else {
        bail!("the administrator was not asked");
    };
    Ok((to, cookie))
}

#[tokio::test]
async fn an_administrator_signs_in_consents_and_is_told_what_happens() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_office_consent().await?;

    let page = Person::new("owner").consent_as_administrator(&link, Decision::Accept).await?;

    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("never in your name"), "{}", page.body);
    assert_eq!(state_of(&app, &consent).await?, ("GRANTED".to_owned(), String::new()));
    let asked = app.simulator.calls();
    let sign_in = asked.iter().find(|call| call.path.ends_with("/oauth2/v2.0/authorize")).expect("a sign-in");
    assert!(!sign_in.query.contains("user_impersonation"), "nothing is delegated");
    app.run_jobs().await?;
    assert_eq!(tenants(&app).await?[0]["state"], "CONNECTED");
    Ok(())
}

#[tokio::test]
async fn what_the_administrator_decides_is_told_apart() -> Result<()> {
    for (decision, code) in
        [(Decision::Cancel, "CONSENT_DECLINED"), (Decision::Blocked, "CONDITIONAL_ACCESS")]
    {
        let app = TestApp::small(1, 1).await?;
        let (consent, link) = app.start_office_consent().await?;

        let page = Person::new("owner").consent_as_administrator(&link, decision).await?;

        assert_eq!(page.status, 400, "{}", page.body);
        assert_eq!(state_of(&app, &consent).await?, ("REFUSED".to_owned(), code.to_owned()));
        assert_eq!(tenants(&app).await?, json!([]));
        app.run_jobs().await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_no_administrator_is_told_before_microsoft_is_asked() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_office_consent().await?;

    let page = Person::new("reader").consent_as_administrator(&link, Decision::Accept).await?;

    assert_eq!(page.status, 400);
    assert!(page.body.contains("Global Administrator"), "{}", page.body);
    assert_eq!(state_of(&app, &consent).await?, ("REFUSED".to_owned(), "ADMINISTRATOR_REQUIRED".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_registration_that_does_not_ask_for_roles_says_what_the_operator_has_to_do() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.tell_no_roles();
    let (consent, link) = app.start_office_consent().await?;

    let page = Person::new("owner").consent_as_administrator(&link, Decision::Accept).await?;

    assert!(page.body.contains("groupMembershipClaims"), "{}", page.body);
    assert_eq!(
        state_of(&app, &consent).await?,
        ("REFUSED".to_owned(), "ADMINISTRATOR_NOT_PROVEN".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_made_up_return_opens_nobody_elses_tenant() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.connect_office().await?;
    let stranger = app.stranger().await?;
    let query = "mutation($input: StartConsentInput!) { startConsent(input: $input) { authorizationUrl } }";
    let input = json!({ "tenant": app.simulator.tenant_id(), "kind": "OFFICE_365" });
    let data = app.ask_as(&stranger, query, json!({ "input": input })).await?;
    let link = data["data"]["startConsent"]["authorizationUrl"].as_str().expect("a link").to_owned();
    let person = Person::new("reader");
    let Opened::Passed { to: authorize, cookie } = person.open(&link).await? else {
        bail!("the link led nowhere")
    };
    let state = url::Url::parse(&authorize)?;
    let state = state.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    let mut made_up = app.services.public_url.join("/consent/callback")?;
    made_up
        .query_pairs_mut()
        .append_pair("admin_consent", "True")
        .append_pair("tenant", &app.simulator.tenant_id().to_string())
        .append_pair("state", &state);

    let page = person.follow(made_up.as_str(), cookie.as_deref()).await?;

    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.body.contains("CONSENT_INCOMPLETE"), "{}", page.body);
    let data = app.ask_as(&stranger, "{ tenants { nodes { id } } }", json!({})).await?;
    assert_eq!(data["data"]["tenants"]["nodes"], json!([]));
    Ok(())
}

#[tokio::test]
async fn the_tenant_of_the_return_is_not_believed() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_office_consent().await?;
    let (page, cookie) = up_to_the_administrator("owner", &link).await?;
    let state = url::Url::parse(&page)?;
    let state = state.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    let mut elsewhere = app.services.public_url.join("/consent/callback")?;
    elsewhere
        .query_pairs_mut()
        .append_pair("admin_consent", "True")
        .append_pair("tenant", "11111111-1111-4111-8111-111111111111")
        .append_pair("state", &state);

    let page = Person::new("owner").follow(elsewhere.as_str(), cookie.as_deref()).await?;

    assert_eq!(page.status, 400);
    assert_eq!(state_of(&app, &consent).await?, ("REFUSED".to_owned(), "WRONG_TENANT".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_consent_that_comes_back_twice_or_in_another_browser_is_refused() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (consent, link) = app.start_office_consent().await?;
    let (page, cookie) = up_to_the_administrator("owner", &link).await?;
    let Opened::Passed { to: back, .. } = Person::new("owner").decide(&page, Decision::Accept).await? else {
        bail!("Microsoft sent nobody back");
    };
    let person = Person::new("owner");

    let elsewhere = person.follow(&back, None).await?;
    let first = person.follow(&back, cookie.as_deref()).await?;
    let second = person.follow(&back, cookie.as_deref()).await?;

    assert_eq!((elsewhere.status, first.status, second.status), (403, 200, 409));
    assert_eq!(state_of(&app, &consent).await?.0, "GRANTED");
    app.run_jobs().await
}

#[tokio::test]
async fn who_was_never_granted_anything_is_told_so_after_a_while() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.withhold_permissions(&["Group.Read.All", "Reports.Read.All", "User.Read.All"]);
    let begun = app.clock.now();

    let operation = app.connect_office().await?;

    assert_eq!(
        (&operation["state"], &operation["failure"]["code"]),
        (&json!("FAILED"), &json!("PERMISSION_MISSING"))
    );
    let waited = (app.clock.now() - begun).num_seconds();
    assert!((135..200).contains(&waited), "{waited}");
    assert_eq!(tenants(&app).await?[0]["state"], "DEGRADED");
    Ok(())
}

#[tokio::test]
async fn a_directory_that_replicates_slowly_is_waited_for() -> Result<()> {
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources) = (1, 1);
        config.replication = std::time::Duration::from_secs(50);
    })
    .await?;

    let operation = app.connect_office().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    Ok(())
}

#[tokio::test]
async fn a_consent_without_a_window_holds_none_open() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let query = "mutation($input: StartConsentInput!) { startConsent(input: $input) { consent { id }
        userErrors { code field } } }";
    let input = json!({ "tenant": app.simulator.tenant_id(), "kind": "OFFICE_365", "holdWindow": true });

    let data = app.ask(query, json!({ "input": input })).await?;

    let refused =
        json!({ "consent": null, "userErrors": [{ "code": "INVALID_SELECTION", "field": ["holdWindow"] }] });
    assert_eq!(data["startConsent"], refused);
    Ok(())
}
