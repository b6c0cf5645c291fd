//! The receipt of a consent: what is in it is what was sent, and nobody can alter it unnoticed.

mod download;
mod verify;

use anyhow::{Context as _, Result, ensure};
use chrono::TimeDelta;
use entity::delegated_call::{self, Outcome};
use reqwest::Response;
use sea_orm::{EntityTrait, Set};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{Decision, Fault};
use support::app::TestApp;
use support::http::client;
use uuid::Uuid;

const PUT_ROLE: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*";
const PERMISSIONS: &str = "/subscriptions/*/providers/Microsoft.Authorization/permissions";

const RECEIPT: &str = "query($id: ID!, $after: String) { consent(id: $id) { receipt { final callCount consentingUserId
    calls(first: 500, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes {
      begunAt clientRequestId correlationId endedAt method microsoftCode microsoftRequestId outcome path scope status
      azureSubscriptionId } } } } }";

/// The consent of the owner, after everything that it began.
async fn onboarded(app: &TestApp) -> Result<String> {
    let (consent, page) = app.consent("owner", Decision::Accept).await?;
    ensure!(page.status == 200, "the consent ended with {}", page.status);
    app.run_jobs().await?;
    Ok(consent)
}

/// The same, long enough ago for the receipt to be final.
async fn settled(app: &TestApp) -> Result<String> {
    let consent = onboarded(app).await?;
    app.clock.advance(TimeDelta::minutes(2));
    Ok(consent)
}

