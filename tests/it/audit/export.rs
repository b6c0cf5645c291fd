//! `/audit/export`: who may, and that it is what the connection shows.

use anyhow::{Context as _, Result};
use chrono::{SecondsFormat, TimeDelta};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::app::TestApp;
use support::http::client;

use super::access_token;

const FIELDS: &str =
    "id sequence occurredAt actorKind actor consentingUserId action object before after address
    requestId microsoftCorrelationId previousHash hash";

async fn get(app: &TestApp, token: Option<&str>, query: &str) -> Result<Response> {
    let mut request = client()?.get(format!("http://{}/audit/export{query}", app.address()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    Ok(request.send().await?)
}

async fn lines(app: &TestApp, query: &str) -> Result<Vec<Value>> {
    let text = get(app, Some(app.token.expose_secret()), query).await?.error_for_status()?.text().await?;
    text.lines().map(|line| serde_json::from_str(line).context("a line is no JSON")).collect()
}

/// Every event that the connection shows, the oldest first.
async fn shown(app: &TestApp) -> Result<Vec<Value>> {
    let query = format!(
        "query($after: String) {{ auditEvents(first: 500, after: $after) {{
           nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let (mut events, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = app.ask(&query, json!({ "after": after })).await?;
        let page = &data["auditEvents"];
        events.extend(page["nodes"].as_array().context("no page")?.iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            events.reverse();
            return Ok(events);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn who_may_not_is_refused_as_everywhere() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.onboard().await?;
    let data = app.ask("{ tenants { nodes { id } } }", json!({})).await?;
    let tenants = json!([data["tenants"]["nodes"][0]["id"]]);
    let wrong = access_token(&app, &["INVENTORY_READ"], None).await?;
    let limited = access_token(&app, &["AUDIT_READ"], Some(&tenants)).await?;
    for (token, status, code, challenge) in [
        (None, 401, "UNAUTHENTICATED", Some("Bearer")),
        (Some("tnt_short"), 401, "UNAUTHENTICATED", Some("Bearer error=\"invalid_token\"")),
        (Some(wrong.as_str()), 403, "FORBIDDEN", Some("scope=\"audit:read\"")),
        (Some(limited.as_str()), 403, "FORBIDDEN", None),
    ] {
        let answer = get(&app, token, "").await?;

        assert_eq!(answer.status(), status);
        let told =
            answer.headers().get("www-authenticate").map(|told| told.to_str().unwrap_or("").to_owned());
        match challenge {
            Some(challenge) => {
                assert!(told.as_deref().is_some_and(|told| told.contains(challenge)), "{told:?}");
            }
            None => assert_eq!(told, None),
        }
        let body: Value = answer.json().await?;
        assert_eq!(body["errors"][0]["extensions"]["code"], code);
    }
    let posted = client()?.post(format!("http://{}/audit/export", app.address())).send().await?;
    assert_eq!((posted.status().as_u16(), &posted.headers()["allow"]), (405, &"GET".parse()?));
    let exports = shown(&app).await?.into_iter().filter(|event| event["action"] == "AUDIT_EXPORTED");
    assert_eq!(exports.count(), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_exported_is_what_the_connection_shows() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.onboard().await?;
    let transaction = worker::transaction::begin(&app.database).await?;
    let author = Author::unasked(app.member.organization_id, Actor::Member(app.member.id));
    for _ in 0..1_100 {
        let record = Record::of(Action::SignedIn, ObjectKind::Member, app.member.id);
        worker::audit::append(&transaction, &app.services.keyring, app.clock.now(), &author, record).await?;
    }
    transaction.commit().await?;
    let token = access_token(&app, &["AUDIT_READ"], None).await?;

    let answer = get(&app, Some(&token), "").await?;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await?;
    let exported: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(exported, shown(&app).await?);
    assert!(exported.len() > 1_100);
    let last = exported.last().context("nothing was exported")?;
    assert_eq!((&last["action"], &last["actorKind"]), (&json!("AUDIT_EXPORTED"), &json!("ACCESS_TOKEN")));
    Ok(())
}

#[tokio::test]
async fn a_period_begins_at_its_beginning_and_ends_before_its_end() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let mut times = Vec::new();
    for _ in 0..3 {
        app.start_consent().await?;
        times.push(app.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true));
        app.clock.advance(TimeDelta::hours(1));
    }

    let from = lines(&app, &format!("?from={}", times[1])).await?;
    let between = lines(&app, &format!("?from={}&to={}", times[0], times[2])).await?;
    let refused = get(&app, Some(app.token.expose_secret()), "?from=yesterday").await?;

    let sequences = |lines: &[Value]| lines.iter().map(|line| line["sequence"].as_i64()).collect::<Vec<_>>();
    assert_eq!(sequences(&from), [Some(2), Some(3), Some(4)]);
    assert_eq!(sequences(&between), [Some(1), Some(2)]);
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await?.contains("2026-11-24T09:30:00Z"));
    Ok(())
}
