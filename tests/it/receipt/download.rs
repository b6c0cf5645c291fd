//! `/consents/{id}/receipt`: who may, and that the three forms of a receipt are one.

use anyhow::{Context as _, Result};
use api::authentication::DevelopmentTokens;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::app::TestApp;
use support::browser::Browser;
use support::http::client;
use uuid::Uuid;

use super::{add_calls, downloaded, get, onboarded, settled, shown};
use crate::audit::access_token;

fn sha256(text: &str) -> String {
    entity::audit_event::hex(&Sha256::digest(text))
}

/// What a signed statement says.
fn statement(jws: &str) -> Result<Value> {
    let payload = jws.split('.').nth(1).context("no payload")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

async fn exports(app: &TestApp) -> Result<Vec<Value>> {
    let query = "{ auditEvents(last: 500, filter: { actions: [RECEIPT_EXPORTED] }) {
        nodes { actor object after address } } }";
    let data = app.ask(query, json!({})).await?;
    let mut events = data["auditEvents"]["nodes"].as_array().cloned().context("no events")?;
    events.reverse();
    Ok(events)
}

#[tokio::test]
async fn who_may_not_is_refused_as_everywhere() -> Result<()> {
    let app = TestApp::small(2, 2).await?;
    let consent = onboarded(&app).await?;
    let (pending, _) = app.start_consent().await?;
    let wrong = access_token(&app, &["INVENTORY_READ"], None).await?;
    let stranger = app.stranger().await?;
    let own = app.token.expose_secret();
    let path = |id: &str, query: &str| format!("/consents/{id}/receipt{query}");
    let gone = "consent:01930000-0000-7000-8000-000000000000";
    for (token, path, status, code, challenge) in [
        (None, path(&consent, ""), 401, "UNAUTHENTICATED", Some("Bearer")),
        (Some("tnt_short"), path(&consent, ""), 401, "UNAUTHENTICATED", Some("error=\"invalid_token\"")),
        (Some(wrong.as_str()), path(&consent, ""), 403, "FORBIDDEN", Some("scope=\"consents:read\"")),
        (Some(stranger.expose_secret()), path(&consent, ""), 404, "NOT_FOUND", None),
        (Some(own), path(gone, ""), 404, "NOT_FOUND", None),
        (Some(own), path("nonsense", ""), 404, "NOT_FOUND", None),
        (Some(own), path(&pending, ""), 404, "NOT_FOUND", None),
        (Some(own), path(&consent, "?format=xml"), 400, "BAD_REQUEST", None),
    ] {
        let answer = get(&app, token, &path).await?;

        assert_eq!(answer.status(), status, "{path}");
        let told =
            answer.headers().get("www-authenticate").map(|told| told.to_str().unwrap_or("").to_owned());
        assert_eq!(told.is_some(), challenge.is_some(), "{told:?}");
        assert!(told.unwrap_or_default().contains(challenge.unwrap_or_default()));
        let body: Value = answer.json().await?;
        assert_eq!(body["errors"][0]["extensions"]["code"], code);
    }
    let posted = client()?.post(format!("http://{}{}", app.address(), path(&consent, ""))).send().await?;
    assert_eq!((posted.status().as_u16(), &posted.headers()["allow"]), (405, &"GET".parse()?));
    assert_eq!(exports(&app).await?, Vec::<Value>::new());
    Ok(())
}

/// The token of a new member who reaches one subscription.
async fn limited_member(app: &TestApp, subscription: &Value) -> Result<SecretString> {
    let query =
        "mutation($subscription: ID!) { inviteMember(input: { displayName: \"Cole League\", role: VIEWER,
        reach: { extent: LIMITED, subscriptionIds: [$subscription] } }) { link userErrors { code } } }";
    let invited = app.ask(query, json!({ "subscription": subscription })).await?;
    let link = invited["inviteMember"]["link"].as_str().with_context(|| format!("not invited: {invited}"))?;
    let browser = Browser::of(app, "colleague")?;
    browser.sign_in(link).await?;
    let told = browser.ask("{ viewer { member { id } } }").await?;
    let id = told.json["data"]["viewer"]["member"]["id"].as_str().context("nobody signed in")?;
    let member = Uuid::try_parse(id.trim_start_matches("member:"))?;
    let tokens = DevelopmentTokens::new(&app.services.keyring);
    Ok(tokens.issue(member, app.clock.now() + TimeDelta::days(1)))
}

