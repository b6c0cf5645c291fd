//! Why a token is refused, told of any token that somebody pastes: every answer for every kind, against Microsoft.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::{Owned, consent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use simulator::{Decision, Fault, ReportView};
use support::app::TestApp;

const ARM: &str = "https://management.azure.com";
const GRAPH: &str = "https://graph.microsoft.com";

const DIAGNOSE: &str = "query($token: String!, $scopes: [AccessScope!], $check: Boolean!) {
    diagnoseAccessToken(token: $token, scopes: $scopes, checkWithIssuer: $check) {
      kind status message fixableBy expiresAt missing verified checkedWithIssuer } }";

async fn diagnose(app: &TestApp, token: &str, check: bool) -> Result<Value> {
    let mut data = app.ask(DIAGNOSE, json!({ "token": token, "check": check })).await?;
    Ok(data["diagnoseAccessToken"].take())
}

/// Kind, status, and whether Microsoft said so.
fn told(diagnosis: &Value) -> (&str, &str, bool) {
    let text = |name: &str| diagnosis[name].as_str().unwrap_or_default();
    (text("kind"), text("status"), diagnosis["checkedWithIssuer"] == true)
}

fn says(diagnosis: &Value, part: &str) -> bool {
    diagnosis["message"].as_str().is_some_and(|message| message.contains(part))
}

/// An access token of the organization: its id, and what to present.
async fn access_token(app: &TestApp, lifetime: TimeDelta) -> Result<(String, String)> {
    let query = "mutation($at: DateTime!) { createAccessToken(input: { name: \"partner\", expiresAt: $at,
                   scopes: [INVENTORY_READ] }) { accessToken { id } secret } }";
    let data = app.ask(query, json!({ "at": (app.clock.now() + lifetime).to_rfc3339() })).await?;
    let created = &data["createAccessToken"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&created["accessToken"]["id"]).zip(text(&created["secret"])).context("no access token")
}

/// The delegated token of a consent that the owner gave.
async fn delegated_token(app: &TestApp) -> Result<SecretString> {
    app.consent("owner", Decision::Accept).await?;
    let found = consent::Entity::owned_by(app.member.organization_id).one(&app.database).await?;
    let consent = found.context("no consent")?;
    let sealed = consent.sealed_token.as_ref().context("no token")?;
    Ok(app.services.keyring.open_text(sealed, &consent.row())?)
}

/// The token with another letter in its signature.
fn forge(token: &str) -> Result<String> {
    let at = token.rfind('.').context("no JWT")? + 10;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    Ok(format!("{}{other}{}", &token[..at], &token[at + 1..]))
}

#[tokio::test]
async fn what_nobody_issued_is_not_recognized() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    for nonsense in ["", "  ", "hunter2", "Bearer", "TNT_abc", app.token.expose_secret(), "ä\0\u{1f4a9}"] {
        let told_of = diagnose(&app, nonsense, true).await?;
        assert_eq!(told(&told_of), ("UNKNOWN", "NOT_RECOGNIZED", false), "{told_of}");
        assert_eq!((&told_of["verified"], &told_of["fixableBy"]), (&json!(false), &json!("MEMBER")));
    }
    Ok(())
}

