//! Whether one consent window is enough for 1,000 subscriptions with 500,000 resources, and for 5,000 with 2,000,000:
//! Azure answers after 100 ms, enforces its published limits, and lets a new role work after up to ten minutes.
//!
//! That takes as long as it takes, so it is done in simulated time (`support::simulated_time`). The simulated cloud is
//! in this process; beside it is the real executable, api and worker in one. Its queue is in memory: Redis does not run
//! below faketime, and by its own clock it would keep another time. PostgreSQL keeps the true time and asks nobody.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use simulator::{Config, Decision, Person, Simulator};
use support::figures::{Figure, of, peak_memory};
use support::limits::{Onboarding, PROPAGATION};
use support::postgres::PostgresServer;
use support::processes::{Installation, Process};
use support::simulated_time::{Processors, factor, run_again};

/// Who owns every subscription.
const OWNER: &str = "group-owner";

const LATENCY: Duration = Duration::from_millis(100);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// For so long the quota of whoever asked for a plan is not used.
const QUOTA: Duration = Duration::from_secs(10);

/// In percent of all calls.
const LIMIT_OF_REFUSALS: f64 = 1.0;

/// Subscriptions, their resources, and how many times faster time passes: two cores have to keep up.
const SIZES: [(u32, u64, u32); 2] = [(1_000, 500_000, 5), (5_000, 2_000_000, 2)];

/// What this program is told when it runs again: the size, where the database is, and where the memory is written.
const SIZE: &str = "TENANTRY_BENCH_SIZE";
const DATABASE: &str = "TENANTRY_BENCH_DATABASE";
const MEMORY: &str = "TENANTRY_BENCH_MEMORY";

#[tokio::main]
async fn main() -> Result<()> {
    match factor() {
        Some(factor) => inside(factor).await,
        None => outside().await,
    }
}

/// In the machine's time: everything that is not ours to wait for.
async fn outside() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut peaks = Vec::new();
    for (size, (.., factor)) in SIZES.into_iter().enumerate() {
        let server = PostgresServer::durable().await?;
        let memory = folder.path().join(size.to_string());
        let variables = [
            (SIZE, size.to_string()),
            (DATABASE, server.url().expose_secret().to_owned()),
            (MEMORY, memory.display().to_string()),
        ];
        run_again(factor, &variables).await?;
        peaks.push(fs::read_to_string(memory)?.parse::<f64>()?);
    }
    if let [small, large] = peaks[..] {
        let what = "peak of api and worker, four times the resources";
        Figure { what, unit: "MB", ours: large, theirs: small, whose: "a quarter of them" }.print();
    }
    Ok(())
}

/// In simulated time.
async fn inside(factor: u32) -> Result<()> {
    let told = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
    let size: usize = told(SIZE)?.parse()?;
    let (subscriptions, resources, _) = *SIZES.get(size).context("there is no such size")?;
    let scene = Scene::set(subscriptions, resources, told(DATABASE)?.into()).await?;
    let eta = scene.eta().await?;
    let before = Processors::now()?;
    let ended = scene.onboard().await?;
    let used = Processors::now()?.used_since(&before);
    println!("{subscriptions} subscriptions, {resources} resources, in simulated time: x{factor}");
    scene.print(&ended, eta).await?;
    Figure { what: "processors used", unit: "%", ours: used, theirs: 100.0, whose: "all" }.print();
    let peak = peak_memory(scene.process.id())?;
    Figure { what: "peak of api and worker", unit: "MB", ours: peak, theirs: 250.0, whose: "limit" }.print();
    fs::write(told(MEMORY)?, peak.to_string())?;
    Ok(())
}

/// An installation, and a tenant that nobody has consented for.
struct Scene {
    subscriptions: u32,
    resources: u64,
    installation: Installation,
    process: Process,
    database: DatabaseConnection,
}

/// How an onboarding went.
struct Ended {
    opened: DateTime<Utc>,
    /// None: the hour was over before.
    finished: Option<DateTime<Utc>>,
    erased: Option<DateTime<Utc>>,
    /// What it was expected to take when it began.
    eta: Option<f64>,
}

impl Scene {
    async fn set(subscriptions: u32, resources: u64, database_url: SecretString) -> Result<Self> {
        let config = Config {
            subscriptions,
            resources,
            latency: LATENCY,
            throttle: true,
            propagation_spread: PROPAGATION,
            ..Config::default()
        };
        let mut installation = Installation::single_over(config, database_url.clone())?;
        installation.environment =
            [("TENANTRY_LOG", "warn"), ("TENANTRY_WORKER_LEASE", "30s"), ("TENANTRY_SWEEP_EVERY", "1m")]
                .map(|(name, value)| (name, value.to_owned()))
                .to_vec();
        enable_all(&installation.simulator);
        let process = installation.serve().await?;
        let database = migration::connect(database_url.expose_secret(), 1).await?;
        Ok(Self { subscriptions, resources, installation, process, database })
    }

