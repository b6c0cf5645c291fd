//! Usage reports, against a simulated cloud.

mod budget;
mod links;
mod odd;
mod whole;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use microsoft::graph::report::mailbox::Mailbox;
use microsoft::{Fetched, Microsoft, MicrosoftError, Period, Report, Rows, Settings};
use simulator::{Call, Config, Fault, Simulator};
use url::Url;
use uuid::Uuid;

/// 2023-03-19, 08:54:46 UTC.
const BEGINNING: i64 = 1_679_216_086;

/// A cloud that granted the app its permissions, and a client of it.
struct Cloud {
    simulator: Simulator,
    microsoft: Microsoft,
    seconds: Arc<AtomicI64>,
}

impl Cloud {
    fn start() -> Self {
        Self::granting(&["Reports.Read.All"])
    }

    fn granting(permissions: &[&str]) -> Self {
        let seconds = Arc::new(AtomicI64::new(BEGINNING));
        let config = Config { clock: clock(&seconds), ..Config::default() };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(config, listen).expect("a simulator");
        simulator.grant_permissions(permissions);
        let microsoft = client(&simulator, &seconds);
        Self { simulator, microsoft, seconds }
    }

    /// A client that knows nothing of what the first one has spent.
    fn another_client(&self) -> Microsoft {
        client(&self.simulator, &self.seconds)
    }

    fn tenant(&self) -> Uuid {
        self.simulator.tenant_id()
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn plan(&self, fault: Fault) {
        self.simulator.faults().plan(fault);
    }

    async fn fetch<R: Report>(&self, period: Period) -> Result<Fetched<R>, MicrosoftError> {
        self.microsoft.graph().report(self.tenant(), period, None).await
    }

    async fn mailboxes(&self) -> Result<(Vec<Mailbox>, Rows<Mailbox>), MicrosoftError> {
        read(self.fetch(Period::D7).await?).await
    }

    /// What was asked of Graph about reports.
    fn asked(&self) -> Vec<Call> {
        self.calls(|path| path.starts_with("/v1.0/reports/"))
    }

    /// What was asked of the host of reports.
    fn opened(&self) -> Vec<Call> {
        self.calls(|path| path.starts_with("/data/download/"))
    }

    fn calls(&self, which: impl Fn(&str) -> bool) -> Vec<Call> {
        self.simulator.calls().into_iter().filter(|call| which(&call.path)).collect()
    }
}

fn clock(seconds: &Arc<AtomicI64>) -> Arc<dyn Fn() -> DateTime<Utc> + Send + Sync> {
    let told = Arc::clone(seconds);
    Arc::new(move || DateTime::from_timestamp(told.load(Ordering::SeqCst), 0).unwrap_or_default())
}

fn client(simulator: &Simulator, seconds: &Arc<AtomicI64>) -> Microsoft {
    let base: Url = simulator.base_url().parse().expect("a URL");
    let settings = Settings {
        login_url: base.clone(),
        arm_url: base.clone(),
        graph_url: base.clone(),
        consumption_url: base,
        report_hosts: microsoft::ReportHosts::default(),
        client_id: simulator.client_id().to_string(),
        client_secret: simulator.client_secret().into(),
        redirect_uri: "http://127.0.0.1/consent/callback".parse().expect("a URL"),
    };
    Microsoft::new(settings, clock(seconds)).expect("a client")
}

/// Reads a report to its end.
async fn read<R: Report>(fetched: Fetched<R>) -> Result<(Vec<R>, Rows<R>), MicrosoftError> {
    let Fetched::Report(mut rows) = fetched else { panic!("it was modified") };
    let mut all = Vec::new();
    while let Some(batch) = rows.next_batch().await? {
        assert!(!batch.is_empty() && batch.len() <= 500);
        all.extend(batch);
    }
    assert!(matches!(rows.next_batch().await, Ok(None)), "the end stays the end");
    Ok((all, rows))
}
