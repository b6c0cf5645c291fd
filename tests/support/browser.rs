//! A person's browser on Tenantry's own pages: it keeps cookies, and says where a request comes from.

use anyhow::{Context as _, Result};
use reqwest::RequestBuilder;
use reqwest::header::{COOKIE, ORIGIN};
use serde_json::{Value, json};
use simulator::{Answer, Person};

use crate::app::TestApp;
use crate::http::client;

/// A person's browser.
pub struct Browser {
    /// The person.
    pub person: Person,
    client: reqwest::Client,
    own: String,
}

/// What a request was answered.
#[derive(Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The challenge, if there is one.
    pub challenge: String,
    /// The body.
    pub json: Value,
}

impl Answered {
    /// Reads an answer.
    pub async fn of(response: reqwest::Response) -> Result<Self> {
        let status = response.status().as_u16();
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Self { status, challenge, json: response.json().await.context("the answer is no JSON")? })
    }

    /// Why the first error was made: its code, and its reason.
    pub fn why(&self) -> (&str, &str) {
        let extensions = &self.json["errors"][0]["extensions"];
        let text = |name: &str| extensions[name].as_str().unwrap_or_default();
        (text("code"), text("reason"))
    }
}

impl Browser {
    /// The browser of the simulated user `user`.
    pub fn of(app: &TestApp, user: &str) -> Result<Self> {
        let own = format!("http://{}", app.address());
        Ok(Self { person: Person::new(user), client: client()?, own })
    }

    /// Opens a path of ours, or a link, and signs in where that is asked for.
    pub async fn sign_in(&self, link: &str) -> Result<Answer> {
        let link = if link.starts_with('/') { format!("{}{link}", self.own) } else { link.to_owned() };
        Ok(self.person.sign_in(&link).await?)
    }

    /// The cookies that it would send.
    pub fn cookie(&self) -> String {
        self.person.cookie(&self.own).unwrap_or_default()
    }

    /// Whether it has a session's cookie.
    pub fn has_session(&self) -> bool {
        self.cookie().contains("tenantry-session=")
    }

    /// A request to `/graphql` with its cookies and without anything else.
    pub fn post(&self, query: &str) -> RequestBuilder {
        self.post_with(&self.cookie(), query)
    }

    fn post_with(&self, cookie: &str, query: &str) -> RequestBuilder {
        let body = json!({ "query": query });
        self.client.post(format!("{}/graphql", self.own)).header(COOKIE, cookie).json(&body)
    }

    /// What one of our own pages is answered with a cookie that was copied before.
    pub async fn ask_with(&self, cookie: &str, query: &str) -> Result<Answered> {
        Answered::of(self.post_with(cookie, query).header(ORIGIN, &self.own).send().await?).await
    }

    /// What one of our own pages asks.
    pub async fn ask(&self, query: &str) -> Result<Answered> {
        let response = self.post(query).header(ORIGIN, &self.own).send().await?;
        self.person.take(&self.own, response.headers());
        Answered::of(response).await
    }

    /// Who is signed in, in one of our own pages; none: nobody.
    pub async fn who(&self) -> Result<Option<String>> {
        let answered = self.ask("{ viewer { member { displayName } } }").await?;
        Ok(answered.json["data"]["viewer"]["member"]["displayName"].as_str().map(str::to_owned))
    }

    /// Leaves, by the button of one of our own pages. Answers the status.
    pub async fn sign_out(&self) -> Result<u16> {
        let request = self.client.post(format!("{}/sign-out", self.own));
        let response = request.header(COOKIE, self.cookie()).header(ORIGIN, &self.own).send().await?;
        self.person.take(&self.own, response.headers());
        Ok(response.status().as_u16())
    }
}
