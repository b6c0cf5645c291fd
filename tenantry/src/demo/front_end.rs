//! The demonstration's front end: asks the api over HTTP, as any other would.

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use reqwest::Client;
use reqwest::header::{COOKIE, ORIGIN};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulator::Person;
use url::Url;

/// The browser of a member who signed in, on Tenantry's own origin.
pub struct FrontEnd {
    client: Client,
    url: Url,
    browser: Person,
}

/// A consent that was asked for.
pub struct AskedConsent {
    pub id: String,
    pub authorization_url: String,
}

/// An operation as the front end shows it while it runs.
#[derive(Deserialize)]
pub struct Operation {
    pub state: String,
    pub failure: Option<Failure>,
    pub progress: Progress,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub subscriptions_total: Option<u64>,
    pub subscriptions_done: u64,
    pub resources_seen: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub outcome: Option<String>,
    pub resources_seen: u64,
    pub failure: Option<Failure>,
    pub subscription: Subscription,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    pub display_name: String,
}

#[derive(Deserialize)]
pub struct Failure {
    pub message: String,
}

impl Operation {
    /// Whether nothing more will happen.
    pub fn has_ended(&self) -> bool {
        !matches!(self.state.as_str(), "QUEUED" | "RUNNING")
    }
}

impl FrontEnd {
    /// The member opens `link`, and signs in where that is asked for.
    pub async fn sign_in(public_url: &Url, link: &Url) -> anyhow::Result<Self> {
        let browser = Person::new("member");
        let page = browser.sign_in(link.as_str()).await?;
        ensure!(page.status == 200, "the sign-in ended with HTTP {}", page.status);
        #[expect(clippy::disallowed_methods, reason = "a front end, not a client of Microsoft")]
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, url: public_url.join("graphql")?, browser })
    }

    /// An access token with every scope: for curl, and for whatever else the person tries.
    pub async fn create_access_token(&self, expires_at: DateTime<Utc>) -> anyhow::Result<SecretString> {
        let query = "mutation($scopes: [AccessScope!]!, $expiresAt: DateTime!) {
                       createAccessToken(input: { name: \"Demo\", scopes: $scopes, expiresAt: $expiresAt }) {
                         secret userErrors { message } } }";
        let scopes: Value =
            self.ask("{ __type(name: \"AccessScope\") { enumValues { name } } }", json!({})).await?;
        let scopes = scopes["__type"]["enumValues"].as_array().into_iter().flatten();
        let scopes: Vec<&Value> = scopes.map(|scope| &scope["name"]).collect();
        let data: Value = self.ask(query, json!({ "scopes": scopes, "expiresAt": expires_at })).await?;
        let created = &data["createAccessToken"];
        let secret = created["secret"].as_str();
        Ok(SecretString::from(secret.with_context(|| format!("no token: {}", created["userErrors"]))?))
    }

    pub async fn start_consent(&self, tenant: &str) -> anyhow::Result<AskedConsent> {
        let data: Value = self
            .ask(
                "mutation($tenant: String!) { startConsent(input: { tenant: $tenant }) {
                   consent { id } authorizationUrl userErrors { code message } } }",
                json!({ "tenant": tenant }),
            )
            .await?;
        let started = &data["startConsent"];
        let (id, url) = (started["consent"]["id"].as_str(), started["authorizationUrl"].as_str());
        let Some((id, url)) = id.zip(url) else { bail!("no consent: {}", started["userErrors"]) };
        Ok(AskedConsent { id: id.to_owned(), authorization_url: url.to_owned() })
    }

    /// The id of the operation that the consent began.
    pub async fn operation_of(&self, consent: &str) -> anyhow::Result<String> {
        let data: Value = self
            .ask("query($id: ID!) { consent(id: $id) { operation { id } } }", json!({ "id": consent }))
            .await?;
        let id = data["consent"]["operation"]["id"].as_str();
        Ok(id.context("the consent began no operation")?.to_owned())
    }

    /// The operation as it is now.
    pub async fn operation(&self, id: &str) -> anyhow::Result<Operation> {
        let query = "query($id: ID!) { operation(id: $id) { state failure { message }
                       progress { subscriptionsTotal subscriptionsDone resourcesSeen } } }";
        let mut data: Value = self.ask(query, json!({ "id": id })).await?;
        Ok(serde_json::from_value(data["operation"].take())?)
    }

    /// All steps of the operation, page by page.
    pub async fn steps(&self, id: &str) -> anyhow::Result<Vec<Step>> {
        let query = "query($id: ID!, $after: String) { operation(id: $id) {
                       steps(first: 500, after: $after) { pageInfo { hasNextPage endCursor }
                         nodes { outcome resourcesSeen failure { message }
                           subscription { displayName } } } } }";
        let mut steps = Vec::new();
        let mut after = Value::Null;
        loop {
            let mut data: Value = self.ask(query, json!({ "id": id, "after": after })).await?;
            let page = &mut data["operation"]["steps"];
            steps.extend(serde_json::from_value::<Vec<Step>>(page["nodes"].take())?);
            if page["pageInfo"]["hasNextPage"] != true {
                return Ok(steps);
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }

    async fn ask<T: DeserializeOwned>(&self, query: &str, variables: Value) -> anyhow::Result<T> {
        let request = self
            .client
            .post(self.url.clone())
            .header(COOKIE, self.browser.cookie(self.url.as_str()).unwrap_or_default())
            .header(ORIGIN, self.url.origin().ascii_serialization())
            .json(&json!({ "query": query, "variables": variables }));
        let response = request.send().await?;
        self.browser.take(self.url.as_str(), response.headers());
        let mut answer: Value = response.json().await?;
        if let Some(errors) = answer.get("errors") {
            bail!("the api refused: {errors}");
        }
        Ok(serde_json::from_value(answer["data"].take())?)
    }
}
