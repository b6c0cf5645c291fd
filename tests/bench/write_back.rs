//! How fast tags are written where Azure enforces its published limits and answers after 100 ms: 2,000 writes in one
//! subscription, beside Microsoft's own client with 16 threads and Cloud Custodian, and 500 in each of 20 subscriptions.
//! In all of them somebody else tags some of the same resources meanwhile.
//!
//! Each side has a simulated cloud of its own, of the same seed: buckets are never shared. It takes as long as it takes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{Config, Decision, Person, Simulator};
use support::figures::{Figure, of};
use support::postgres::PostgresServer;
use support::processes::{Installation, Process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

const LATENCY: Duration = Duration::from_millis(100);
/// Writes in one subscription.
const WRITES: usize = 2_000;
/// Subscriptions that are written to at once, and the writes in each.
const MANY: (u32, usize) = (20, 500);
/// Writes that Azure takes at once, and each second from then on.
const BUCKET: f64 = 200.0;
const REFILL: f64 = 10.0;
/// Every so many resources somebody else tags one too.
const EVERY: usize = 40;
/// The tag that every side writes.
const TAG: &str = "benchmark";

const PEERS: [Peer; 2] = [
    Peer {
        what: "the same by azure-mgmt-resource, 16 threads",
        python: "TENANTRY_BENCH_PYTHON",
        program: "write_tags.py",
    },
    Peer {
        what: "the same by Cloud Custodian, its 3 threads",
        python: "TENANTRY_BENCH_C7N_PYTHON",
        program: "write_tags_c7n.py",
    },
];

#[tokio::main]
async fn main() -> Result<()> {
    let floor = floor(WRITES);
    let ours = ours(1, WRITES).await?;
    ours.print("2,000 tag writes in one subscription", floor, 1.05);
    for peer in PEERS {
        if let Some(theirs) = peer.write().await? {
            theirs.print(peer.what, floor, 1.05);
        }
    }
    let (subscriptions, writes) = MANY;
    let many = self::ours(subscriptions, writes).await?;
    many.print("500 tag writes in each of 20 subscriptions", self::floor(writes), 1.10);
    Ok(())
}

/// Seconds that so many writes take at least.
fn floor(writes: usize) -> f64 {
    (of(writes as u64) - BUCKET).max(0.0) / REFILL
}

/// How it went.
struct Ended {
    seconds: f64,
    failed: u64,
    calls: u64,
    refused: u64,
    /// Of the resources that somebody else tagged meanwhile, those that still have that tag, and all.
    survived: (usize, usize),
}

impl Ended {
    fn print(&self, what: &str, floor: f64, most: f64) {
        Figure { what, unit: "s", ours: self.seconds, theirs: floor, whose: "what the limits allow" }.print();
        Figure { what: "  goal", unit: "s", ours: self.seconds, theirs: floor * most, whose: "at most" }
            .print();
        println!("  failed {}, calls {}, refused (429) {}", self.failed, self.calls, self.refused);
        let share = 100.0 * of(self.refused) / of(self.calls.max(1));
        Figure { what: "  refused calls", unit: "%", ours: share, theirs: 1.0, whose: "limit" }.print();
        println!("  tags of the other writer that survived: {} of {}", self.survived.0, self.survived.1);
    }
}

fn config(subscriptions: u32, resources: u64) -> Config {
    Config { subscriptions, resources, throttle: true, ..Config::default() }
}

/// An installation whose subscriptions are at `WRITE_TAGS`.
struct Scene {
    installation: Installation,
    _process: Process,
    _server: PostgresServer,
}

async fn ours(subscriptions: u32, writes: usize) -> Result<Ended> {
    // The smallest subscription of a seed has a ninth of the largest.
    let each = if subscriptions == 1 { writes * 6 / 5 } else { writes * 8 };
    let scene = Scene::set(subscriptions, u64::from(subscriptions) * each as u64).await?;
    let ids = scene.choose(writes).await?;
    scene.write(&ids).await
}

impl Scene {
    async fn set(subscriptions: u32, resources: u64) -> Result<Self> {
        let server = PostgresServer::durable().await?;
        let mut installation =
            Installation::single_over(config(subscriptions, resources), server.url().clone())?;
        installation.environment = vec![("TENANTRY_LOG", "warn".to_owned())];
        for one in installation.simulator.subscriptions() {
            installation.simulator.set_disabled(one.id, false);
        }
        let process = installation.serve().await?;
        let scene = Self { installation, _process: process, _server: server };
        scene.connect().await?;
        let simulator = &scene.installation.simulator;
        simulator.set_latency(LATENCY);
        simulator.clear_calls();
        Ok(scene)
    }

    async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        self.installation.ask(0, query, variables).await
    }

    async fn connect(&self) -> Result<()> {
        let start = "mutation($input: StartConsentInput!) { startConsent(input: $input) { consent { id } authorizationUrl } }";
        let input = json!({ "tenant": self.installation.simulator.tenant_id() });
        let data = self.ask(start, json!({ "input": input })).await?;
        self.accept(&data["startConsent"]["authorizationUrl"]).await?;
        self.ended("ONBOARD_TENANT").await?;
        let data = self.ask("{ subscriptions(first: 500) { nodes { id } } }", json!({})).await?;
        let ids: Vec<_> =
            data["subscriptions"]["nodes"].as_array().into_iter().flatten().map(|one| &one["id"]).collect();
        let change =
            "mutation($ids: [ID!]!) { changeAccess(input: { subscriptionIds: $ids, level: WRITE_TAGS }) {
            userErrors { consentUrl } } }";
        let data = self.ask(change, json!({ "ids": ids })).await?;
        self.accept(&data["changeAccess"]["userErrors"][0]["consentUrl"]).await?;
        self.ended("CHANGE_ACCESS").await.map(drop)
    }

    async fn accept(&self, link: &Value) -> Result<()> {
        let link = link.as_str().context("no link to consent at")?;
        let page = Person::new("group-owner").consent(link, Decision::Accept).await?;
        ensure!(page.status == 200, "the consent ended with {}", page.status);
        Ok(())
    }

    /// The newest operation of this kind, once it has ended.
    async fn ended(&self, kind: &str) -> Result<Value> {
        let query =
            "query($kinds: [OperationKind!]) { operations(first: 1, filter: { kinds: $kinds }) { nodes {
            id state createdAt startedAt finishedAt } } }";
        loop {
            let mut data = self.ask(query, json!({ "kinds": [kind] })).await?;
            let operation = data["operations"]["nodes"][0].take();
            if operation["finishedAt"].is_string() {
                ensure!(operation["state"] != "FAILED", "{operation}");
                return Ok(operation);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// So many resources of each subscription that take tags: their ids, and Azure's.
    async fn choose(&self, writes: usize) -> Result<Vec<(String, String)>> {
        let data = self.ask("{ subscriptions(first: 500) { nodes { id } } }", json!({})).await?;
        let mut chosen = Vec::new();
        for one in data["subscriptions"]["nodes"].as_array().into_iter().flatten() {
            let (mut found, mut after) = (Vec::new(), Value::Null);
            while found.len() < writes {
                let query = "query($of: ID!, $after: String) { resources(first: 500, after: $after, filter: {
                    subscriptions: [$of], not: { types: [\"microsoft.insights/diagnosticsettings\"] } }) {
                    nodes { id armId } pageInfo { endCursor hasNextPage } } }";
                let data = self.ask(query, json!({ "of": one["id"], "after": after })).await?;
                let page = &data["resources"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let nodes = page["nodes"].as_array().into_iter().flatten();
                found.extend(nodes.map(|node| (text(&node["id"]), text(&node["armId"]))));
                after = page["pageInfo"]["endCursor"].clone();
                ensure!(
                    page["pageInfo"]["hasNextPage"] == true || found.len() >= writes,
                    "too few resources"
                );
            }
            found.truncate(writes);
            chosen.extend(found);
        }
        Ok(chosen)
    }

    async fn write(&self, ids: &[(String, String)]) -> Result<Ended> {
        let mut change_sets = Vec::new();
        for chunk in ids.chunks(5_000) {
            let plan =
                "mutation($ids: [ID!]!, $tag: TagInput!) { planChangeSet(input: { selection: { ids: $ids },
                set: [$tag] }) { changeSet { id problemCount } userErrors { message } } }";
            let ids: Vec<_> = chunk.iter().map(|(id, _)| id).collect();
            let data = self.ask(plan, json!({ "ids": ids, "tag": { "name": TAG, "value": "1" } })).await?;
            let planned = &data["planChangeSet"]["changeSet"];
            ensure!(planned["problemCount"] == 0, "{}", data["planChangeSet"]["userErrors"]);
            change_sets.push(planned["id"].clone());
        }
        let others = Others::of(&self.installation.simulator, ids.iter().map(|(_, arm_id)| arm_id.clone()));
        let begun = Instant::now();
        for id in &change_sets {
            let apply = "mutation($id: ID!) { applyChangeSet(input: { changeSetId: $id }) { userErrors { message } } }";
            let data = self.ask(apply, json!({ "id": id })).await?;
            ensure!(data["applyChangeSet"]["userErrors"] == json!([]), "{data}");
        }
        others.write();
        let mut failed = 0;
        for id in &change_sets {
            failed += self.finished(id).await?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let calls = self.installation.simulator.calls();
        Ok(Ended {
            seconds,
            failed,
            calls: calls.len() as u64,
            refused: calls.iter().filter(|call| call.status == 429).count() as u64,
            survived: others.survived(),
        })
    }

    /// How many writes of a change set were not done, once it has ended.
    async fn finished(&self, id: &Value) -> Result<u64> {
        let query = "query($id: ID!) { changeSet(id: $id) { finishedAt outcomes { outcome count } } }";
        loop {
            let data = self.ask(query, json!({ "id": id })).await?;
            let change_set = &data["changeSet"];
            if change_set["finishedAt"].is_string() {
                let outcomes = change_set["outcomes"].as_array().into_iter().flatten();
                let undone = outcomes.filter(|of| of["outcome"] != "APPLIED");
                return Ok(undone.filter_map(|of| of["count"].as_u64()).sum());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Somebody else who tags some of the same resources.
struct Others<'a> {
    simulator: &'a Simulator,
    arm_ids: Vec<String>,
}

impl<'a> Others<'a> {
    fn of(simulator: &'a Simulator, arm_ids: impl Iterator<Item = String>) -> Self {
        Self { simulator, arm_ids: arm_ids.step_by(EVERY).collect() }
    }

    fn write(&self) {
        for arm_id in &self.arm_ids {
            let mut tags = self.simulator.tags(arm_id).unwrap_or_default();
            tags.insert("other".to_owned(), "theirs".to_owned());
            let tags: Vec<_> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            self.simulator.replace_tags(arm_id, &tags);
        }
    }

    fn survived(&self) -> (usize, usize) {
        let is_there = |id: &&String| self.simulator.tags(id).is_some_and(|tags| tags.contains_key("other"));
        let survived = self.arm_ids.iter().filter(is_there).count();
        (survived, self.arm_ids.len())
    }
}

/// A client of somebody else's, as an automation of the customer's that may do everything.
struct Peer {
    what: &'static str,
    /// The variable that names a Python which has what the program imports.
    python: &'static str,
    program: &'static str,
}

impl Peer {
    /// None: there is no Python for it.
    async fn write(&self) -> Result<Option<Ended>> {
        let Some(python) = std::env::var_os(self.python) else { return Ok(None) };
        let simulator =
            Simulator::start(config(1, WRITES as u64 * 6 / 5), (std::net::Ipv4Addr::LOCALHOST, 0).into())?;
        simulator.set_latency(LATENCY);
        let subscription = simulator.subscriptions()[0].id;
        let untagged = |id: &String| !id.to_lowercase().contains("diagnosticsettings");
        let ids: Vec<String> = (0..)
            .map_while(|number| simulator.resource_id(subscription, number))
            .filter(untagged)
            .take(WRITES)
            .collect();
        ensure!(ids.len() == WRITES, "too few resources");
        let others = Others::of(&simulator, ids.iter().cloned());
        let mut child = self.start(&python, &simulator, subscription)?;
        let mut input = child.stdin.take().context("no input")?;
        input.write_all(ids.join("\n").as_bytes()).await?;
        drop(input);
        let mut said = BufReader::new(child.stdout.take().context("no output")?).lines();
        let begun = said.next_line().await?;
        ensure!(begun.as_deref() == Some("begun"), "{} says {begun:?}", self.program);
        // What a peer read until now is old from here on. Custodian has listed all resources, and replaces whole sets of
        // tags: what others write between its list and its write is lost. Who merges takes nothing away.
        others.write();
        let seconds = said.next_line().await?.context("the peer says no seconds")?;
        ensure!(child.wait().await?.success(), "{} failed", self.program);
        let calls = simulator.calls();
        let calls: Vec<_> =
            calls.iter().filter(|call| call.path.to_lowercase().ends_with("/tags/default")).collect();
        let is_written = |id: &&String| simulator.tags(id).is_some_and(|tags| tags.contains_key(TAG));
        Ok(Some(Ended {
            seconds: seconds.parse()?,
            failed: (ids.len() - ids.iter().filter(is_written).count()) as u64,
            calls: calls.len() as u64,
            refused: calls.iter().filter(|call| call.status == 429).count() as u64,
            survived: others.survived(),
        }))
    }

    fn start(&self, python: &OsStr, simulator: &Simulator, subscription: Uuid) -> Result<Child> {
        let settings = support::app::automation(simulator, &"http://127.0.0.1/".parse()?)?;
        let child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("bench").join(self.program))
            .args([simulator.base_url().as_str(), &simulator.tenant_id().to_string(), &settings.client_id])
            .arg(subscription.to_string())
            .env("CLIENT_SECRET", settings.client_secret.expose_secret())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(child)
    }
}
