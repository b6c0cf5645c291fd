//! A Redis of its own for each test: a private process on a free port, with its data in a temporary folder.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::eventually::eventually;

/// A private Redis. It keeps its data over [`restart`](Self::restart), and is gone when dropped.
pub struct RedisServer {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = Self { port, folder: TempDir::new()?, process: None };
        server.launch().await?;
        Ok(server)
    }

    /// Where it listens.
    pub fn url(&self) -> SecretString {
        format!("redis://127.0.0.1:{}/", self.port).into()
    }

    /// Stops it as an operator would: it writes everything down first.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            // It closes the connection instead of answering.
            let _: redis::RedisResult<()> =
                redis::cmd("SHUTDOWN").query_async(&mut self.connect().await?).await;
            tokio::task::spawn_blocking(move || process.wait()).await??;
        }
        Ok(())
    }

    /// Kills it with signal 9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), with the data it had.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.launch().await
    }

    /// Makes it forget everything.
    pub async fn flush(&self) -> Result<()> {
        Ok(redis::cmd("FLUSHALL").query_async(&mut self.connect().await?).await?)
    }

    /// Makes it answer nobody for so long.
    pub async fn pause(&self, time: Duration) -> Result<()> {
        let mut pause = redis::cmd("CLIENT");
        pause.arg("PAUSE").arg(u64::try_from(time.as_millis())?).arg("ALL");
        Ok(pause.query_async(&mut self.connect().await?).await?)
    }

    /// A connection that waits as long as it takes.
    pub async fn connect(&self) -> Result<MultiplexedConnection> {
        let client = Client::open(("127.0.0.1", self.port))?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    async fn launch(&mut self) -> Result<()> {
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--appendonly", "yes", "--save", ""])
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("redis-server does not start; is it installed?")?;
        self.process = Some(process);
        eventually("Redis answers", async || {
            let mut connection = self.connect().await.ok()?;
            redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
        })
        .await;
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A server that is gone already is no harm.
        let _ = self.kill();
    }
}
