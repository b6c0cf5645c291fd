//! The configuration: read from the environment or the command line, checked as a whole.

mod sign_in;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use entity::EncryptionKeys;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use worker::Pace;

use crate::cli::{Switch, WallSettings};
pub use sign_in::{SignInSettings, entra, redirect_uri};

/// Less would only be noise.
const SHORTEST: Duration = Duration::from_secs(1);

/// What was done must be known for a while.
const SHORTEST_RETENTION: Duration = Duration::from_hours(30 * 24);

/// What api and worker need. Every setting is also an environment variable.
#[derive(Args)]
pub struct Settings {
    /// The database: `postgres://user:password@host/name`, or `sqlite://path/to/file.db` for `serve`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretString>,
    /// Redis: `redis://host:6379`. `serve` does without, `api` and `worker` meet through it.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<SecretString>,
    /// Where the api listens.
    #[arg(long, env = "TENANTRY_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The address under which people and Microsoft reach the api, such as `https://tenantry.example.com`.
    #[arg(long, env = "TENANTRY_PUBLIC_URL")]
    public_url: Option<String>,
    #[command(flatten)]
    key: KeySettings,
    /// The application (client) id of the app registration.
    #[arg(long, env = "MICROSOFT_CLIENT_ID")]
    microsoft_client_id: Option<String>,
    /// The app registration's client secret.
    #[arg(long, env = "MICROSOFT_CLIENT_SECRET", hide_env_values = true)]
    microsoft_client_secret: Option<SecretString>,
    /// A file that holds the client secret.
    #[arg(long, env = "MICROSOFT_CLIENT_SECRET_FILE")]
    microsoft_client_secret_file: Option<PathBuf>,
    /// When the client secret expires, as a date or a moment: from 30 days before, every tenant shows a warning.
    #[arg(long, env = "TENANTRY_CLIENT_SECRET_EXPIRES")]
    client_secret_expires: Option<String>,
    /// Where Entra ID is.
    #[arg(long, env = "MICROSOFT_LOGIN_URL", default_value = "https://login.microsoftonline.com")]
    microsoft_login_url: String,
    /// Where Azure Resource Manager is.
    #[arg(long, env = "MICROSOFT_ARM_URL", default_value = "https://management.azure.com")]
    microsoft_arm_url: String,
    /// Where Microsoft Graph is.
    #[arg(long, env = "MICROSOFT_GRAPH_URL", default_value = "https://graph.microsoft.com")]
    microsoft_graph_url: String,
    /// Where Azure's EA reporting service is.
    #[arg(long, env = "MICROSOFT_CONSUMPTION_URL", default_value = "https://consumption.azure.com")]
    microsoft_consumption_url: String,
    /// The hosts on which Microsoft hands out usage reports, parted by commas; a `*` stands for a part of a name.
    #[arg(
        long,
        env = "MICROSOFT_REPORT_HOSTS",
        value_delimiter = ',',
        default_value = microsoft::ReportHosts::MICROSOFTS
    )]
    microsoft_report_hosts: Vec<String>,
    #[command(flatten)]
    sign_in: SignInSettings,
    /// Origins of front ends that may call the api from a browser, parted by commas.
    #[arg(long, env = "TENANTRY_ALLOWED_ORIGINS", value_delimiter = ',')]
    allowed_origins: Vec<String>,
    /// After how long a worker that died is replaced by another.
    #[arg(long, env = "TENANTRY_WORKER_LEASE", default_value = "30s", value_parser = humantime::parse_duration)]
    worker_lease: Duration,
    /// How often workers look for operations that nobody attends to.
    #[arg(long, env = "TENANTRY_SWEEP_EVERY", default_value = "1m", value_parser = humantime::parse_duration)]
    sweep_every: Duration,
    #[command(flatten)]
    wall: WallSettings,
    /// Every request comes through a proxy, whose `X-Forwarded-For` says from where: for the audit.
    #[arg(long, env = "TENANTRY_BEHIND_PROXY")]
    behind_proxy: bool,
    /// Serve GraphiQL and introspection to everybody.
    #[arg(long, env = "TENANTRY_DEVELOPMENT")]
    development: bool,
    /// How long audit events are kept: 30 days at least.
    #[arg(long, env = "TENANTRY_AUDIT_RETENTION", default_value = "730days", value_parser = humantime::parse_duration)]
    audit_retention: Duration,
    /// How long changes of resources and tags are kept: 30 days at least.
    #[arg(long, env = "TENANTRY_HISTORY_RETENTION", default_value = "730days", value_parser = humantime::parse_duration)]
    history_retention: Duration,
}