#[tokio::test]
async fn tenantrys_own_token_is_told_in_each_of_its_states() -> Result<()> {
    const KIND: &str = "TENANTRY_ACCESS_TOKEN";
    let app = TestApp::small(1, 1).await?;
    let (id, token) = access_token(&app, TimeDelta::days(30)).await?;
    let stranger = app.stranger().await?;

    let valid = diagnose(&app, &format!("Authorization: Bearer {token}\n"), false).await?;
    let asked_for =
        json!({ "token": token, "check": true, "scopes": ["TAGS_WRITE", "INVENTORY_READ", "AUDIT_READ"] });
    let lacking = app.ask(DIAGNOSE, asked_for).await?["diagnoseAccessToken"].take();
    let cut = diagnose(&app, &token[..token.len() - 1], false).await?;
    let theirs = app.ask_as(&stranger, DIAGNOSE, json!({ "token": token, "check": false })).await?;
    app.clock.advance(TimeDelta::days(20));
    let soon = diagnose(&app, &token, false).await?;
    app.clock.advance(TimeDelta::days(10));
    let member = api::authentication::DevelopmentTokens::new(&app.services.keyring)
        .issue(app.member.id, app.clock.now() + TimeDelta::hours(1));
    let ask = async |token: &str| {
        let mut data = app.ask_as(&member, DIAGNOSE, json!({ "token": token, "check": false })).await?;
        anyhow::Ok(data["data"]["diagnoseAccessToken"].take())
    };
    let expired = ask(&token).await?;
    let revoke =
        "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
    app.ask_as(&member, revoke, json!({ "id": id })).await?;
    let revoked = ask(&token).await?;

    assert_eq!(told(&valid), (KIND, "VALID", false), "{valid}");
    assert_eq!((&valid["verified"], &valid["fixableBy"]), (&json!(true), &Value::Null));
    assert_eq!(told(&lacking), (KIND, "INSUFFICIENT_SCOPE", false), "{lacking}");
    assert_eq!(lacking["missing"], json!(["tags:write", "audit:read"]));
    assert!(says(&lacking, "tags:write, audit:read. An ADMIN"), "{lacking}");
    assert_eq!(told(&cut), (KIND, "INCOMPLETE", false), "{cut}");
    assert!(says(&cut, "Copy it again, in full"), "{cut}");
    assert_eq!(told(&theirs["data"]["diagnoseAccessToken"]), (KIND, "NOT_RECOGNIZED", false), "{theirs}");
    assert!(told(&soon).1 == "VALID" && says(&soon, "Rotate it before then"), "{soon}");
    assert!(told(&expired) == (KIND, "EXPIRED", false) && says(&expired, "Generate a new one"), "{expired}");
    assert_eq!(expired["expiresAt"], valid["expiresAt"]);
    assert!(told(&revoked) == (KIND, "REVOKED", false) && says(&revoked, "Generate a new one"), "{revoked}");
    Ok(())
}

#[tokio::test]
async fn a_delegated_token_is_verified_by_its_signature_and_checked_with_microsoft() -> Result<()> {
    const KIND: &str = "MICROSOFT_ACCESS_TOKEN";
    let app = TestApp::small(1, 1).await?;
    app.simulator.set_continuous_access(true);
    let token = delegated_token(&app).await?;
    let token = token.expose_secret();
    let altered = forge(token)?;

    let verified = diagnose(&app, token, false).await?;
    let accepted = diagnose(&app, token, true).await?;
    let cut = diagnose(&app, &token[..token.len() - 2], true).await?;
    let forged = diagnose(&app, &altered, true).await?;
    app.simulator.revoke_sessions("owner");
    let revoked = diagnose(&app, token, true).await?;
    let unasked = diagnose(&app, token, false).await?;
    app.clock.advance(TimeDelta::hours(2));
    let expired = diagnose(&app, token, true).await?;

    assert_eq!(
        (told(&verified), &verified["verified"]),
        ((KIND, "VALID", false), &json!(true)),
        "{verified}"
    );
    assert!(says(&verified, "unless it was revoked"), "{verified}");
    assert_eq!(told(&accepted), (KIND, "VALID", true), "{accepted}");
    assert_eq!(told(&cut), (KIND, "INCOMPLETE", false), "{cut}");
    assert_eq!(
        (told(&forged), &forged["verified"]),
        ((KIND, "NOT_RECOGNIZED", false), &json!(false)),
        "{forged}"
    );
    assert!(told(&revoked) == (KIND, "REVOKED", true) && says(&revoked, "Generate a new one"), "{revoked}");
    assert_eq!(told(&unasked), (KIND, "VALID", false), "nobody asked Microsoft: {unasked}");
    assert_eq!(told(&expired), (KIND, "EXPIRED", false), "{expired}");
    assert_eq!(expired["expiresAt"], verified["expiresAt"]);
    Ok(())
}

