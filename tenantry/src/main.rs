//! The executable: one binary, one image, sub-commands.

mod audit;
mod bootstrap;
mod cli;
mod configuration;
mod demo;
mod development;
mod keys;
mod runtime;
mod simulate;
mod telemetry;
mod wall;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use configuration::Problems;
use mimalloc::MiMalloc;
use worker::keys::KeysError;

/// The exit code of a configuration that cannot work (`EX_CONFIG` of `sysexits.h`).
const EX_CONFIG: u8 = 78;

/// Quicker than the system's where one thread frees what another one made.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(cli.log.as_deref(), matches!(cli.command, Command::Demo(_)));
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::from(error)),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Serve(settings) => runtime::serve(settings.check(configuration::Needs::Serve)?).await,
        Command::Api(settings) => runtime::api(settings.check(configuration::Needs::Apart)?).await,
        Command::Worker(settings) => runtime::worker(settings.check(configuration::Needs::Apart)?).await,
        Command::Migrate(arguments) => runtime::migrate(&arguments).await,
        Command::Simulate(arguments) => simulate::run(arguments).await,
        Command::Bootstrap(arguments) => bootstrap::print_link(&arguments).await,
        Command::Token(arguments) => development::print_token(arguments).await,
        Command::Audit(arguments) => audit::run(arguments.command).await,
        Command::Schema => {
            println!("{}", api::graphql::sdl());
            Ok(())
        }
        Command::Keys(arguments) => keys::run(arguments).await,
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("tenantry: {error:#}");
    let wrong_keys = matches!(error.downcast_ref(), Some(KeysError::Keyring(_)));
    if wrong_keys || error.is::<Problems>() { ExitCode::from(EX_CONFIG) } else { ExitCode::FAILURE }
}
