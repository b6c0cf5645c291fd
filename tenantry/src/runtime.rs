//! The processes: what they are made of, and how they start and stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::Services;
use api::http::{Check, HttpSettings, RunningServer};
use entity::{Clock, Keyring, member};
use microsoft::{Microsoft, Provider};
use sea_orm::{DatabaseConnection, PaginatorTrait};
use secrecy::{ExposeSecret, SecretString};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use worker::budgets::RedisBudgets;
use worker::job::Job;
use worker::jobs::{Prune, Sweep};
use worker::keys;
use worker::progress::Progress;
use worker::queue::{Queue, When, WorkerOptions, Workers};
use worker::{Context, Pace};

use crate::cli::MigrateArguments;
use crate::configuration::Configuration;
use crate::wall;

/// Connections to the database that one process opens at most.
const CONNECTIONS: u32 = 16;

/// What every process has, whichever work it does.
pub struct Parts {
    pub database: DatabaseConnection,
    pub microsoft: Microsoft,
    pub sign_in: Provider,
    pub queue: Queue,
    pub progress: Progress,
    pub clock: Clock,
    pub keyring: Keyring,
    pub configuration: Configuration,
    _fresh_keys: AbortOnDropHandle<()>,
}

/// What a process does about tables that are not up to date.
#[derive(Clone, Copy)]
pub enum Tables {
    /// It brings them up to date.
    Migrate,
    /// It refuses to start.
    Require,
}

impl Parts {
    pub async fn assemble(configuration: Configuration, tables: Tables) -> anyhow::Result<Self> {
        let database = migration::connect(configuration.database_url.expose_secret(), CONNECTIONS)
            .await
            .context("connecting to the database")?;
        match tables {
            Tables::Migrate => wall::migrate(&database, configuration.row_level_security).await?,
            Tables::Require => {
                require_migrated(&database).await?;
                wall::check(&database, configuration.row_level_security).await?;
            }
        }
        let clock = Clock::system();
        let keyring = keys::open(&database, configuration.encryption_keys.clone(), clock.clone()).await?;
        let fresh_keys = keys::keep_fresh(database.clone(), keyring.clone(), keys::REFRESH_EVERY);
        let microsoft =
            connect_microsoft(configuration.microsoft.clone(), &clock, configuration.redis_url.as_ref())
                .await?;
        let (queue, progress) = match &configuration.redis_url {
            Some(url) => {
                let queue = Queue::redis(url).await.context("connecting to Redis")?;
                (queue, Progress::redis(url).await.context("connecting to Redis")?)
            }
            None => (Queue::memory(), Progress::memory()),
        };
        let sign_in = Provider::new(configuration.sign_in.clone(), clock.as_fn())?;
        Ok(Self {
            database,
            microsoft,
            sign_in,
            queue,
            progress,
            clock,
            keyring,
            configuration,
            _fresh_keys: AbortOnDropHandle::new(tokio::spawn(fresh_keys)),
        })
    }

    fn services(&self) -> Services {
        Services {
            database: self.database.clone(),
            microsoft: self.microsoft.clone(),
            sign_in: self.sign_in.clone(),
            keyring: self.keyring.clone(),
            clock: self.clock.clone(),
            queue: self.queue.clone(),
            progress: self.progress.clone(),
            public_url: self.configuration.public_url.clone(),
        }
    }

    fn context(&self, pace: Pace) -> Context {
        Context {
            database: self.database.clone(),
            microsoft: self.microsoft.clone(),
            keyring: self.keyring.clone(),
            clock: self.clock.clone(),
            queue: self.queue.clone(),
            progress: self.progress.clone(),
            pace,
            client_secret_expires_at: self.configuration.client_secret_expires_at,
        }
    }

    /// Starts to answer requests.
    pub fn start_api(&self, shutdown: CancellationToken) -> anyhow::Result<RunningServer> {
        let settings = HttpSettings {
            listen: self.configuration.listen,
            development: self.configuration.development,
            https: self.configuration.public_url.scheme() == "https",
            behind_proxy: self.configuration.behind_proxy,
            allowed_origins: self.configuration.allowed_origins.clone(),
            readiness: self.readiness(),
            ..HttpSettings::default()
        };
        let server = api::start(settings, &self.services(), shutdown)?;
        self.warn_if_nobody_can_sign_in();
        tracing::info!(address = %server.address(), "the api listens");
        Ok(server)
    }

