//! A job that a test and its child processes share: it writes into Redis that it began, waits there to be
//! released, and writes that it ended.

use std::process::{Child, Command};
use std::time::Duration;

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use worker::job::{Job, JobError};
use worker::queue::{Queue, WorkerOptions, Workers};

/// The lease that probes work with.
pub const LEASE: Duration = Duration::from_millis(1_500);

/// Where probes write.
#[derive(Clone)]
pub struct Notebook {
    /// Who writes.
    pub name: String,
    /// The Redis with the notes.
    pub url: SecretString,
}

impl Notebook {
    async fn connect(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let client = Client::open(self.url.expose_secret())?;
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    async fn note(&self, what: &str) -> Result<()> {
        let note = format!("{what} by {}", self.name);
        Ok(redis::cmd("RPUSH").arg("probe:notes").arg(note).query_async(&mut self.connect().await?).await?)
    }

    /// Everything written so far.
    pub async fn notes(&self) -> Result<Vec<String>> {
        Ok(redis::cmd("LRANGE")
            .arg("probe:notes")
            .arg(0)
            .arg(-1)
            .query_async(&mut self.connect().await?)
            .await?)
    }

    /// Lets one waiting probe end.
    pub async fn release(&self) -> Result<()> {
        Ok(redis::cmd("RPUSH").arg("probe:release").arg("").query_async(&mut self.connect().await?).await?)
    }
}

/// Begins, waits to be released, ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// The key.
    pub key: String,
}

impl Job for Hold {
    const NAME: &'static str = "hold";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 2;
    type Context = Notebook;

    fn key(&self) -> String {
        self.key.clone()
    }

    async fn run(&self, notebook: &Notebook) -> Result<(), JobError> {
        notebook.note("begun").await?;
        let mut connection = notebook.connect().await?;
        let released: redis::RedisResult<(String, String)> =
            redis::cmd("BLPOP").arg("probe:release").arg(0).query_async(&mut connection).await;
        released.map_err(anyhow::Error::new)?;
        notebook.note("ended").await?;
        Ok(())
    }

    async fn give_up(&self, notebook: &Notebook, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        notebook.note(&format!("given up: {why}")).await
    }
}

/// Works on the queue at `url` until `shutdown`.
pub async fn work(url: SecretString, name: String, shutdown: CancellationToken) -> Result<()> {
    let options = WorkerOptions { lease: LEASE, grace: Duration::from_secs(5), instance: name.clone() };
    let queue = Queue::redis(&url).await?;
    Ok(Workers::new(queue, options).register::<Hold>(Notebook { name, url }).run(shutdown).await?)
}

/// A child process that works on the queue at `url`; `program` is the `queue-probe` executable.
pub fn spawn(program: &str, url: &SecretString, name: &str) -> Result<Child> {
    Ok(Command::new(program).env("REDIS_URL", url.expose_secret()).arg(name).spawn()?)
}