#[tokio::test]
async fn a_microsoft_token_that_does_not_suffice_says_what_is_missing_and_who_grants_it() -> Result<()> {
    const KIND: &str = "MICROSOFT_ACCESS_TOKEN";
    let app = TestApp::small(1, 1).await?;
    let narrow = app.simulator.access_token("owner", ARM, "something_else");
    // The subscription is all that the guest has a role on.
    let roleless = app.simulator.access_token("guest", ARM, "openid user_impersonation");
    for subscription in app.simulator.subscriptions() {
        app.simulator.remove_subscription(subscription.id);
    }
    let graph = app.simulator.access_token("owner", GRAPH, "User.Read");

    let narrow = diagnose(&app, &narrow, true).await?;
    let roleless = diagnose(&app, &roleless, true).await?;
    let denied = diagnose(&app, &graph, true).await?;

    assert_eq!(told(&narrow), (KIND, "INSUFFICIENT_SCOPE", false), "{narrow}");
    assert_eq!(
        (&narrow["missing"], &narrow["fixableBy"]),
        (&json!(["user_impersonation"]), &json!("MEMBER"))
    );
    assert_eq!(told(&roleless), (KIND, "INSUFFICIENT_ROLE", true), "{roleless}");
    assert_eq!(roleless["fixableBy"], "SUBSCRIPTION_OWNER");
    assert_eq!(told(&denied), (KIND, "INSUFFICIENT_ROLE", true), "{denied}");
    assert_eq!(
        (&denied["missing"], &denied["fixableBy"]),
        (&json!(["User.Read.All"]), &json!("GLOBAL_ADMINISTRATOR"))
    );
    Ok(())
}

#[tokio::test]
async fn of_a_graph_token_nothing_is_claimed_that_only_graph_can_know() -> Result<()> {
    const KIND: &str = "MICROSOFT_ACCESS_TOKEN";
    let app = TestApp::small(1, 1).await?;
    let (id, secret) = app.simulator.automation();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &id.to_string()),
        ("client_secret", &secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", app.simulator.base_url(), app.simulator.tenant_id());
    let issued: Value = support::http::client()?.post(url).form(&form).send().await?.json().await?;
    let token = issued["access_token"].as_str().context("no token")?;
    let altered = forge(token)?;

    let unasked = diagnose(&app, token, false).await?;
    let accepted = diagnose(&app, token, true).await?;
    let forged = diagnose(&app, &altered, true).await?;

    assert_eq!((told(&unasked), &unasked["verified"]), ((KIND, "VALID", false), &json!(false)), "{unasked}");
    assert!(says(&unasked, "By its own account"), "{unasked}");
    assert_eq!((told(&accepted), &accepted["verified"]), ((KIND, "VALID", true), &json!(true)), "{accepted}");
    assert_eq!((told(&forged), &forged["verified"]), ((KIND, "REVOKED", true), &json!(false)), "{forged}");
    Ok(())
}

#[tokio::test]
async fn a_token_for_somebody_else_is_verified_and_not_sent_anywhere() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let token = app.simulator.access_token("owner", "https://vault.azure.net", "user_impersonation");
    app.simulator.clear_calls();

    let told_of = diagnose(&app, &token, true).await?;

    assert_eq!(told(&told_of), ("MICROSOFT_ACCESS_TOKEN", "VALID", false), "{told_of}");
    assert_eq!(told_of["verified"], true);
    assert!(says(&told_of, "Microsoft was not asked"), "{told_of}");
    let calls = app.simulator.calls();
    assert!(
        calls.iter().all(|call| call.path.contains("openid-configuration") || call.path.ends_with("/keys"))
    );
    Ok(())
}

