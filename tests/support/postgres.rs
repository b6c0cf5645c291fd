//! A PostgreSQL of its own for a test that stops or kills it: a private process on a free port, with its data
//! in a temporary folder. Tests that only need tables take a [`TestDatabase`](crate::database::TestDatabase).

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::eventually::eventually;

/// Only what survives a crash of the machine is switched off: what survives a crash of the server stays.
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=100",
    "fsync=off",
    "full_page_writes=off",
];

/// A private `PostgreSQL`. It keeps its data over [`restart`](Self::restart) and [`kill`](Self::kill), and is
/// gone when dropped.
pub struct PostgresServer {
    port: u16,
    programs: PathBuf,
    folder: TempDir,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = Self { port, programs: programs()?, folder: folder()?, process: None };
        server.initialize().await?;
        server.launch().await?;
        Ok(server)
    }

    /// Its first database, as its superuser.
    pub fn url(&self) -> SecretString {
        format!("postgres://tenantry@127.0.0.1:{}/postgres", self.port).into()
    }

    /// Stops it as an operator would: running statements are rolled back, and everything is written down.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            let mut stop = self.program("pg_ctl");
            stop.args(["stop", "--silent", "--wait", "--mode", "fast", "--pgdata"]).arg(self.data());
            let stopped = spawn_blocking(move || stop.status()).await??;
            ensure!(stopped.success(), "pg_ctl stop: {stopped}");
            spawn_blocking(move || process.wait()).await??;
        }
        Ok(())
    }

    /// Kills it with signal 9, and its connections with it.
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

    async fn initialize(&self) -> Result<()> {
        let mut initialize = self.program("initdb");
        initialize.args(["--username", "tenantry", "--auth", "trust", "--encoding", "UTF8"]);
        initialize.args(["--no-locale", "--no-sync", "--pgdata"]).arg(self.data());
        let done = spawn_blocking(move || initialize.output()).await??;
        ensure!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    async fn launch(&mut self) -> Result<()> {
        let mut launch = self.program("postgres");
        launch.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            launch.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.path().join("log"))?;
        let process = self.process.insert(launch.stdout(Stdio::null()).stderr(log).spawn()?);
        let url = self.url();
        let folder = self.folder.path();
        let launched = eventually("PostgreSQL answers", async || {
            if let Ok(Some(status)) = process.try_wait() {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                return Some(Err(anyhow::anyhow!("PostgreSQL ended with {status}: {log}")));
            }
            let mut connection = PgConnection::connect(url.expose_secret()).await.ok()?;
            connection.execute("select 1").await.ok().map(|_| Ok(()))
        });
        launched.await
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `PostgreSQL` refuses to run as root; `setpriv` becomes the program, so a signal reaches it.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root(self.folder.path()) {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // A server that is gone already is no harm.
        let _ = self.kill();
    }
}
