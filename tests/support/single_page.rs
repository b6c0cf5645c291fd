//! A single-page application on another origin, whose user signs in at the issuer.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::{Decision, Opened, Person};
use url::Url;

use crate::app::TestApp;
use crate::http::client;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const FRONT_END: &str = "http://127.0.0.1:9/spa";

/// What the issuer gives a single-page application in which `user` signed in.
pub async fn tokens(app: &TestApp, user: &str, scope: &str) -> Result<Value> {
    let base = app.simulator.base_url();
    let client_id = app.simulator.client_id().to_string();
    let mut link = Url::parse(&format!("{base}/organizations/oauth2/v2.0/authorize"))?;
    link.query_pairs_mut().extend_pairs([
        ("client_id", client_id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", FRONT_END),
        ("scope", scope),
        ("nonce", "a nonce"),
        ("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))),
        ("code_challenge_method", "S256"),
    ]);
    let Opened::Passed { to, .. } = Person::new(user).decide(link.as_str(), Decision::Accept).await? else {
        bail!("the issuer sent nobody back");
    };
    let to = Url::parse(&to)?;
    let code = to.query_pairs().find(|(name, _)| name == "code").context("no code")?.1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &client_id),
        ("code", &code),
        ("redirect_uri", FRONT_END),
        ("code_verifier", VERIFIER),
        ("scope", scope),
    ];
    let request = client()?.post(format!("{base}/organizations/oauth2/v2.0/token"));
    Ok(request.header("origin", "http://127.0.0.1:9").form(&form).send().await?.json().await?)
}

/// The access token of a single-page application for Tenantry's api.
pub async fn token(app: &TestApp, user: &str) -> Result<String> {
    let scope = format!("openid api://{}/access", app.simulator.client_id());
    let tokens = tokens(app, user, &scope).await?;
    let token = tokens["access_token"].as_str();
    token.map(str::to_owned).with_context(|| format!("no token: {tokens}"))
}
