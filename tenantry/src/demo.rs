//! Everything on this machine: a person consents in a simulated Microsoft cloud, a tenant is onboarded, and
//! the api goes on serving it.

mod front_end;
mod screen;
mod secrets;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::sign_in::invitation_link;
use chrono::TimeDelta;
use entity::member;
use front_end::FrontEnd;
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};
use secrecy::SecretString;
use simulator::{Config, Decision, Person, Simulator};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::Pace;

use crate::bootstrap::{ensure_organization, invite_administrator};
use crate::cli::DemoArguments;
use crate::configuration::{Configuration, callback, entra, redirect_uri};
use crate::runtime::{Parts, Tables, drain, stop_signal};

/// How long the simulated cloud takes to answer, and to let a new role work: enough to watch.
const LATENCY: Duration = Duration::from_millis(15);
const PROPAGATION: Duration = Duration::from_millis(1_500);

/// How long the demonstration's token is good for.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(12);

/// `tenantry demo`.
pub async fn run(arguments: DemoArguments) -> anyhow::Result<()> {
    let simulator = start_simulator(&arguments)?;
    let parts = Parts::assemble(configuration(&arguments, &simulator)?, Tables::Migrate).await?;
    let shutdown = CancellationToken::new();
    let server = parts.start_api(shutdown.clone())?;
    let worker = parts.start_worker(shutdown.clone());
    let front_end = sign_in(&parts, &simulator).await?;

    let shown = tokio::select! {
        shown = onboard(&arguments, &front_end, &simulator) => shown,
        stopped = stop_signal() => stopped.map_err(Into::into),
    };
    if shown.is_ok() && !arguments.exit_when_done {
        let token = front_end.create_access_token(parts.clock.now() + TOKEN_LIFETIME).await?;
        println!("{}", screen::invitation(&parts.configuration.public_url, &token));
        stop_signal().await?;
        println!("Stopping: what is under way is finished first.");
    }
    drain(shutdown, Some(server), Some(worker)).await?;
    simulator.stop().await;
    shown
}

/// The demonstration's administrator, signed in at the simulated issuer: the first time by a one-time link, and
/// again by one whenever the issuer has moved to another address.
async fn sign_in(parts: &Parts, simulator: &Simulator) -> anyhow::Result<FrontEnd> {
    let public_url = &parts.configuration.public_url;
    let organization = ensure_organization(&parts.database, &parts.clock, "Demo").await?;
    let known = member::Entity::with_identity()
        .filter(member::Column::OrganizationId.eq(organization.id))
        .filter(member::Column::Issuer.starts_with(simulator.base_url()));
    let link = if known.count(&parts.database).await? > 0 {
        public_url.join("sign-in")?
    } else {
        let invited =
            invite_administrator(&parts.database, &parts.keyring, &parts.clock, &organization, "Mona Member");
        invitation_link(public_url, &invited.await?)
    };
    println!("Mona Member, administrator of the organization Demo, signs in at the simulated issuer.");
    FrontEnd::sign_in(public_url, &link).await
}

/// The consent, and everything that follows from it, as a member and a customer's administrator see it.
async fn onboard(
    arguments: &DemoArguments,
    front_end: &FrontEnd,
    simulator: &Simulator,
) -> anyhow::Result<()> {
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
    let ended = screen::follow(front_end, &operation).await?;
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
        redirect_uris: vec![callback(&public_url).to_string(), redirect_uri(&public_url).to_string()],
        ..Config::default()
    };
    // The same address at the next start, if it is free: members are known by their issuer.
    let beside = arguments.listen.port().checked_add(1).unwrap_or_default();
    let at = |port| Simulator::start(config.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    at(beside).or_else(|_| at(0)).context("starting the simulated cloud")
}

fn configuration(arguments: &DemoArguments, simulator: &Simulator) -> anyhow::Result<Configuration> {
    std::fs::create_dir_all(&arguments.data_dir).context("creating --data-dir")?;
    let database = arguments.data_dir.join("tenantry.db");
    let cloud = Url::parse(&simulator.base_url())?;
    let public_url = public_url(arguments.listen)?;
    let client_id = simulator.client_id().to_string();
    Ok(Configuration {
        database_url: SecretString::from(format!("sqlite://{}", database.display())),
        redis_url: None,
        listen: arguments.listen,
        encryption_keys: secrets::encryption_keys(&arguments.data_dir)?,
        microsoft: microsoft::Settings {
            login_url: cloud.clone(),
            arm_url: cloud.clone(),
            graph_url: cloud.clone(),
            consumption_url: cloud.clone(),
            report_hosts: microsoft::ReportHosts::default(),
            client_id: client_id.clone(),
            client_secret: SecretString::from(simulator.client_secret()),
            redirect_uri: callback(&public_url),
        },
        sign_in: microsoft::ProviderSettings {
            issuer: entra(&cloud),
            audiences: vec![client_id.clone(), format!("api://{client_id}")],
            client_id,
            client_secret: Some(SecretString::from(simulator.client_secret())),
            redirect_uri: redirect_uri(&public_url),
            tenants: Vec::new(),
        },
        public_url,
        allowed_origins: Vec::new(),
        worker_lease: Duration::from_secs(30),
        pace: Pace { first_look: Duration::from_millis(500), ..Pace::default() },
        client_secret_expires_at: None,
        behind_proxy: false,
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