/// What the api shows of the receipt, without its calls; and all of these.
async fn shown(app: &TestApp, consent: &str) -> Result<(Value, Vec<Value>)> {
    let (mut calls, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut data = app.ask(RECEIPT, json!({ "id": consent, "after": after })).await?;
        let mut receipt = data["consent"]["receipt"].take();
        let page = receipt["calls"].take();
        calls.extend(page["nodes"].as_array().context("no calls")?.iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return Ok((receipt, calls));
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn get(app: &TestApp, token: Option<&str>, path: &str) -> Result<Response> {
    let mut request = client()?.get(format!("http://{}{path}", app.address()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    Ok(request.send().await?)
}

/// The receipt in this format, as the member downloads it.
async fn downloaded(app: &TestApp, consent: &str, format: &str) -> Result<String> {
    let path = format!("/consents/{consent}/receipt?format={format}");
    let answer = get(app, Some(app.token.expose_secret()), &path).await?;
    Ok(answer.error_for_status()?.text().await?)
}

/// Writes down `count` more calls of the consent.
async fn add_calls(app: &TestApp, consent: &str, count: usize) -> Result<()> {
    let id = Uuid::try_parse(consent.trim_start_matches("consent:"))?;
    let calls = (0..count).map(|index| delegated_call::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(app.member.organization_id),
        consent_id: Set(id),
        method: Set("GET".to_owned()),
        path: Set(format!("/subscriptions/{index}/resources?$filter=name eq '\"{index}\"'")),
        begun_at: Set(app.clock.now()),
        ended_at: Set(None),
        outcome: Set(Outcome::Unknown),
        status: Set(None),
        microsoft_code: Set(None),
        microsoft_request_id: Set(None),
        correlation_id: Set(Uuid::new_v4()),
    });
    for chunk in calls.collect::<Vec<_>>().chunks(500) {
        delegated_call::Entity::insert_many(chunk.to_vec()).exec_without_returning(&app.database).await?;
    }
    Ok(())
}

/// What matters of a call: which one it belongs to, what was sent, and the status of the answer.
type Sent = (String, String, String, u64);

/// What the simulated cloud got in this user's name, each call's requests in their order.
fn received(app: &TestApp, user: &str) -> Vec<Sent> {
    let calls = app.simulator.calls().into_iter().filter(|call| {
        call.principal.is_some_and(|id| id.to_string() == user) && call.correlation_id.is_some()
    });
    let mut received: Vec<Sent> = calls
        .map(|call| {
            let id = call.correlation_id.map(|id| id.to_string()).unwrap_or_default();
            let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
            (id, call.method, format!("{}{query}", call.path), u64::from(call.status))
        })
        .collect();
    received.sort_by(|one, other| one.0.cmp(&other.0));
    received
}

fn sent(calls: &[Value]) -> Vec<Sent> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut sent: Vec<Sent> = calls
        .iter()
        .map(|call| {
            let status = call["status"].as_u64().unwrap_or_default();
            (text(&call["correlationId"]), text(&call["method"]), text(&call["path"]), status)
        })
        .collect();
    sent.sort_by(|one, other| one.0.cmp(&other.0));
    sent
}

#[tokio::test]
async fn what_is_in_the_receipt_is_what_was_sent_whatever_was_answered() -> Result<()> {
    let app = TestApp::small(4, 40).await?;
    let faults = app.simulator.faults();
    let denied =
        r#"{"error":{"code":"AuthorizationFailed","message":"The client does not have authorization."}}"#;
    faults.plan(Fault::on("PUT", PUT_ROLE).answer(
        429,
        &[("retry-after", "1")],
        r#"{"code":"TooManyRequests"}"#,
    ));
    faults.plan(Fault::on("PUT", PUT_ROLE).after(1).answer(403, &[], denied));
    faults.plan(Fault::on("GET", PERMISSIONS).answer(503, &[], ""));
    faults.plan(Fault::on("GET", PERMISSIONS).after(1).reset());

    let consent = onboarded(&app).await?;

    let (receipt, calls) = shown(&app, &consent).await?;
    let user = receipt["consentingUserId"].as_str().context("nobody consented")?;
    assert_eq!(sent(&calls), received(&app, user));
    assert_eq!(receipt["callCount"], calls.len());
    for (status, outcome, code) in [
        (json!(429), "THROTTLED", json!("TooManyRequests")),
        (json!(403), "REFUSED", json!("AuthorizationFailed")),
        (json!(503), "NOT_ANSWERED", Value::Null),
        (Value::Null, "NOT_ANSWERED", Value::Null),
        (json!(201), "SUCCEEDED", Value::Null),
    ] {
        let call = calls.iter().find(|call| call["status"] == status && call["outcome"] == outcome);
        let call = call.with_context(|| format!("no call ended with {status}: {calls:?}"))?;
        assert_eq!(call["microsoftCode"], code, "{call}");
        assert!(call["endedAt"].is_string(), "{call}");
    }
    let begun: Vec<_> = calls.iter().map(|call| call["begunAt"].as_str()).collect();
    assert!(begun.is_sorted(), "{begun:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_says_at_which_scope_it_acted() -> Result<()> {
    let app = TestApp::small(1, 1).await?;

    let consent = onboarded(&app).await?;

    let (_, calls) = shown(&app, &consent).await?;
    let subscription = app.simulator.subscriptions()[0].id.to_string();
    let put = calls.iter().find(|call| call["method"] == "PUT").context("no role was assigned")?;
    assert_eq!(put["scope"], format!("/subscriptions/{subscription}"));
    assert_eq!(put["azureSubscriptionId"], subscription);
    let list = calls.iter().find(|call| call["scope"] == "/").context("no subscriptions were listed")?;
    assert_eq!(list["azureSubscriptionId"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_receipt_is_final_two_minutes_after_the_window_has_closed() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (pending, _) = app.start_consent().await?;
    let (consent, _) = app.consent("owner", Decision::Accept).await?;
    let is_final = async |id: &str| -> Result<Value> {
        let query = "query($id: ID!) { consent(id: $id) { receipt { final } } }";
        Ok(app.ask(query, json!({ "id": id })).await?["consent"]["receipt"].take())
    };

    let granted = is_final(&consent).await?;
    app.run_jobs().await?;
    let closed = is_final(&consent).await?;
    app.clock.advance(TimeDelta::minutes(2));
    let settled = is_final(&consent).await?;

    assert_eq!(is_final(&pending).await?, Value::Null);
    assert_eq!(granted, json!({ "final": false }));
    assert_eq!(closed, json!({ "final": false }));
    assert_eq!(settled, json!({ "final": true }));
    Ok(())
}
