//! Everything on this machine: a person consents in a simulated Microsoft cloud, a tenant is onboarded, and
//! the api goes on serving it.

mod front_end;
mod screen;
mod secrets;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use front_end::FrontEnd;
use secrecy::SecretString;
use simulator::{Config, Decision, Person, Simulator};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::Pace;

use crate::cli::DemoArguments;
use crate::configuration::{Configuration, callback};
use crate::development::{ensure_member, token_of};
use crate::runtime::{Parts, drain, stop_signal};

/// How long the simulated cloud takes to answer, and to let a new role work: enough to watch.
const LATENCY: Duration = Duration::from_millis(15);
const PROPAGATION: Duration = Duration::from_millis(1_500);

/// How long the demonstration's token is good for.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(12);

/// `tenantry demo`.
pub async fn run(arguments: DemoArguments) -> anyhow::Result<()> {
    let simulator = start_simulator(&arguments)?;
    let parts = Parts::assemble(configuration(&arguments, &simulator)?).await?;
    migration::migrate(&parts.database).await.context("migrating the database")?;
    let shutdown = CancellationToken::new();
    let server = parts.start_api(shutdown.clone())?;
    let worker = parts.start_worker(shutdown.clone());
    let token = viewer_token(&parts).await?;

    let shown = tokio::select! {
        shown = onboard(&arguments, &parts, &simulator, &token) => shown,
        stopped = stop_signal() => stopped.map_err(Into::into),
    };
    if shown.is_ok() && !arguments.exit_when_done {
        println!("{}", screen::invitation(&parts.configuration.public_url, &token));
        stop_signal().await?;
        println!("Stopping: what is under way is finished first.");
    }
    drain(shutdown, Some(server), Some(worker)).await?;
    simulator.stop().await;
    shown
}

/// The consent, and everything that follows from it, as a member and a customer's administrator see it.
async fn onboard(
    arguments: &DemoArguments,
    parts: &Parts,
    simulator: &Simulator,
    token: &SecretString,
) -> anyhow::Result<()> {
    let front_end = FrontEnd::new(&parts.configuration.public_url, token)?;
    let entra_tenant_id = simulator.tenant_id();
    println!(
        "A simulated Microsoft cloud with {} subscriptions and {} resources (seed {}).\n\
         A member asks for the consent of tenant {entra_tenant_id}.",
        arguments.subscriptions, arguments.resources, arguments.seed
    );
    let consent = front_end.start_consent(&entra_tenant_id.to_string()).await?;
    println!("Its administrator signs in, reads what is asked for, and accepts.\n");
    let answer = Person::new("owner").consent(&consent.authorization_url, Decision::Accept).await?;
    ensure!(answer.status == 200, "the consent ended with HTTP {}", answer.status);
    let operation = front_end.operation_of(&consent.id).await?;
    let ended = screen::follow(&front_end, &operation).await?;
    let steps = front_end.steps(&operation).await?;
    println!("{}", screen::outcome(&ended, &steps));
    Ok(())
}

fn start_simulator(arguments: &DemoArguments) -> anyhow::Result<Simulator> {
    let public_url = public_url(arguments.listen)?;
    let config = Config {
        seed: arguments.seed,
        subscriptions: arguments.subscriptions,
        resources: arguments.resources,
        latency: LATENCY,
        propagation: PROPAGATION,
        redirect_uris: vec![callback(&public_url).to_string()],
        ..Config::default()
    };
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Simulator::start(config, anywhere).context("starting the simulated cloud")
}

fn configuration(arguments: &DemoArguments, simulator: &Simulator) -> anyhow::Result<Configuration> {
    std::fs::create_dir_all(&arguments.data_dir).context("creating --data-dir")?;
    let database = arguments.data_dir.join("tenantry.db");
    let cloud = Url::parse(&simulator.base_url())?;
    let public_url = public_url(arguments.listen)?;
    Ok(Configuration {
        database_url: SecretString::from(format!("sqlite://{}", database.display())),
        redis_url: None,
        listen: arguments.listen,
        keyring: secrets::keyring(&arguments.data_dir)?,
        microsoft: microsoft::Settings {
            login_url: cloud.clone(),
            arm_url: cloud.clone(),
            graph_url: cloud,
            client_id: simulator.client_id().to_string(),
            client_secret: SecretString::from(simulator.client_secret()),
            redirect_uri: callback(&public_url),
        },
        public_url,
        allowed_origins: Vec::new(),
        worker_lease: Duration::from_secs(30),
        pace: Pace { first_look: Duration::from_millis(500), ..Pace::default() },
        development: true,
        row_level_security: None,
    })
}

fn public_url(listen: SocketAddr) -> anyhow::Result<Url> {
    ensure!(listen.port() != 0, "--listen needs a port: Microsoft sends the browser back to it");
    let host = if listen.ip().is_unspecified() { "127.0.0.1".to_owned() } else { listen.ip().to_string() };
    let host = if listen.is_ipv6() && !listen.ip().is_unspecified() { format!("[{host}]") } else { host };
    Ok(Url::parse(&format!("http://{host}:{}/", listen.port()))?)
}

async fn viewer_token(parts: &Parts) -> anyhow::Result<SecretString> {
    let member = ensure_member(&parts.database, &parts.clock, "Demo", entity::member::Role::Admin).await?;
    Ok(token_of(&parts.configuration.keyring, &parts.clock, &member, TOKEN_LIFETIME))
}
