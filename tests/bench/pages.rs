//! How many pages of 50 resources the api answers in a second over 200,000 of them, beside the same SQL
//! statements sent directly to the same PostgreSQL.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use api::Services;
use api::authentication::DevelopmentTokens;
use api::http::HttpSettings;
use chrono::TimeDelta;
use microsoft::Provider;
use sea_orm::DatabaseConnection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use support::app::no_issuer;
use support::cloud::Cloud;
use support::figures::{Figure, percentile, rate};
use support::ground::{CONNECTIONS, Ground};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

const RESOURCES: u64 = 200_000;

/// Clients at the same time.
const CLIENTS: usize = 32;

/// How long each side is measured, after a while in which caches fill.
const LENGTH: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(2);

const QUERY: &str =
    "{ resources(first: 50) { nodes { name tags { name value } subscription { displayName } } } }";

#[tokio::main]
async fn main() -> Result<()> {
    let resources = RESOURCES.to_string();
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", "100", "--resources", &resources])?).await?;
    let scan = ground.scan().await?;
    ensure!(scan.seen == RESOURCES, "saw {} resources", scan.seen);
    sqlx::query("vacuum analyze").execute(ground.database().get_postgres_connection_pool()).await?;

    let statements = statements(&ground).await?;
    let url = ground.postgres.url();
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url.expose_secret()).await?;
    let client = Client::start(&ground, ground.database().clone())?;
    let what = format!("page of 50 resources with tags and subscription, {} statements", statements.len());
    let mut ours = load(move || client.clone().page()).await?;
    let mut direct = load(move || run(pool.clone(), Arc::clone(&statements))).await?;

    let whose = "the same statements through sqlx";
    let per_second = |times: &[Duration]| rate(times.len() as u64, LENGTH);
    let (ours_rate, direct_rate) = (per_second(&ours), per_second(&direct));
    Figure { what: &what, unit: "requests/s", ours: ours_rate, theirs: direct_rate, whose }.print();
    for percent in [50, 99] {
        let what = format!("the same, {percent} of 100 within");
        let (ours, theirs) = (percentile(&mut ours, percent), percentile(&mut direct, percent));
        Figure { what: &what, unit: "ms", ours, theirs, whose }.print();
    }
    Ok(())
}

/// An api, and somebody who asks it.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    token: SecretString,
    http: reqwest::Client,
}

impl Client {
    fn start(ground: &Ground, database: DatabaseConnection) -> Result<Self> {
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

    /// Reads an answer without looking into it: both sides share the processor with whoever asks.
    async fn page(self) -> Result<()> {
        self.ask().await?.bytes().await?;
        Ok(())
    }

    async fn ask(&self) -> Result<reqwest::Response> {
        let request = self.http.post(format!("http://{}/graphql", self.address));
        let request = request.bearer_auth(self.token.expose_secret()).json(&json!({ "query": QUERY }));
        Ok(request.send().await?.error_for_status()?)
    }
}

/// What one request asks of the database.
async fn statements(ground: &Ground) -> Result<Arc<Vec<String>>> {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&sent);
    let mut database = migration::connect(ground.postgres.url().expose_secret(), 1).await?;
    database.set_metric_callback(move |info| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(info.statement.to_string());
    });
    let answer: Value = Client::start(ground, database)?.ask().await?.json().await?;
    let rows = answer["data"]["resources"]["nodes"].as_array().map_or(0, Vec::len);
    ensure!(rows == 50, "a page has {rows} rows: {answer}");
    let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Arc::new(sent))
}

async fn run(pool: PgPool, statements: Arc<Vec<String>>) -> Result<()> {
    for statement in &*statements {
        sqlx::query(AssertSqlSafe(statement.as_str())).fetch_all(&pool).await?;
    }
    Ok(())
}

/// How long each request took, of those that ended within the time.
async fn load<F>(request: impl Fn() -> F + Clone + Send + 'static) -> Result<Vec<Duration>>
where
    F: Future<Output = Result<()>> + Send,
{
    let begins = Instant::now() + WARM_UP;
    let ends = begins + LENGTH;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let request = request.clone();
        clients.spawn(async move {
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
    let times = clients.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(times.concat())
}
