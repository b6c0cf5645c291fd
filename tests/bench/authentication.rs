//! What it costs to know who asks, beside the same question asked by nobody; and how long a revoked token is
//! still taken by another node.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use api::http::HttpSettings;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use support::app::TestApp;
use support::figures::{Figure, percentile};
use support::single_page;
use tokio_util::sync::CancellationToken;

/// Rounds of one question by everybody, after some that fill caches.
const ROUNDS: usize = 3_000;
const WARM_UP: usize = 300;

/// Microseconds that an authenticated request may take longer.
const OVERHEAD: f64 = 100.0;

/// Milliseconds after which nobody takes a revoked token any more.
const REVOCATION: f64 = 1_000.0;
const REVOCATIONS: usize = 20;

/// What everybody may ask in development, and needs no database.
const QUESTION: &str = "{ __schema { queryType { name } } }";

#[tokio::main]
async fn main() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    overhead(&app).await?;
    revocation(&app).await
}

async fn overhead(app: &TestApp) -> Result<()> {
    let browser = app.signed_in("member", "VIEWER").await?;
    let (_, secret) = create_access_token(app).await?;
    let token = single_page::token(app, "member").await?;
    let url = format!("http://{}/graphql", app.address());
    let client = support::http::client()?;
    let nobody = || client.post(&url).json(&json!({ "query": QUESTION }));
    let session = || browser.post(QUESTION).header("origin", format!("http://{}", app.address()));
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..ROUNDS + WARM_UP {
        let requests = [nobody(), app.request(&secret, QUESTION), session(), app.request(&token, QUESTION)];
        for (request, times) in requests.into_iter().zip(&mut times) {
            let time = timed(request).await?;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    let [nobody, others @ ..] = &mut times;
    let alone = percentile(nobody, 50);
    for (who, times) in ["an access token", "a session", "the issuer's token"].iter().zip(others) {
        Figure {
            what: &format!("overhead of {who}, median of {ROUNDS} requests"),
            unit: "us",
            ours: (percentile(times, 50) - alone) * 1_000.0,
            theirs: OVERHEAD,
            whose: "limit",
        }
        .print();
    }
    Figure {
        what: "the same question by nobody, median",
        unit: "us",
        ours: alone * 1_000.0,
        theirs: OVERHEAD,
        whose: "limit of the overhead",
    }
    .print();
    Ok(())
}

async fn timed(request: RequestBuilder) -> Result<Duration> {
    let begun = Instant::now();
    let response = request.send().await?.error_for_status()?;
    response.bytes().await?;
    Ok(begun.elapsed())
}

/// One node revokes; the other, which has just answered, is asked until it refuses.
async fn revocation(app: &TestApp) -> Result<()> {
    let shutdown = CancellationToken::new();
    let node = api::start(HttpSettings::default(), &app.services, shutdown.clone())?;
    let url = format!("http://{}/graphql", node.address());
    let client = support::http::client()?;
    let mut times = Vec::new();
    for _ in 0..REVOCATIONS {
        let (id, secret) = create_access_token(app).await?;
        let ask = || {
            client
                .post(&url)
                .bearer_auth(&secret)
                .json(&json!({ "query": "{ viewer { accessToken { id } } }" }))
        };
        ensure!(ask().send().await?.status() == 200, "the other node refuses a good token");
        let revoke =
            "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
        app.ask(revoke, json!({ "id": id })).await?;
        let revoked = Instant::now();
        while ask().send().await?.status() == 200 {}
        times.push(revoked.elapsed());
    }
    Figure {
        what: &format!("until another node refuses a revoked token, longest of {REVOCATIONS}"),
        unit: "ms",
        ours: percentile(&mut times, 100),
        theirs: REVOCATION,
        whose: "limit",
    }
    .print();
    shutdown.cancel();
    Ok(())
}

async fn create_access_token(app: &TestApp) -> Result<(String, String)> {
    let query = "mutation($expiresAt: DateTime!) { createAccessToken(input: { name: \"bench\",
                   scopes: [INVENTORY_READ], expiresAt: $expiresAt }) { accessToken { id } secret } }";
    let expires_at = app.clock.now() + chrono::TimeDelta::days(1);
    let data = app.ask(query, json!({ "expiresAt": expires_at })).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let created = &data["createAccessToken"];
    text(&created["accessToken"]["id"]).zip(text(&created["secret"])).context("no access token")
}
