//! A PostgreSQL of its own for a test that stops or kills it: a private process on a free port, with its data
//! in a temporary folder. Tests that only need tables take a [`TestDatabase`](crate::database::TestDatabase).

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::eventually::eventually;

/// Of every server here.
const SETTINGS: [&str; 3] = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100"];

/// Only what survives a crash of the machine is switched off: what survives a crash of the server stays.
const QUICK: [&str; 2] = ["fsync=off", "full_page_writes=off"];

/// As it comes, apart from its memory, which nobody leaves as small as that.
const DURABLE: [&str; 1] = ["shared_buffers=256MB"];

/// A private `PostgreSQL`. It keeps its data over [`restart`](Self::restart) and [`kill`](Self::kill), and is
/// gone when dropped.
pub struct PostgresServer {
    port: u16,
    programs: PathBuf,
    folder: TempDir,
    /// Whether we are root, as which `PostgreSQL` refuses to run.
    root: bool,
    settings: &'static [&'static str],
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        Self::with(&QUICK).await
    }

    /// Starts one that writes as it would in an installation: for benchmarks.
    pub async fn durable() -> Result<Self> {
        Self::with(&DURABLE).await
    }

    async fn with(settings: &'static [&'static str]) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = TempDir::new()?;
        let root = fs::metadata(folder.path())?.uid() == 0;
        let mut server = Self { port, programs: programs()?, folder, root, settings, process: None };
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
        if self.root {
            let owned = Command::new("chown").arg("postgres:").arg(self.folder.path()).status()?;
            ensure!(owned.success(), "chown: {owned}; is there a user named postgres?");
        }
        let mut initialize = self.program("initdb");
        initialize.args(["--username", "tenantry", "--auth", "trust", "--encoding", "UTF8"]);
        initialize.args(["--no-locale", "--no-sync", "--pgdata"]).arg(self.data());
        let done = spawn_blocking(move || initialize.output()).await??;
        ensure!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    async fn launch(&mut self) -> Result<()> {
        let url = self.url();
        self.process = Some(self.spawn()?);
        let launched = eventually("PostgreSQL answers", async || match self.look() {
            Ok(()) => {
                let mut connection = PgConnection::connect(url.expose_secret()).await.ok()?;
                connection.execute("select 1").await.ok().map(|_| Ok(()))
            }
            Err(error) => Some(Err(error)),
        });
        launched.await
    }

    /// Whether it is alive. The children of a killed server let go of its memory only when they notice; a
    /// server that found it taken is started again.
    fn look(&mut self) -> Result<()> {
        let Some(status) = self.process.as_mut().map(Child::try_wait).transpose()?.flatten() else {
            return Ok(());
        };
        let log = fs::read_to_string(self.log())?;
        if !log.contains("pre-existing shared memory block") {
            bail!("PostgreSQL ended with {status}: {log}");
        }
        self.process = Some(self.spawn()?);
        Ok(())
    }

    fn spawn(&self) -> Result<Child> {
        let mut launch = self.program("postgres");
        launch.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in SETTINGS.iter().chain(self.settings) {
            launch.args(["-c", setting]);
        }
        launch.stderr(fs::File::create(self.log())?).spawn().context("PostgreSQL does not start")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// One of its programs. `setpriv` becomes the program, so that a signal reaches it.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = Command::new(if self.root { "setpriv".as_ref() } else { program.as_path() });
        if self.root {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]).arg(program);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// The folder with `initdb`, `pg_ctl` and `postgres`; Debian keeps them off the path.
fn programs() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").context("there is no PATH")?;
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").is_file())
        .context("initdb is nowhere; is PostgreSQL installed?")
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // A server that is gone already is no harm.
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually::eventually;

    #[tokio::test]
    async fn what_was_committed_outlives_a_stop_and_a_kill() -> Result<()> {
        let mut server = PostgresServer::start().await?;
        let url = server.url();
        let mut connection = PgConnection::connect(url.expose_secret()).await?;
        connection.execute("create table kept as select 7 as number").await?;

        server.kill()?;
        // A process of the server may live a moment longer than the one that was killed.
        eventually("nobody answers", async || connection.execute("select 1").await.err()).await;
        server.restart().await?;
        server.restart().await?;

        let mut connection = PgConnection::connect(url.expose_secret()).await?;
        let number: i32 = sqlx::query_scalar("select number from kept").fetch_one(&mut connection).await?;
        assert_eq!(number, 7);
        Ok(())
    }
}
