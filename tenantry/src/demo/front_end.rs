//! The demonstration's front end: asks the api over HTTP, as any other would.

use anyhow::{Context as _, bail};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

/// A front end that is signed in.
pub struct FrontEnd {
    client: Client,
    url: Url,
    token: SecretString,
}

/// A consent that was asked for.
pub struct AskedConsent {
    pub id: String,
    pub authorization_url: String,
}

/// An operation as the front end shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub state: String,
    pub failure: Option<Failure>,
    pub steps: Steps,
}

#[derive(Deserialize)]
pub struct Steps {
    pub nodes: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub state: String,
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
    pub code: String,
    pub message: String,
}

impl Operation {
    /// Whether nothing more will happen.
    pub fn has_ended(&self) -> bool {
        !matches!(self.state.as_str(), "QUEUED" | "RUNNING")
    }
}

impl FrontEnd {
    pub fn new(public_url: &Url, token: &SecretString) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, url: public_url.join("graphql")?, token: token.clone() })
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
        #[derive(Deserialize)]
        struct Data {
            operation: Operation,
        }
        let data: Data = self
            .ask(
                "query($id: ID!) { operation(id: $id) { state failure { code message }
                   steps(first: 500) { nodes { state outcome resourcesSeen failure { code message }
                     subscription { displayName } } } } }",
                json!({ "id": id }),
            )
            .await?;
        Ok(data.operation)
    }

    async fn ask<T: DeserializeOwned>(&self, query: &str, variables: Value) -> anyhow::Result<T> {
        let request = self
            .client
            .post(self.url.clone())
            .bearer_auth(self.token.expose_secret())
            .json(&json!({ "query": query, "variables": variables }));
        let mut answer: Value = request.send().await?.json().await?;
        if let Some(errors) = answer.get("errors") {
            bail!("the api refused: {errors}");
        }
        Ok(serde_json::from_value(answer["data"].take())?)
    }
}
