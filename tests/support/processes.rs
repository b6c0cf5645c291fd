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

/// One process; killed when dropped.
pub struct Process(pub(crate) Child);

impl Process {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

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

/// An installation against a simulated cloud.
pub struct Installation {
    /// The simulated cloud, in the test's own process.
    pub simulator: Simulator,
    /// The Redis of this installation alone; one that is a single process has none.
    pub redis: Option<RedisServer>,
    /// What the members' token is.
    pub token: SecretString,
    /// The encryption key of every process that is started from now on.
    pub encryption_key: [u8; 32],
    /// Their former encryption keys.
    pub former_encryption_keys: Vec<[u8; 32]>,
    /// Where its database is.
    pub database_url: SecretString,
    /// What every process that is started from now on is configured with besides.
    pub environment: Vec<(&'static str, String)>,
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
        let redis = RedisServer::start().await?;
        Self::assemble(config, apis, database_url, database, Some(redis))
    }

    /// An installation that is a single process, over a database of its own of this stack.
    pub async fn single(config: Config) -> Result<Self> {
        let database = TestDatabase::start(Stack::chosen()).await?;
        let url = database.url().clone();
        Self::assemble(config, 1, url, Some(database), None)
    }

    /// An installation that is a single process, over the database at `url`.
    pub fn single_over(config: Config, database_url: SecretString) -> Result<Self> {
        Self::assemble(config, 1, database_url, None, None)
    }

    fn assemble(
        config: Config,
        apis: usize,
        database_url: SecretString,
        database: Option<TestDatabase>,
        redis: Option<RedisServer>,
    ) -> Result<Self> {
        let simulator = Simulator::start(config, (Ipv4Addr::LOCALHOST, 0).into())?;
        let ports = (0..apis).map(|_| free_port()).collect::<Result<_>>()?;
        let mut installation = Self {
            simulator,
            redis,
            token: SecretString::default(),
            encryption_key: [42; 32],
            former_encryption_keys: Vec::new(),
            database_url,
            environment: Vec::new(),
            _database: database,
            ports,
            http: client()?,
            log: NamedTempFile::new()?,
        };
        let migrated = installation.command("migrate")?.stdout(Stdio::null()).status()?;
        ensure!(migrated.success(), "tenantry migrate failed");
        installation.renew_token()?;
        Ok(installation)
    }

    /// Has a new token issued for the members.
    pub fn renew_token(&mut self) -> Result<()> {
        let printed = self.command("token")?.output()?;
        ensure!(printed.status.success(), "tenantry token failed");
        self.token = String::from_utf8(printed.stdout)?.trim().to_owned().into();
        Ok(())
    }

    /// Starts the worker process of this name.
    pub fn worker(&self) -> Result<Process> {
        Ok(Process(self.command("worker")?.spawn()?))
    }

    /// Starts the api process at this place, and waits until it is ready.
    pub async fn api(&self, place: usize) -> Result<Process> {
        self.answering("api", place).await
    }

    /// Starts the process that is api and worker in one, and waits until it is ready.
    pub async fn serve(&self) -> Result<Process> {
        self.answering("serve", 0).await
    }

    async fn answering(&self, name: &str, place: usize) -> Result<Process> {
        let address = format!("127.0.0.1:{}", self.ports[place]);
        let process = Process(self.command(name)?.env("TENANTRY_LISTEN", &address).spawn()?);
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
        let mut answer = self.ask_as(&self.token, place, query, variables).await?;
        ensure!(answer.get("errors").is_none(), "the api refused: {answer}");
        Ok(answer["data"].take())
    }

    /// Asks the api at this place as whoever holds `token`; answers everything it said.
    pub async fn ask_as(
        &self,
        token: &SecretString,
        place: usize,
        query: &str,
        variables: Value,
    ) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/graphql", self.ports[place]);
        let request = self.http.post(url).bearer_auth(token.expose_secret());
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await?;
        Ok(answer.json().await?)
    }

    /// The owner consents through the api at this place; answers the consent's id.
    pub async fn consent(&self, place: usize) -> Result<String> {
        let (consent, link) = self.start_consent(place).await?;
        self.accept(&link).await?;
        Ok(consent)
    }

    /// Asks the api at this place for a consent; answers its id and the link to follow.
    pub async fn start_consent(&self, place: usize) -> Result<(String, String)> {
        let query = "mutation($tenant: String!) { startConsent(input: { tenant: $tenant }) {
                       consent { id } authorizationUrl } }";
        let tenant = self.simulator.tenant_id().to_string();
        let data = self.ask(place, query, json!({ "tenant": tenant })).await?;
        let started = &data["startConsent"];
        let link = started["authorizationUrl"].as_str().context("no link")?.to_owned();
        Ok((started["consent"]["id"].as_str().context("no consent")?.to_owned(), link))
    }

    /// The owner follows the link and accepts.
    pub async fn accept(&self, link: &str) -> Result<()> {
        let page = Person::new("owner").consent(link, Decision::Accept).await?;
        ensure!(page.status == 200, "the consent ended with {}", page.status);
        Ok(())
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

    /// The sub-command of this name, configured for this installation.
    pub fn command(&self, name: &str) -> Result<Command> {
        let encoded = |key: &[u8; 32]| base64::engine::general_purpose::STANDARD.encode(key);
        let former: Vec<_> = self.former_encryption_keys.iter().map(encoded).collect();
        let cloud = self.simulator.base_url();
        let public_url = format!("http://127.0.0.1:{}", self.ports.first().copied().unwrap_or(1));
        let mut command = Command::new(program());
        command
            .arg(name)
            .env("DATABASE_URL", self.database_url.expose_secret())
            .env("TENANTRY_PUBLIC_URL", public_url)
            .env("TENANTRY_ENCRYPTION_KEY", encoded(&self.encryption_key))
            .env("TENANTRY_FORMER_ENCRYPTION_KEYS", former.join(","))
            .env("TENANTRY_WORKER_LEASE", "2s")
            .env("TENANTRY_SWEEP_EVERY", "2s")
            .env("TENANTRY_LOG", "debug")
            .env("MICROSOFT_CLIENT_ID", self.simulator.client_id().to_string())
            .env("MICROSOFT_CLIENT_SECRET", self.simulator.client_secret())
            .env("MICROSOFT_LOGIN_URL", &cloud)
            .env("MICROSOFT_ARM_URL", &cloud)
            .env("MICROSOFT_GRAPH_URL", &cloud)
            .env("MICROSOFT_CONSUMPTION_URL", &cloud)
            .stdin(Stdio::null())
            .stderr(OpenOptions::new().append(true).open(self.log.path())?);
        if let Some(redis) = &self.redis {
            command.env("REDIS_URL", redis.url().expose_secret());
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
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
