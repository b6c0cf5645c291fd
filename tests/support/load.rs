//! A load: front ends that ask an api as fast as it answers, and how long each answer took.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use api::Services;
use api::authentication::DevelopmentTokens;
use api::http::HttpSettings;
use chrono::TimeDelta;
use microsoft::Provider;
use sea_orm::DatabaseConnection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::no_issuer;
use crate::ground::Ground;

/// Clients at the same time.
pub const CLIENTS: usize = 32;

/// An api, and somebody who asks it.
#[derive(Clone)]
pub struct FrontEnd {
    address: SocketAddr,
    token: SecretString,
    http: reqwest::Client,
}

impl FrontEnd {
    /// Starts an api over `database`.
    pub fn start(ground: &Ground, database: DatabaseConnection) -> Result<Self> {
        let context = &ground.context;
        let services = Services {
            database,
            microsoft: context.microsoft.clone(),
            sign_in: Provider::new(no_issuer()?, context.clock.as_fn())?,
            keyring: context.keyring.clone(),
            clock: context.clock.clone(),
            queue: context.queue.clone(),
            progress: context.progress.clone(),
            public_url: Url::parse("http://127.0.0.1/")?,
        };
        let server = api::start(HttpSettings::default(), &services, CancellationToken::new())?;
        let member = &ground.member;
        let expires_at = context.clock.now() + TimeDelta::hours(1);
        let tokens = DevelopmentTokens::new(&context.keyring);
        let token = tokens.issue(member.id, expires_at);
        #[expect(clippy::disallowed_methods, reason = "a front end, not a client of Microsoft")]
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(CLIENTS).build()?;
        Ok(Self { address: server.address(), token, http })
    }

    /// What the api answers.
    pub async fn ask(&self, query: &str) -> Result<Value> {
        Ok(self.send(query).await?.json().await?)
    }

    /// Reads an answer without looking into it: both sides share the processor with whoever asks.
    pub async fn read(self, query: String) -> Result<()> {
        self.send(&query).await?.bytes().await?;
        Ok(())
    }

    async fn send(&self, query: &str) -> Result<reqwest::Response> {
        let request = self.http.post(format!("http://{}/graphql", self.address));
        let request = request.bearer_auth(self.token.expose_secret()).json(&json!({ "query": query }));
        Ok(request.send().await?.error_for_status()?)
    }
}

/// How long each request took, of those that ended within `length`, after a while in which caches fill.
pub async fn load<F>(
    warm_up: Duration,
    length: Duration,
    request: impl Fn() -> F + Clone + Send + 'static,
) -> Result<Vec<Duration>>
where
    F: Future<Output = Result<()>> + Send,
{
    load_by(CLIENTS, warm_up, length, request).await
}

/// The same by so many clients at the same time.
pub async fn load_by<F>(
    clients: usize,
    warm_up: Duration,
    length: Duration,
    request: impl Fn() -> F + Clone + Send + 'static,
) -> Result<Vec<Duration>>
where
    F: Future<Output = Result<()>> + Send,
{
    let begins = Instant::now() + warm_up;
    let ends = begins + length;
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        let request = request.clone();
        asking.spawn(async move {
            let mut times = Vec::new();
            loop {
                let sent = Instant::now();
                request().await?;
                let answered = Instant::now();
                if answered >= ends {
                    return Ok::<_, anyhow::Error>(times);
                }
                if answered >= begins {
                    times.push(answered - sent);
                }
            }
        });
    }
    let times = asking.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(times.concat())
}
