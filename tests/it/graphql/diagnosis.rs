//! The query `diagnoseAccessToken`: what it costs, and that it repeats nothing of what was pasted.

use anyhow::Result;
use api::viewer::{Actor, Viewer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::access_token::AccessTokenSecret;
use entity::member::Role;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::stage::Stage;

const DIAGNOSE: &str = "query($token: String!) { diagnoseAccessToken(token: $token) { kind status } }";

async fn diagnose(stage: &Stage, viewer: Viewer, token: &str) -> Result<Value> {
    let mut data = stage.ask(viewer, DIAGNOSE, json!({ "token": token })).await?;
    Ok(data["diagnoseAccessToken"].take())
}

/// The token after something happened to it on its way.
fn changed(token: &str, how: u8, at: usize, bit: u8) -> String {
    let (at, bit) = (at % token.len(), bit % 7);
    match how {
        0 => token[..at].to_owned(),
        1 => token[at + 1..].to_owned(),
        2 => token.to_ascii_uppercase(),
        3 => token.to_ascii_lowercase(),
        4 => format!("{token}{}", &token[at..=at]),
        _ => {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_whole_is_told_without_the_database() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let handle = Handle::current();
    let ran = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::default();
        runner.run(&(0..6_u8, 0..40_usize, 0..7_u8), |(how, at, bit)| {
            let whole = AccessTokenSecret::random();
            let pasted = changed(whole.expose_secret(), how, at, bit);
            stage.statements();
            let told = handle.block_on(diagnose(&stage, viewer, &pasted));
            let told = told.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(
                matches!(told["status"].as_str(), Some("INCOMPLETE" | "NOT_RECOGNIZED")),
                "{}",
                told
            );
            prop_assert!(stage.statements().is_empty());
            Ok(())
        })
    });
    Ok(ran.await??)
}

#[tokio::test]
async fn a_whole_token_costs_one_statement_and_a_jwt_none() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims =
        json!({ "iss": "ea.microsoftazure.com", "EnrollmentNumber": "100", "exp": 4_000_000_000_u64 });
    let signature = URL_SAFE_NO_PAD.encode([0; 256]);
    let key = format!("{}.{}.{signature}", part(json!({ "alg": "RS256" })), part(claims));
    for (token, status, statements) in [
        (AccessTokenSecret::random().expose_secret(), "NOT_RECOGNIZED", 1),
        (key.as_str(), "VALID", 0),
        (&key[..key.len() - 7], "INCOMPLETE", 0),
        ("nonsense", "NOT_RECOGNIZED", 0),
    ] {
        stage.statements();
        assert_eq!(diagnose(&stage, viewer, token).await?["status"], status);
        assert_eq!(stage.statements().len(), statements, "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn no_refusal_repeats_what_was_pasted() -> Result<()> {
    const SECRET: &str = "eyJhbGciOiJIUzI1NiJ9";
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let token = Viewer {
        actor: Actor::AccessToken { id: uuid::Uuid::now_v7(), scopes: [].into_iter().collect() },
        ..viewer
    };
    let editor = Viewer { actor: Actor::Member(Role::Editor), ..viewer };
    let register = "mutation($token: String!) {
        registerEnrollmentKey(input: { enrollmentNumber: \"1\", key: $token }) { userErrors { message } } }";
    for (viewer, query, variables) in [
        (token, DIAGNOSE.to_owned(), json!({ "token": SECRET })),
        (editor, register.to_owned(), json!({ "token": SECRET })),
        (viewer, register.to_owned(), json!({ "token": SECRET })),
        (viewer, DIAGNOSE.to_owned(), json!({ "token": [SECRET] })),
        (viewer, DIAGNOSE.to_owned(), json!({ "token": { "is": SECRET } })),
        (viewer, register.to_owned(), json!({ "token": { "is": SECRET } })),
        // Somebody forgot the quotes.
        (viewer, format!("{{ diagnoseAccessToken(token: {SECRET}) {{ status }} }}"), json!({})),
        (viewer, format!("{{ diagnoseAccessToken(token: [\"{SECRET}\"]) {{ status }} }}"), json!({})),
        (viewer, format!("{{ diagnoseAccessToken(token: {{ is: \"{SECRET}\" }}) {{ status }} }}"), json!({})),
    ] {
        let answer = stage.answer(viewer, &query, variables).await?;
        assert!(!answer.to_string().contains(SECRET), "{query}: {answer}");
    }
    Ok(())
}