    /// A fresh installation has no member, and no default password either.
    fn warn_if_nobody_can_sign_in(&self) {
        let database = self.database.clone();
        tokio::spawn(async move {
            match member::Entity::with_identity().count(&database).await {
                Ok(0) => {
                    tracing::warn!("nobody can sign in yet: run `tenantry bootstrap` for a one-time link");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the members could not be counted"),
            }
        });
    }

    fn readiness(&self) -> Vec<Check> {
        let database = self.database.clone();
        let migrations = self.database.clone();
        let queue = self.queue.clone();
        vec![
            Check::new("database", move || {
                let database = database.clone();
                async move { database.ping().await.map_err(|error| error.to_string()) }
            }),
            Check::new("migrations", move || {
                let database = migrations.clone();
                async move {
                    let pending = migration::pending(&database).await.map_err(|error| error.to_string())?;
                    if pending.is_empty() { Ok(()) } else { Err("run `tenantry migrate`".to_owned()) }
                }
            }),
            Check::new("queue", move || {
                let queue = queue.clone();
                async move { queue.depth(Sweep::NAME).await.map(drop).map_err(|error| error.to_string()) }
            }),
        ]
    }

    /// Starts to do jobs, and to sweep.
    pub fn start_worker(&self, shutdown: CancellationToken) -> JoinHandle<anyhow::Result<()>> {
        let pace = self.configuration.pace;
        let context = self.context(pace);
        let lease = self.configuration.worker_lease;
        let workers = Workers::new(self.queue.clone(), WorkerOptions { lease, ..WorkerOptions::default() });
        let workers = worker::jobs::register(workers, &context);
        tokio::spawn(async move {
            let queue = &context.queue;
            let bells = [
                tokio::spawn(ring(queue.clone(), Sweep {}, pace.sweep_every, shutdown.clone())),
                tokio::spawn(ring(queue.clone(), Prune {}, Prune::EVERY, shutdown.clone())),
            ];
            let worked = workers.run(shutdown).await;
            bells.iter().for_each(JoinHandle::abort);
            Ok(worked?)
        })
    }
}

/// All processes with the same Redis spend Microsoft's budgets together.
async fn connect_microsoft(
    settings: microsoft::Settings,
    clock: &Clock,
    redis_url: Option<&SecretString>,
) -> anyhow::Result<Microsoft> {
    let Some(url) = redis_url else { return Ok(Microsoft::new(settings, clock.as_fn())?) };
    let budgets = RedisBudgets::connect(url).await.context("connecting to Redis")?;
    Ok(Microsoft::sharing(settings, clock.as_fn(), Arc::new(budgets))?)
}

/// Every worker asks for the job at its own pace, at once for the first time; the queue lets one at a time run.
async fn ring<J: Job>(queue: Queue, job: J, every: Duration, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = queue.push(&job, When::default()).await {
            tracing::warn!(job.name = J::NAME, %error, "the job was not asked for; that is tried again later");
        }
    }
}

/// `tenantry serve`.
pub async fn serve(configuration: Configuration) -> anyhow::Result<()> {
    let parts = Parts::assemble(configuration, Tables::Migrate).await?;
    run(&parts, true, true).await
}

/// `tenantry api`.
pub async fn api(configuration: Configuration) -> anyhow::Result<()> {
    let parts = Parts::assemble(configuration, Tables::Require).await?;
    run(&parts, true, false).await
}

/// `tenantry worker`.
pub async fn worker(configuration: Configuration) -> anyhow::Result<()> {
    let parts = Parts::assemble(configuration, Tables::Require).await?;
    run(&parts, false, true).await
}

/// `tenantry migrate`.
pub async fn migrate(arguments: &MigrateArguments) -> anyhow::Result<()> {
    let database = migration::connect(&arguments.database.database_url, 2)
        .await
        .context("connecting to the database")?;
    let pending = migration::pending(&database).await?;
    wall::migrate(&database, arguments.wall.row_level_security).await?;
    println!("{} migrations applied", pending.len());
    Ok(())
}

/// Refuses a database whose tables are not up to date.
pub async fn require_migrated(database: &DatabaseConnection) -> anyhow::Result<()> {
    let pending = migration::pending(database).await.context("reading the database")?;
    anyhow::ensure!(
        pending.is_empty(),
        "the database's tables are not up to date: run `tenantry migrate` first"
    );
    Ok(())
}

/// Runs until a signal asks to stop, then lets what is under way finish.
async fn run(parts: &Parts, with_api: bool, with_worker: bool) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let server = if with_api { Some(parts.start_api(shutdown.clone())?) } else { None };
    let worker = with_worker.then(|| parts.start_worker(shutdown.clone()));
    stop_signal().await?;
    drain(shutdown, server, worker).await
}

/// Stops what was started, in order.
pub async fn drain(
    shutdown: CancellationToken,
    server: Option<RunningServer>,
    worker: Option<JoinHandle<anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    tracing::info!("stopping: finishing what is under way");
    shutdown.cancel();
    if let Some(server) = server {
        server.join().await?;
    }
    if let Some(worker) = worker {
        worker.await??;
    }
    Ok(())
}

/// Waits for Ctrl-C or a polite request to end.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
