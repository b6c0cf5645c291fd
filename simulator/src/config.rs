//! What a simulated cloud is made of.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A certificate chain and its key, to answer by https.
#[derive(Clone)]
pub struct Tls {
    /// The chain, PEM.
    pub certificate_pem: String,
    /// The private key, PEM.
    pub key_pem: String,
}

/// What a simulated cloud is made of. The same configuration is the same cloud.
#[derive(Clone)]
pub struct Config {
    /// From what everything is derived.
    pub seed: u64,
    /// Subscriptions of the tenant.
    pub subscriptions: u32,
    /// Resources, over all subscriptions.
    pub resources: u64,
    /// Users of the directory; those who can sign in are the first of them.
    pub users: u32,
    /// Its groups.
    pub groups: u32,
    /// Whether the tenant has Office 365: without it nobody has a licence, and reports are empty. (What Graph
    /// answers of reports there is not documented.)
    pub office365: bool,
    /// The application permissions of Graph that Tenantry's app registration asks for.
    pub permissions: Vec<String>,
    /// How long each answer takes at least.
    pub latency: Duration,
    /// Whether to throttle as Microsoft does.
    pub throttle: bool,
    /// How long it takes at least until a fresh token shows that a role assignment was made or taken away; an
    /// older token shows it four times later.
    pub propagation: Duration,
    /// How much longer than that it takes at most: seed and name of the assignment decide.
    pub propagation_spread: Duration,
    /// How long after a consent the directory denies knowing the service principal.
    pub replication: Duration,
    /// The time.
    pub clock: Clock,
    /// Tenantry's app registration.
    pub client_id: Uuid,
    /// Its secret.
    pub client_secret: String,
    /// Where its sign-ins may be sent back to, exactly; an `http` address on this machine matches with any port.
    pub redirect_uris: Vec<String>,
    /// The same for its platform "single-page application", whose codes are redeemed without the secret, by a
    /// page on the same origin.
    pub spa_redirect_uris: Vec<String>,
    /// How long access tokens last; none: 60 to 90 minutes, by chance.
    pub token_lifetime: Option<Duration>,
    /// The most rows on a page of Azure Resource Manager's lists.
    pub page_size: usize,
    /// The most rows on a page of Graph's lists; a caller may ask for fewer, and is given 100 unless it asks.
    pub graph_page_size: usize,
    /// How many calls are remembered, at about half a kilobyte each.
    pub remembered_calls: usize,
    /// Answer by https.
    pub tls: Option<Tls>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 7,
            subscriptions: 12,
            resources: 2_400,
            users: 250,
            groups: 40,
            office365: true,
            permissions: ["Group.Read.All", "Reports.Read.All", "User.Read.All"].map(str::to_owned).to_vec(),
            latency: Duration::ZERO,
            throttle: false,
            propagation: Duration::ZERO,
            propagation_spread: Duration::ZERO,
            replication: Duration::ZERO,
            clock: Arc::new(machine_clock),
            client_id: Uuid::from_u128(0x7e2a_0000_0000_4000_8000_0000_0000_0001),
            client_secret: "simulated-secret-of-tenantry".to_owned(),
            redirect_uris: vec![
                "http://127.0.0.1/consent/callback".to_owned(),
                "http://127.0.0.1/sign-in/callback".to_owned(),
            ],
            spa_redirect_uris: vec!["http://127.0.0.1/spa".to_owned()],
            token_lifetime: None,
            page_size: 1_000,
            graph_page_size: 999,
            remembered_calls: 100_000,
            tls: None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine_clock() -> DateTime<Utc> {
    Utc::now()
}