/// The keys under which the keys of secrets are stored.
#[derive(Args)]
pub struct KeySettings {
    /// 32 random bytes in base64, such as `openssl rand -base64 32` prints.
    #[arg(long, env = "TENANTRY_ENCRYPTION_KEY", hide_env_values = true)]
    encryption_key: Option<SecretString>,
    /// A file that holds the encryption key.
    #[arg(long, env = "TENANTRY_ENCRYPTION_KEY_FILE")]
    encryption_key_file: Option<PathBuf>,
    /// Encryption keys that were replaced, parted by commas: they open what `tenantry keys rotate` has not
    /// sealed again yet.
    #[arg(long, env = "TENANTRY_FORMER_ENCRYPTION_KEYS", hide_env_values = true)]
    former_encryption_keys: Option<SecretString>,
    /// A file that holds the former encryption keys, parted by commas or lines.
    #[arg(long, env = "TENANTRY_FORMER_ENCRYPTION_KEYS_FILE")]
    former_encryption_keys_file: Option<PathBuf>,
}

/// Which processes the configuration is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Api and worker in one process.
    Serve,
    /// One of them, which meets the other through PostgreSQL and Redis.
    Apart,
}

/// A configuration that can work.
pub struct Configuration {
    /// The database.
    pub database_url: SecretString,
    /// Redis; none: everything is in this process.
    pub redis_url: Option<SecretString>,
    /// Where the api listens.
    pub listen: SocketAddr,
    /// Where the api is reached.
    pub public_url: Url,
    /// Seal and open the keys of secrets.
    pub encryption_keys: EncryptionKeys,
    /// Where Microsoft is, and who we are there.
    pub microsoft: microsoft::Settings,
    /// Where members sign in.
    pub sign_in: microsoft::ProviderSettings,
    /// Front ends on other origins.
    pub allowed_origins: Vec<String>,
    /// After how long a worker that died is replaced.
    pub worker_lease: Duration,
    /// How patient the jobs are.
    pub pace: Pace,
    /// When the client secret expires, if that is known.
    pub client_secret_expires_at: Option<DateTime<Utc>>,
    /// Whether every request comes through a proxy.
    pub behind_proxy: bool,
    /// Whether GraphiQL is served.
    pub development: bool,
    /// Whether PostgreSQL is to keep organizations apart; none: as it is.
    pub row_level_security: Option<Switch>,
}