#[tokio::test]
async fn who_is_limited_to_some_subscriptions_is_told_that_there_is_no_receipt() -> Result<()> {
    let app = TestApp::small(2, 2).await?;
    let consent = settled(&app).await?;
    let data = app.ask("{ tenants { nodes { id } } subscriptions { nodes { id } } }", json!({})).await?;
    let limited = limited_member(&app, &data["subscriptions"]["nodes"][0]["id"]).await?;
    let tenants = json!([data["tenants"]["nodes"][0]["id"]]);
    let whole = SecretString::from(access_token(&app, &["CONSENTS_READ"], Some(&tenants)).await?);
    let jws = downloaded(&app, &consent, "jws").await?;
    let asked = "query($id: ID!, $jws: String!) { consent(id: $id) { state receipt { callCount } }
        verifyReceipt(receipt: $jws) { status } }";
    for (token, status, verified) in [(&limited, 404, "NOT_OURS"), (&whole, 200, "VALID")] {
        let answer = get(&app, Some(token.expose_secret()), &format!("/consents/{consent}/receipt")).await?;
        let told = app.ask_as(token, asked, json!({ "id": consent, "jws": jws })).await?;

        assert_eq!(answer.status(), status);
        assert_eq!(told["data"]["consent"]["state"], "CLOSED", "{told}");
        assert_eq!(told["data"]["consent"]["receipt"].is_object(), status == 200, "{told}");
        assert_eq!(told["data"]["verifyReceipt"]["status"], verified);
    }
    Ok(())
}

#[tokio::test]
async fn all_forms_are_of_the_same_calls_however_many_there_are() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let consent = onboarded(&app).await?;
    add_calls(&app, &consent, 1_200).await?;
    app.clock.advance(TimeDelta::minutes(2));

    let json = downloaded(&app, &consent, "json").await?;
    let csv = downloaded(&app, &consent, "csv").await?;
    let jws = downloaded(&app, &consent, "jws").await?;

    let (receipt, calls) = shown(&app, &consent).await?;
    let told: Value = serde_json::from_str(&json)?;
    let stated = statement(&jws)?;
    assert_eq!(told["receipt"], jws);
    assert_eq!(stated["final"], true);
    assert_eq!(stated["sub"], consent);
    assert_eq!(stated["consentingUserId"], receipt["consentingUserId"]);
    assert_eq!(stated["closedBecause"], "WORK_DONE");
    assert_eq!(stated["callCount"], calls.len());
    assert!(calls.len() > 1_200);
    let names = ["clientRequestId", "correlationId", "path", "outcome", "scope", "microsoftRequestId"];
    for (call, shown) in told["calls"].as_array().context("no calls")?.iter().zip(&calls) {
        assert!(names.iter().all(|name| call[*name] == shown[*name]), "{call} {shown}");
    }
    // What is hashed can be cut out of the file by lines.
    let lines: String = json
        .lines()
        .filter(|line| line.starts_with("{\"begunAt\""))
        .fold(String::new(), |lines, line| lines + line.trim_end_matches(',') + "\n");
    assert_eq!(stated["callsSha256"], sha256(&lines));
    assert_eq!(stated["csvSha256"], sha256(&csv));
    assert_eq!(csv.matches("\r\n").count(), calls.len() + 1);
    // Nothing of a final receipt moves any more.
    app.clock.advance(TimeDelta::days(20));
    assert_eq!(downloaded(&app, &consent, "json").await?, json);
    Ok(())
}

#[tokio::test]
async fn each_download_is_in_the_audit_and_says_how_the_file_is_called() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let consent = onboarded(&app).await?;
    let id = consent.trim_start_matches("consent:");
    let query = "query($id: ID!) { consent(id: $id) { receipt {
        json: downloadUrl csv: downloadUrl(format: CSV) jws: downloadUrl(format: JWS) } } }";
    let urls = app.ask(query, json!({ "id": consent })).await?["consent"]["receipt"].take();
    for (format, content_type) in [
        ("json", "application/json"),
        ("csv", "text/csv; charset=utf-8; header=present"),
        ("jws", "application/jose"),
    ] {
        let url = urls[format].as_str().context("no address")?;

        let answer = client()?.get(url).bearer_auth(app.token.expose_secret()).send().await?;

        assert_eq!(answer.status(), 200, "{url}");
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let name = format!("attachment; filename=\"receipt-{id}-not-final.{format}\"");
        assert_eq!(answer.headers()["content-disposition"], name.as_str());
    }
    let told = |format: &str| {
        json!({ "actor": format!("member:{}", app.member.id), "object": consent, "address": "127.0.0.1",
            "after": { "format": format, "final": false } })
    };
    assert_eq!(exports(&app).await?, [told("json"), told("csv"), told("jws")]);
    Ok(())
}

#[tokio::test]
async fn the_key_is_told_to_everybody_and_is_the_one_that_signed() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let consent = onboarded(&app).await?;
    let jws = downloaded(&app, &consent, "jws").await?;

    let answer = get(&app, None, "/.well-known/tenantry-receipt-keys").await?;

    assert_eq!(answer.headers()["content-type"], "application/jwk-set+json");
    let set: Value = answer.json().await?;
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jws.split('.').next().unwrap_or_default())?)?;
    let key = &set["keys"][0];
    assert_eq!(header["kid"], key["kid"]);
    assert_eq!((&key["kty"], &key["crv"], &key["d"]), (&json!("OKP"), &json!("Ed25519"), &Value::Null));
    Ok(())
}
