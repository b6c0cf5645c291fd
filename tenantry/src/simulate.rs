//! The simulated Microsoft cloud alone.

use std::fs;

use anyhow::Context as _;
use simulator::{Config, Simulator, Tls};

use crate::cli::SimulateArguments;
use crate::runtime::stop_signal;

/// `tenantry simulate`.
pub async fn run(arguments: SimulateArguments) -> anyhow::Result<()> {
    let tls = match arguments.tls_certificate.zip(arguments.tls_key) {
        Some((certificate, key)) => Some(Tls {
            certificate_pem: fs::read_to_string(certificate).context("reading --tls-certificate")?,
            key_pem: fs::read_to_string(key).context("reading --tls-key")?,
        }),
        None => None,
    };
    let config = Config {
        seed: arguments.seed,
        subscriptions: arguments.subscriptions,
        resources: arguments.resources,
        users: arguments.users,
        groups: arguments.groups,
        latency: arguments.latency,
        propagation: arguments.propagation,
        throttle: arguments.throttle,
        tls,
        ..Config::default()
    };
    let simulator = Simulator::start(config, arguments.listen)?;
    println!("{}", summary(&simulator));
    stop_signal().await?;
    simulator.stop().await;
    Ok(())
}

/// What somebody needs to know to use the simulated cloud: none of it is secret, all of it is made up.
fn summary(simulator: &Simulator) -> String {
    let (automation_id, automation_secret) = simulator.automation();
    let base = simulator.base_url();
    format!(
        "A simulated Microsoft cloud listens at {base}\n\n\
         MICROSOFT_LOGIN_URL={base}\n\
         MICROSOFT_ARM_URL={base}\n\
         MICROSOFT_GRAPH_URL={base}\n\
         MICROSOFT_CONSUMPTION_URL={base}\n\
         MICROSOFT_CLIENT_ID={client_id}\n\
         MICROSOFT_CLIENT_SECRET={client_secret}\n\n\
         tenant              {tenant}\n\
         another tenant      {other}\n\
         automation          {automation_id}\n\
         automation's secret {automation_secret}",
        client_id = simulator.client_id(),
        client_secret = simulator.client_secret(),
        tenant = simulator.tenant_id(),
        other = simulator.other_tenant_id(),
    )
}
