//! A simulated cloud with a clock that a test moves, and the client of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::DateTime;
use microsoft::{Graph, Microsoft, Settings};
use simulator::{Config, Decision, Opened, Person, Simulator};
use url::Url;
use uuid::Uuid;

/// 2026-01-09, 12:00 UTC.
const BEGINNING: i64 = 1_767_960_000;

pub struct Cloud {
    pub simulator: Simulator,
    pub microsoft: Microsoft,
    seconds: Arc<AtomicI64>,
}

impl Cloud {
    pub fn with(config: Config) -> Self {
        let seconds = Arc::new(AtomicI64::new(BEGINNING));
        let told = Arc::clone(&seconds);
        let clock = Arc::new(move || {
            DateTime::from_timestamp(told.load(Ordering::SeqCst), 0).expect("a time of our era")
        });
        let config = Config { clock: clock.clone(), ..config };
        let simulator =
            Simulator::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a simulator");
        let base: Url = simulator.base_url().parse().expect("an address");
        let settings = Settings {
            login_url: base.clone(),
            arm_url: base.clone(),
            graph_url: base.clone(),
            consumption_url: base,
            report_hosts: microsoft::ReportHosts::default(),
            client_id: simulator.client_id().to_string(),
            client_secret: simulator.client_secret().into(),
            redirect_uri: redirect_uri(),
        };
        let microsoft = Microsoft::new(settings, clock).expect("a client");
        Self { simulator, microsoft, seconds }
    }

    /// One in which these permissions are granted.
    pub fn granted(config: Config, permissions: &[&str]) -> Self {
        let cloud = Self::with(config);
        cloud.simulator.grant_permissions(permissions);
        cloud
    }

    /// One with the three permissions that are asked for.
    pub fn usual() -> Self {
        Self::granted(Config::default(), &["Group.Read.All", "Reports.Read.All", "User.Read.All"])
    }

    pub fn graph(&self) -> &Graph {
        self.microsoft.graph()
    }

    pub fn tenant(&self) -> Uuid {
        self.simulator.tenant_id()
    }

    /// Moves the clock.
    pub fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Where the person is sent back to by a page of Microsoft's.
    pub async fn sent_back(&self, page: &Url, user: &str, decision: Decision) -> Url {
        match Person::new(user).decide(page.as_str(), decision).await.expect("an answer") {
            Opened::Passed { to, .. } => to.parse().expect("an address"),
            Opened::Stayed(page) => panic!("stayed: {}", page.body),
        }
    }

    /// How often this path was asked for.
    pub fn calls_to(&self, path: &str) -> usize {
        self.simulator.count_calls(|call| call.path == path)
    }
}

fn redirect_uri() -> Url {
    "http://127.0.0.1:8080/consent/callback".parse().expect("an address")
}
