//! Tenantry as it is installed: processes of the real executable over one PostgreSQL and one Redis.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use base64::Engine;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use simulator::{Config, Decision, Person, Simulator};
use tempfile::NamedTempFile;

use crate::database::TestDatabase;
use crate::eventually::eventually;
use crate::http::client;
use crate::redis::RedisServer;
use crate::stack::Stack;

/// The key of every installation of a test.
const KEY: [u8; 32] = [42; 32];

/// One process; killed when dropped.
pub struct Process(pub(crate) Child);

impl Process {
    /// Kills it with signal 9.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits; answers its exit code.
    pub async fn terminate(mut self) -> Result<Option<i32>> {
        Command::new("kill").arg(self.0.id().to_string()).status()?;
        let mut child = std::mem::replace(&mut self.0, Command::new("true").spawn()?);
        let status = tokio::task::spawn_blocking(move || child.wait()).await??;
        Ok(status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// A distributed installation against a simulated cloud.
pub struct Installation {
    /// The simulated cloud, in the test's own process.
    pub simulator: Simulator,
    /// The Redis of this installation alone.
    pub redis: RedisServer,
    /// What the members' token is.
    pub token: SecretString,
    database_url: SecretString,
    /// The database, unless the test brought its own server.
    _database: Option<TestDatabase>,
    ports: Vec<u16>,
    http: reqwest::Client,
    log: NamedTempFile,
}

impl Installation {
    /// An installation with a database of its own on the `PostgreSQL` of `tests/run`, and `apis` places for
    /// api processes.
    pub async fn start(config: Config, apis: usize) -> Result<Self> {
        let database = TestDatabase::start(Stack::Distributed).await?;
        let url = database.url().clone();
        Self::over(config, apis, url, Some(database)).await
    }

    /// An installation over the database at `url`.
    pub async fn over(
        config: Config,
        apis: usize,
        database_url: SecretString,
        database: Option<TestDatabase>,
    ) -> Result<Self> {
        let simulator = Simulator::start(config, (Ipv4Addr::LOCALHOST, 0).into())?;
        let ports = (0..apis).map(|_| free_port()).collect::<Result<_>>()?;
        let mut installation = Self {
            simulator,
            redis: RedisServer::start().await?,
            token: SecretString::default(),
            database_url,
            _database: database,
            ports,
            http: client()?,
            log: NamedTempFile::new()?,
        };
        let migrated = installation.command("migrate")?.stdout(Stdio::null()).status()?;
        ensure!(migrated.success(), "tenantry migrate failed");
        let printed = installation.command("token")?.output()?;
        ensure!(printed.status.success(), "tenantry token failed");
        installation.token = String::from_utf8(printed.stdout)?.trim().to_owned().into();
        Ok(installation)
    }

    /// Starts the worker process of this name.
    pub fn worker(&self) -> Result<Process> {
        Ok(Process(self.command("worker")?.spawn()?))
    }

    /// Starts the api process at this place, and waits until it is ready.
    pub async fn api(&self, place: usize) -> Result<Process> {
        let address = format!("127.0.0.1:{}", self.ports[place]);
        let process = Process(self.command("api")?.env("TENANTRY_LISTEN", &address).spawn()?);
        let url = format!("http://{address}/readyz");
        eventually("the api is ready", async || {
            let answer = self.http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Ok(process)
    }

    /// Asks the api at this place.
    pub async fn ask(&self, place: usize, query: &str, variables: Value) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/graphql", self.ports[place]);
        let request = self.http.post(url).bearer_auth(self.token.expose_secret());
        let mut answer: Value =
            request.json(&json!({ "query": query, "variables": variables })).send().await?.json().await?;
        ensure!(answer.get("errors").is_none(), "the api refused: {answer}");
        Ok(answer["data"].take())
    }

    /// The owner consents through the api at this place; answers the consent's id.
    pub async fn consent(&self, place: usize) -> Result<String> {
        let query = "mutation($tenant: String!) { startConsent(input: { tenant: $tenant }) {
                       consent { id } authorizationUrl } }";
        let tenant = self.simulator.tenant_id().to_string();
        let data = self.ask(place, query, json!({ "tenant": tenant })).await?;
        let started = &data["startConsent"];
        let link = started["authorizationUrl"].as_str().context("no link")?;
        let page = Person::new("owner").consent(link, Decision::Accept).await?;
        ensure!(page.status == 200, "the consent ended with {}", page.status);
        Ok(started["consent"]["id"].as_str().context("no consent")?.to_owned())
    }

    /// Waits until the operation that the consent began has ended, asking the api at this place.
    pub async fn ended(&self, place: usize, consent: &str) -> Value {
        let query =
            format!("query($id: ID!) {{ consent(id: $id) {{ operation {{ {} }} }} }}", crate::app::OPERATION);
        eventually("the operation ends", async || {
            let mut data = self.ask(place, &query, json!({ "id": consent })).await.ok()?;
            let operation = data["consent"]["operation"].take();
            let has_ended = !matches!(operation["state"].as_str()?, "QUEUED" | "RUNNING");
            has_ended.then_some(operation)
        })
        .await
    }

    /// What all processes have logged so far, at the level `debug`.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.log.path())?)
    }

    /// A sub-command of the executable, configured for this installation.
    pub fn command(&self, name: &str) -> Result<Command> {
        let cloud = self.simulator.base_url();
        let public_url = format!("http://127.0.0.1:{}", self.ports.first().copied().unwrap_or(1));
        let mut command = Command::new(program());
        command
            .arg(name)
            .env("DATABASE_URL", self.database_url.expose_secret())
            .env("REDIS_URL", self.redis.url().expose_secret())
            .env("TENANTRY_PUBLIC_URL", public_url)
            .env("TENANTRY_ENCRYPTION_KEY", base64::engine::general_purpose::STANDARD.encode(KEY))
            .env("TENANTRY_WORKER_LEASE", "2s")
            .env("TENANTRY_SWEEP_EVERY", "2s")
            .env("TENANTRY_LOG", "debug")
            .env("MICROSOFT_CLIENT_ID", self.simulator.client_id().to_string())
            .env("MICROSOFT_CLIENT_SECRET", self.simulator.client_secret())
            .env("MICROSOFT_LOGIN_URL", &cloud)
            .env("MICROSOFT_ARM_URL", &cloud)
            .env("MICROSOFT_GRAPH_URL", &cloud)
            .stdin(Stdio::null())
            .stderr(OpenOptions::new().append(true).open(self.log.path())?);
        Ok(command)
    }
}

/// The executable: `tests/run` builds it and says where.
pub fn program() -> std::path::PathBuf {
    if let Some(named) = std::env::var_os("TENANTRY_BINARY") {
        return named.into();
    }
    let mut beside = std::env::current_exe().unwrap_or_default();
    // target/debug/deps/it-… stands beside target/debug/tenantry.
    beside.pop();
    beside.pop();
    beside.join("tenantry")
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
