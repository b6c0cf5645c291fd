//! `verifyReceipt`: what was altered, cut, or signed for somebody else.

use anyhow::{Context as _, Result};
use secrecy::SecretString;
use serde_json::{Value, json};
use support::app::TestApp;

use super::{downloaded, onboarded, settled};

async fn verify_as(app: &TestApp, token: &SecretString, receipt: &str) -> Result<Value> {
    let query = "query($receipt: String!) { verifyReceipt(receipt: $receipt) {
        status message consentId callCount includesCalls callsSha256 csvSha256 } }";
    let mut answer = app.ask_as(token, query, json!({ "receipt": receipt })).await?;
    Ok(answer["data"]["verifyReceipt"].take())
}

async fn status(app: &TestApp, receipt: &str) -> Result<Value> {
    Ok(verify_as(app, &app.token, receipt).await?["status"].take())
}

#[tokio::test]
async fn whatever_was_done_to_a_receipt_is_noticed() -> Result<()> {
    let app = TestApp::small(2, 2).await?;
    let consent = settled(&app).await?;
    let sound = downloaded(&app, &consent, "json").await?;
    let read: Value = serde_json::from_str(&sound)?;
    let altered = |alter: fn(&mut Vec<Value>)| -> Result<String> {
        let mut receipt = read.clone();
        alter(receipt["calls"].as_array_mut().context("no calls")?);
        Ok(receipt.to_string())
    };
    let signature = read["receipt"].as_str().context("no statement")?;
    let another = TestApp::small(1, 1).await?;
    let elsewhere = downloaded(&another, &onboarded(&another).await?, "json").await?;
    for (receipt, told) in [
        (altered(|calls| calls[0]["status"] = json!(204))?, "ALTERED"),
        (altered(|calls| drop(calls.remove(1)))?, "ALTERED"),
        (altered(|calls| calls.swap(0, 1))?, "ALTERED"),
        (altered(|calls| calls.push(calls[0].clone()))?, "ALTERED"),
        (sound[..sound.len() / 2].to_owned(), "INCOMPLETE"),
        (signature[..signature.len() - 5].to_owned(), "INCOMPLETE"),
        ("nonsense".to_owned(), "NOT_RECOGNIZED"),
        // The root key is each installation's own.
        (elsewhere, "NOT_OURS"),
        (sound.clone(), "VALID"),
        (signature.to_owned(), "VALID"),
    ] {
        assert_eq!(status(&app, &receipt).await?, told, "{receipt}");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_signed_is_told_with_its_calls_and_without() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let consent = settled(&app).await?;
    let (json, jws) = (downloaded(&app, &consent, "json").await?, downloaded(&app, &consent, "jws").await?);

    let whole = verify_as(&app, &app.token, &json).await?;
    let alone = verify_as(&app, &app.token, &jws).await?;

    let query = "query($id: ID!) { consent(id: $id) { receipt { callCount } } }";
    let data = app.ask(query, json!({ "id": consent })).await?;
    assert_eq!(whole["callCount"], data["consent"]["receipt"]["callCount"]);
    assert_eq!(whole["consentId"], consent);
    assert_eq!((&whole["includesCalls"], &alone["includesCalls"]), (&json!(true), &json!(false)));
    assert_eq!(whole["callsSha256"], alone["callsSha256"]);
    assert!(alone["message"].as_str().is_some_and(|message| message.contains("compare the SHA-256")));
    Ok(())
}

#[tokio::test]
async fn a_receipt_of_an_open_window_is_not_final() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let consent = onboarded(&app).await?;

    let early = downloaded(&app, &consent, "json").await?;
    app.clock.advance(chrono::TimeDelta::minutes(2));
    let late = downloaded(&app, &consent, "json").await?;

    assert_eq!(status(&app, &early).await?, "NOT_FINAL");
    assert_eq!(status(&app, &late).await?, "VALID");
    Ok(())
}

#[tokio::test]
async fn another_organizations_is_told_as_one_that_was_signed_elsewhere() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let consent = settled(&app).await?;
    let receipt = downloaded(&app, &consent, "json").await?;
    let stranger = app.stranger().await?;

    let told = verify_as(&app, &stranger, &receipt).await?;

    assert_eq!(told["status"], "NOT_OURS");
    assert_eq!((&told["consentId"], &told["callCount"]), (&Value::Null, &Value::Null));
    Ok(())
}
