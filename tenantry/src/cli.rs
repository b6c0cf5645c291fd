//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::configuration::Settings;

/// A self-hosted gateway between Microsoft clouds and the people who manage them for others.
///
/// Exit codes: 0 done, 1 something failed, 2 the command line is wrong, 78 the configuration is wrong.
#[derive(Parser)]
#[command(name = "tenantry", version, max_term_width = 100)]
pub struct Cli {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as `info,worker=debug`.
    #[arg(long, global = true, env = "TENANTRY_LOG")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Try everything on this machine: api, worker and a simulated Microsoft cloud in one process.
    Demo(DemoArguments),
    /// Run api and worker in one process: a small installation.
    Serve(Box<Settings>),
    /// Run an api process; any number of them share one PostgreSQL and one Redis.
    Api(Box<Settings>),
    /// Run a worker process; any number of them share one PostgreSQL and one Redis.
    Worker(Box<Settings>),
    /// Bring the database's tables up to date.
    Migrate(MigrateArguments),
    /// Run the simulated Microsoft cloud alone.
    Simulate(SimulateArguments),
    /// Print a one-time link by which the first person becomes an organization's administrator.
    Bootstrap(BootstrapArguments),
    /// Print a signed development token: what a viewer presents to the api.
    Token(TokenArguments),
    /// Print the GraphQL schema.
    Schema,
    /// The data keys, under which secrets are stored.
    Keys(KeysArguments),
    /// Check the audit, or export it.
    Audit(AuditArguments),
}

#[derive(Args)]
pub struct KeysArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub key: crate::configuration::KeySettings,
    /// What to do with them.
    #[command(subcommand)]
    pub command: KeysCommand,
}

#[derive(Clone, Copy, Subcommand)]
pub enum KeysCommand {
    /// List the data keys: what each is for, since when, under which encryption key, and how many values need it.
    List,
    /// Make a new data key, seal every stored secret under it, and delete the former one, while everything is
    /// serving; seal the data keys under the current encryption key. May be stopped and run again at any time.
    ///
    /// To replace the encryption key: set `TENANTRY_ENCRYPTION_KEY` to the new one and
    /// `TENANTRY_FORMER_ENCRYPTION_KEYS` to the old one, restart every process, run this, and unset
    /// `TENANTRY_FORMER_ENCRYPTION_KEYS`. Development tokens end with the data key that signed them.
    Rotate,
}

#[derive(Args)]
pub struct AuditArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check that no event was altered, removed, added or moved. Tells the first fault of each organization, and
    /// exits with 1 if there is any.
    Verify(AuditVerifyArguments),
    /// Print the events of an organization as lines of JSON, the oldest first. The audit tells of it.
    Export(AuditExportArguments),
}

#[derive(Args)]
pub struct AuditVerifyArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub key: crate::configuration::KeySettings,
    /// The organization's name; every organization if it is not given.
    #[arg(long)]
    pub organization: Option<String>,
}

#[derive(Args)]
pub struct AuditExportArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub key: crate::configuration::KeySettings,
    /// The organization's name.
    #[arg(long)]
    pub organization: String,
    /// Only what happened at this time or later, such as `2026-11-24T09:30:00Z`.
    #[arg(long)]
    pub from: Option<DateTime<Utc>>,
    /// Only what happened before this time.
    #[arg(long)]
    pub to: Option<DateTime<Utc>>,
}

#[derive(Args)]
pub struct DatabaseArguments {
    /// The database: `postgres://user:password@host/name` or `sqlite://path/to/file.db`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
}

#[derive(Args)]
pub struct MigrateArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub wall: WallSettings,
}

/// Whether `PostgreSQL` itself is to keep organizations apart.
#[derive(Args)]
pub struct WallSettings {
    /// Row-level security of PostgreSQL, the second wall around an organization: `migrate` and `serve` switch it,
    /// `api` and `worker` refuse to start if it is otherwise. Left as it is if this is not set.
    #[arg(long, env = "TENANTRY_ROW_LEVEL_SECURITY", value_enum)]
    pub row_level_security: Option<Switch>,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

#[derive(Args)]
pub struct DemoArguments {
    /// Where the api listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the database and the demo's key are kept between two starts.
    #[arg(long, default_value = "tenantry-data")]
    pub data_dir: PathBuf,
    /// What the simulated cloud is made from: the same seed is the same cloud.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Subscriptions in the simulated cloud.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub subscriptions: u32,
    /// Resources in the simulated cloud, over all subscriptions.
    #[arg(long, default_value_t = 2_400, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    pub resources: u64,
    /// Stop when the onboarding has ended instead of going on to serve.
    #[arg(long)]
    pub exit_when_done: bool,
}

#[derive(Args)]
pub struct SimulateArguments {
    /// Where the simulated cloud listens.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// What the simulated cloud is made from: the same seed is the same cloud.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Subscriptions.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub subscriptions: u32,
    /// Resources, over all subscriptions.
    #[arg(long, default_value_t = 2_400, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    pub resources: u64,
    /// Users of the directory, with their Office 365 licences; those who can sign in are the first nine.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub users: u32,
    /// Groups of the directory.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub groups: u32,
    /// How long each answer takes at least, such as `100ms` or `2s`.
    #[arg(long, default_value = "0ms", value_parser = parse_duration)]
    pub latency: std::time::Duration,
    /// How long a role assignment takes until it works.
    #[arg(long, default_value = "0ms", value_parser = parse_duration)]
    pub propagation: std::time::Duration,
    /// Throttle as Microsoft does: token buckets, Resource Graph quota, resource units, requests for reports.
    #[arg(long)]
    pub throttle: bool,
    /// Serve https with this certificate chain (PEM); needs --tls-key.
    #[arg(long, requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

/// A member's role.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Starts work.
    Editor,
    /// Decides who may do what.
    Admin,
}

#[derive(Args)]
pub struct TokenArguments {
    /// The database that holds the organization and the member.
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub key: crate::configuration::KeySettings,
    /// The organization's name; it is created if there is none of this name.
    #[arg(long, default_value = "Default")]
    pub organization: String,
    /// The member's role; a member of this role is created if there is none.
    #[arg(long, value_enum, default_value = "admin")]
    pub role: Role,
    /// How long the token is good for, such as `8h` or `30m`; at most 30 days.
    #[arg(long, default_value = "8h", value_parser = parse_duration)]
    pub expires_in: std::time::Duration,
}

#[derive(Args)]
pub struct BootstrapArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub key: crate::configuration::KeySettings,
    /// The address under which people reach the api, such as `https://tenantry.example.com`.
    #[arg(long, env = "TENANTRY_PUBLIC_URL")]
    pub public_url: url::Url,
    /// The organization's name; it is created if there is none of this name.
    #[arg(long, default_value = "Default")]
    pub organization: String,
}

fn parse_duration(text: &str) -> Result<std::time::Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}