/// Everything that is wrong with a configuration, in words and without values.
#[derive(Debug)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration cannot work:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Settings {
    /// Checks all of it, and reports every problem at once.
    pub fn check(self: Box<Self>, needs: Needs) -> Result<Configuration, Problems> {
        let mut problems = Vec::new();
        let database_url = self.database(needs, &mut problems);
        let redis_url = self.redis(needs, &mut problems);
        let listen = self.listen.parse().map_err(|_| {
            problems.push("TENANTRY_LISTEN is not an address with a port, such as 0.0.0.0:8080".to_owned());
        });
        let public_url = match &self.public_url {
            Some(text) => address("TENANTRY_PUBLIC_URL", text, &mut problems),
            None => missing("TENANTRY_PUBLIC_URL", &mut problems),
        };
        let encryption_keys = self.key.check(&mut problems);
        let client_id = match &self.microsoft_client_id {
            Some(id) if uuid::Uuid::try_parse(id).is_ok() => Some(id.clone()),
            Some(_) => {
                problems.push("MICROSOFT_CLIENT_ID is not a GUID".to_owned());
                None
            }
            None => missing("MICROSOFT_CLIENT_ID", &mut problems),
        };
        let client_secret = secret(
            "MICROSOFT_CLIENT_SECRET",
            self.microsoft_client_secret.as_ref(),
            self.microsoft_client_secret_file.as_ref(),
            &mut problems,
        );
        let login_url = address("MICROSOFT_LOGIN_URL", &self.microsoft_login_url, &mut problems);
        let arm_url = address("MICROSOFT_ARM_URL", &self.microsoft_arm_url, &mut problems);
        let graph_url = address("MICROSOFT_GRAPH_URL", &self.microsoft_graph_url, &mut problems);
        let consumption_url =
            address("MICROSOFT_CONSUMPTION_URL", &self.microsoft_consumption_url, &mut problems);
        if self.worker_lease < SHORTEST || self.sweep_every < SHORTEST {
            problems.push("TENANTRY_WORKER_LEASE and TENANTRY_SWEEP_EVERY are a second at least".to_owned());
        }
        if self.audit_retention < SHORTEST_RETENTION {
            problems.push("TENANTRY_AUDIT_RETENTION is 30days at least".to_owned());
        }
        if self.history_retention < SHORTEST_RETENTION {
            problems.push("TENANTRY_HISTORY_RETENTION is 30days at least".to_owned());
        }
        let client_secret_expires_at = self
            .client_secret_expires
            .as_deref()
            .and_then(|text| moment("TENANTRY_CLIENT_SECRET_EXPIRES", text, &mut problems));
        for origin in &self.allowed_origins {
            address("TENANTRY_ALLOWED_ORIGINS", origin, &mut problems);
        }
        let known = sign_in::Known {
            login_url: login_url.as_ref(),
            client_id: client_id.as_ref(),
            client_secret: client_secret.as_ref(),
            public_url: public_url.as_ref(),
        };
        let sign_in = self.sign_in.check(&known, &mut problems);
        let checked = || {
            let public_url = public_url?;
            let redirect_uri = callback(&public_url);
            let (login_url, arm_url, graph_url) = (login_url?, arm_url?, graph_url?);
            let (client_id, client_secret) = (client_id?, client_secret?);
            let microsoft = microsoft::Settings {
                login_url,
                arm_url,
                graph_url,
                consumption_url: consumption_url?,
                report_hosts: microsoft::ReportHosts::new(self.microsoft_report_hosts),
                client_id,
                client_secret,
                redirect_uri,
            };
            Some(Configuration {
                database_url: database_url?,
                redis_url,
                listen: listen.ok()?,
                public_url,
                encryption_keys: encryption_keys?,
                microsoft,
                sign_in: sign_in?,
                allowed_origins: self.allowed_origins,
                worker_lease: self.worker_lease,
                pace: Pace {
                    sweep_every: self.sweep_every,
                    unattended_after: self.sweep_every * 3 / 2,
                    audit_retention: self.audit_retention,
                    history_retention: self.history_retention,
                    ..Pace::default()
                },
                client_secret_expires_at,
                behind_proxy: self.behind_proxy,
                development: self.development,
                row_level_security: self.wall.row_level_security,
            })
        };
        checked().filter(|_| problems.is_empty()).ok_or(Problems(problems))
    }

    fn database(&self, needs: Needs, problems: &mut Vec<String>) -> Option<SecretString> {
        let Some(url) = &self.database_url else { return missing("DATABASE_URL", problems) };
        let text = url.expose_secret();
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if !postgres && !text.starts_with("sqlite:") {
            problems.push("DATABASE_URL begins neither with postgres:// nor with sqlite:".to_owned());
            return None;
        }
        if needs == Needs::Apart && !postgres {
            problems.push(
                "DATABASE_URL names SQLite, which one process owns: use PostgreSQL, or `tenantry serve`"
                    .to_owned(),
            );
        }
        if self.wall.row_level_security == Some(Switch::On) && !postgres {
            problems.push(
                "TENANTRY_ROW_LEVEL_SECURITY is on, and SQLite has no row-level security: use PostgreSQL"
                    .to_owned(),
            );
        }
        Some(url.clone())
    }

    fn redis(&self, needs: Needs, problems: &mut Vec<String>) -> Option<SecretString> {
        match &self.redis_url {
            None if needs == Needs::Apart => {
                problems.push(
                    "REDIS_URL is not set: api and worker processes meet through Redis; for a single process \
                     use `tenantry serve`"
                        .to_owned(),
                );
                None
            }
            Some(url) if !url.expose_secret().starts_with("redis") => {
                problems.push("REDIS_URL does not begin with redis://".to_owned());
                None
            }
            url => url.clone(),
        }
    }
}