    /// What a plan in a window of its own says that it takes, in seconds.
    async fn eta(&self) -> Result<f64> {
        let consent = self.consent(true).await?;
        let query = "query($id: ID!) { planOnboarding(consentId: $id) { estimate { durationSeconds } } }";
        let data = self.ask(query, json!({ "id": consent })).await?;
        let eta =
            data["planOnboarding"]["estimate"]["durationSeconds"].as_f64().context("there is no plan")?;
        let close = "mutation($id: ID!) { closeWindow(input: { consentId: $id }) { userErrors { code } } }";
        self.ask(close, json!({ "id": consent })).await?;
        tokio::time::sleep(QUOTA).await;
        self.installation.simulator.clear_calls();
        Ok(eta)
    }

    /// The owner consents, and the operation ends, or the hour.
    async fn onboard(&self) -> Result<Ended> {
        let consent = self.consent(false).await?;
        loop {
            let ended = self.look(&consent).await?;
            let now = entity::Clock::system().now();
            if ended.finished.is_some() || now - ended.opened >= TimeDelta::hours(1) {
                return Ok(ended);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self, consent: &str) -> Result<Ended> {
        let query = "query($id: ID!) { consent(id: $id) {
            erasedAt window { opensAt } operation { finishedAt estimate { durationSeconds } } } }";
        let data = self.ask(query, json!({ "id": consent })).await?;
        let consent = &data["consent"];
        let operation = &consent["operation"];
        let moment = |value: &Value| value.as_str().map(str::parse).transpose();
        Ok(Ended {
            opened: moment(&consent["window"]["opensAt"])?.context("no window has opened")?,
            finished: moment(&operation["finishedAt"])?,
            erased: moment(&consent["erasedAt"])?,
            eta: operation["estimate"]["durationSeconds"].as_f64(),
        })
    }

    async fn consent(&self, holds: bool) -> Result<String> {
        let query = "mutation($input: StartConsentInput!) { startConsent(input: $input) {
            consent { id } authorizationUrl } }";
        let input = json!({ "tenant": self.installation.simulator.tenant_id(), "holdWindow": holds });
        let data = self.ask(query, json!({ "input": input })).await?;
        let started = &data["startConsent"];
        let link = started["authorizationUrl"].as_str().context("no consent was started")?;
        let page = Person::new(OWNER).consent(link, Decision::Accept).await?;
        ensure!(page.status == 200, "the consent ended with {}", page.status);
        Ok(started["consent"]["id"].as_str().context("no consent")?.to_owned())
    }

    async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        self.installation.ask(0, query, variables).await
    }

    async fn print(&self, ended: &Ended, eta: f64) -> Result<()> {
        let hour = self.print_done().await?;
        let seconds = |until: Option<DateTime<Utc>>| {
            until.map_or(hour, |until| (until - ended.opened).as_seconds_f64())
        };
        let took = seconds(ended.finished);
        let path = Onboarding {
            subscriptions: self.subscriptions.into(),
            resources: self.resources,
            latency: LATENCY,
        };
        let path = path.critical_path().as_secs_f64();
        for (what, ours, theirs, whose) in [
            ("grant to the last resource", took, path, "critical path by the published limits"),
            ("the same as planOnboarding told", took, eta, "its estimate"),
            ("the same as the operation told", took, ended.eta.unwrap_or_default(), "its estimate"),
            ("window that was needed", seconds(ended.erased), hour, "an hour"),
        ] {
            Figure { what, unit: "s", ours, theirs, whose }.print();
        }
        self.print_calls();
        Ok(())
    }

    /// Answers an hour's seconds.
    async fn print_done(&self) -> Result<f64> {
        let granted = "select count(distinct subscription_id) as number from operation_step \
                       where outcome in ('GRANTED', 'ALREADY_GRANTED', 'INHERITED')";
        let scanned = "select count(distinct subscription_id) as number from operation_step where scanned";
        let resources = "select count(*) as number from resource where deleted_at is null";
        for (what, rows, all) in [
            ("granted when the hour ended", granted, u64::from(self.subscriptions)),
            ("scanned when the hour ended", scanned, u64::from(self.subscriptions)),
            ("resources stored when the hour ended", resources, self.resources),
        ] {
            let found = self.number(rows).await?;
            Figure { what, unit: "", ours: of(found), theirs: of(all), whose: "all" }.print();
        }
        Ok(3_600.0)
    }

    fn print_calls(&self) {
        let calls = self.installation.simulator.calls();
        let refused = calls.iter().filter(|call| call.status == 429).count() as u64;
        let all = calls.len() as u64;
        Figure {
            what: &format!("refused calls ({refused} of {all})"),
            unit: "%",
            ours: 100.0 * of(refused) / of(all.max(1)),
            theirs: LIMIT_OF_REFUSALS,
            whose: "limit",
        }
        .print();
    }

    async fn number(&self, query: &str) -> Result<u64> {
        let statement = Statement::from_string(self.database.get_database_backend(), query);
        let row = self.database.query_one_raw(statement).await?;
        let number: i64 = row.map(|row| row.try_get("", "number")).transpose()?.unwrap_or_default();
        Ok(u64::try_from(number)?)
    }
}

/// The seed disables one for tests.
fn enable_all(simulator: &Simulator) {
    for one in simulator.subscriptions() {
        if one.state != "Enabled" {
            simulator.set_disabled(one.id, false);
        }
    }
}