#[tokio::test]
async fn an_enrollment_key_is_told_in_each_of_its_states() -> Result<()> {
    const KIND: &str = "ENROLLMENT_KEY";
    let app = TestApp::small(1, 1).await?;
    let key = app.simulator.make_enrollment_key("100", TimeDelta::days(40), ReportView::Department)?;

    let unasked = diagnose(&app, &key, false).await?;
    let accepted = diagnose(&app, &key, true).await?;
    let cut = diagnose(&app, &key[..key.len() - 40], true).await?;
    app.simulator.hide_charges_from(&key);
    let without_role = diagnose(&app, &key, true).await?;
    app.simulator.revoke_enrollment_key(&key);
    let revoked = diagnose(&app, &key, true).await?;
    let still_unasked = diagnose(&app, &key, false).await?;

    assert_eq!((told(&unasked), &unasked["verified"]), ((KIND, "VALID", false), &json!(false)), "{unasked}");
    assert!(says(&unasked, "Only Microsoft knows"), "{unasked}");
    assert_eq!((told(&accepted), &accepted["verified"]), ((KIND, "VALID", true), &json!(true)), "{accepted}");
    assert_eq!(told(&cut), (KIND, "INCOMPLETE", false), "{cut}");
    assert_eq!(told(&without_role), (KIND, "INSUFFICIENT_ROLE", true), "{without_role}");
    assert!(says(&without_role, "enterprise administrator"), "{without_role}");
    assert_eq!(told(&revoked), (KIND, "REVOKED", true), "{revoked}");
    assert!(says(&revoked, "Generate a new one"), "{revoked}");
    assert_eq!(told(&still_unasked), (KIND, "VALID", false), "{still_unasked}");
    // The member's own token outlives neither clock: the key has thirty days and a little left.
    app.clock.advance(TimeDelta::days(29));
    let soon = app.simulator.make_enrollment_key("100", TimeDelta::days(5), ReportView::System)?;
    let soon = diagnose(&app, &soon, true).await?;
    assert!(told(&soon) == (KIND, "VALID", true) && says(&soon, "expires at"), "{soon}");
    let expired = app.simulator.make_enrollment_key("100", TimeDelta::seconds(-1), ReportView::System)?;
    let expired = diagnose(&app, &expired, true).await?;
    assert!(told(&expired) == (KIND, "EXPIRED", false) && says(&expired, "Generate a new one"), "{expired}");
    Ok(())
}

#[tokio::test]
async fn when_microsoft_does_not_answer_nothing_is_called_revoked() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let key = app.simulator.make_enrollment_key("100", TimeDelta::days(90), ReportView::System)?;
    let token = app.simulator.access_token("owner", ARM, "user_impersonation");
    for (path, token) in [("/v3/enrollments/**", &key), ("/subscriptions", &token)] {
        app.simulator.faults().plan(Fault::on("GET", path).times(100).answer(
            503,
            &[("retry-after", "60")],
            "",
        ));

        let told_of = diagnose(&app, token, true).await?;

        assert_eq!((told(&told_of).1, told(&told_of).2), ("VALID", false), "{told_of}");
        assert!(says(&told_of, "Microsoft did not say") && says(&told_of, "try again later"), "{told_of}");
    }
    // Without Entra ID's keys a signature is not verified, and that is said too.
    let fresh = TestApp::small(1, 1).await?;
    let token = fresh.simulator.access_token("owner", ARM, "user_impersonation");
    let away = Fault::on("GET", "/organizations/**").times(100).answer(503, &[("retry-after", "60")], "");
    fresh.simulator.faults().plan(away);
    let told_of = diagnose(&fresh, &token, false).await?;
    assert_eq!((told(&told_of).1, &told_of["verified"]), ("VALID", &json!(false)), "{told_of}");
    assert!(says(&told_of, "By its own account"), "{told_of}");
    Ok(())
}

#[tokio::test]
async fn a_document_that_cannot_be_parsed_is_not_repeated() -> Result<()> {
    const SECRET: &str = "eyJhbGciOiJIUzI1NiJ9";
    let app = TestApp::small(1, 1).await?;
    let whole = format!("{SECRET}.{SECRET}.{SECRET}");
    for query in [
        format!("{{ diagnoseAccessToken(token: {SECRET}) {{ status }} }}"),
        format!("{{ diagnoseAccessToken(token: {whole}) {{ status }} }}"),
        format!("{{\n\n\n diagnoseAccessToken(token: \"{whole}) {{ status }} }}"),
        format!("{{ diagnoseAccessToken(token: \"{whole}\") {{ status }} "),
        whole.clone(),
    ] {
        let refused = app.ask_as(&app.token, &query, json!({})).await?;
        assert!(!refused.to_string().contains(SECRET), "{query}: {refused}");
        assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_DOCUMENT", "{refused}");
    }
    let url = format!("http://{}/graphql", app.address());
    let request = support::http::client()?.post(url).bearer_auth(app.token.expose_secret());
    let body =
        format!("{{ \"query\": \"query($t: String!) {{ x }}\", \"variables\": {{ \"t\": {SECRET} }} }}");
    let malformed = request.header("content-type", "application/json").body(body).send().await?;
    let (status, text) = (malformed.status().as_u16(), malformed.text().await?);
    assert!(status == 400 && !text.contains(SECRET), "{status}: {text}");
    Ok(())
}