impl KeySettings {
    /// The configured keys.
    pub fn check(&self, problems: &mut Vec<String>) -> Option<EncryptionKeys> {
        let current = secret(
            "TENANTRY_ENCRYPTION_KEY",
            self.encryption_key.as_ref(),
            self.encryption_key_file.as_ref(),
            problems,
        );
        let former = given(
            "TENANTRY_FORMER_ENCRYPTION_KEYS",
            self.former_encryption_keys.as_ref(),
            self.former_encryption_keys_file.as_ref(),
            problems,
        );
        let current = current
            .and_then(|text| encryption_key("TENANTRY_ENCRYPTION_KEY", text.expose_secret(), problems));
        let former = former.map(|texts| former_keys(&texts, problems)).unwrap_or_default();
        current.map(|current| EncryptionKeys::new(current, former))
    }

    /// The configured keys, where nothing else is configured.
    pub fn check_alone(&self) -> Result<EncryptionKeys, Problems> {
        let mut problems = Vec::new();
        self.check(&mut problems).filter(|_| problems.is_empty()).ok_or(Problems(problems))
    }
}

fn former_keys(texts: &SecretString, problems: &mut Vec<String>) -> Vec<[u8; 32]> {
    let texts = texts.expose_secret().split([',', '\n']).map(str::trim).filter(|text| !text.is_empty());
    texts.filter_map(|text| encryption_key("TENANTRY_FORMER_ENCRYPTION_KEYS", text, problems)).collect()
}

fn encryption_key(name: &str, text: &str, problems: &mut Vec<String>) -> Option<[u8; 32]> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
    let key = decoded.ok().and_then(|bytes| bytes.try_into().ok());
    if key.is_none() {
        let what = if name == "TENANTRY_ENCRYPTION_KEY" { "is not" } else { "holds what is not" };
        problems.push(format!("{name} {what} 32 bytes in base64; make one with `openssl rand -base64 32`"));
    }
    key
}

/// Where Microsoft sends the browser back to.
pub fn callback(public_url: &Url) -> Url {
    let mut url = public_url.clone();
    url.set_path("/consent/callback");
    url
}

fn missing<T>(name: &str, problems: &mut Vec<String>) -> Option<T> {
    problems.push(format!("{name} is not set"));
    None
}

fn address(name: &str, text: &str, problems: &mut Vec<String>) -> Option<Url> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        _ => {
            problems.push(format!("{name} is not an address that begins with http:// or https://"));
            None
        }
    }
}

/// A moment, or the day that begins then, in UTC.
fn moment(name: &str, text: &str, problems: &mut Vec<String>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|midnight| midnight.and_utc());
    let moment = text.parse().ok().or_else(day);
    if moment.is_none() {
        problems.push(format!(
            "{name} is neither a date nor a moment, such as 2027-06-30 or 2027-06-30T12:00:00Z"
        ));
    }
    moment
}

/// A secret that has to be given.
fn secret(
    name: &str,
    value: Option<&SecretString>,
    file: Option<&PathBuf>,
    problems: &mut Vec<String>,
) -> Option<SecretString> {
    if value.is_none() && file.is_none() {
        return missing(name, problems);
    }
    given(name, value, file, problems)
}

/// A secret that is given itself, or in a file; both at once is a mistake.
fn given(
    name: &str,
    value: Option<&SecretString>,
    file: Option<&PathBuf>,
    problems: &mut Vec<String>,
) -> Option<SecretString> {
    match (value, file) {
        (Some(_), Some(_)) => {
            problems.push(format!("{name} and {name}_FILE are both set: unset one of them"));
            None
        }
        (Some(value), None) => Some(value.clone()),
        (None, Some(file)) => match std::fs::read_to_string(file) {
            Ok(text) => Some(SecretString::from(text.trim_end())),
            Err(error) => {
                problems.push(format!("{name}_FILE cannot be read: {}", error.kind()));
                None
            }
        },
        (None, None) => None,
    }
}
