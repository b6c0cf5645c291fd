//! A whole Tenantry for one test: database, queue, simulated cloud, api, and a clock that the test moves.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use api::Services;
use api::authentication::DevelopmentTokens;
use api::http::{HttpSettings, RunningServer};
use chrono::TimeDelta;
use entity::{EncryptionKeys, Owned, access_token, member, organization};
use microsoft::{Provider, ProviderSettings};
use sea_orm::{ActiveModelTrait, DatabaseConnection, Set};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use simulator::{Answer, Config, Decision, Person, Simulator};
use tokio::net::TcpSocket;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use uuid::Uuid;
use worker::queue::{WorkerOptions, Workers};
use worker::{Context, Pace};

use crate::browser::{Answered, Browser};
use crate::clock::TestClock;
use crate::database::TestDatabase;
use crate::http::client;
use crate::stack::{Bell, Stack};

/// A whole Tenantry for one test.
pub struct TestApp {
    /// The simulated cloud.
    pub simulator: Simulator,
    /// The time, everywhere.
    pub clock: TestClock,
    /// The database.
    pub database: DatabaseConnection,
    /// What the api works with.
    pub services: Services,
    /// What the jobs work with.
    pub context: Context,
    /// The queue's and the progress bus' Redis, on the distributed stack.
    pub bell: Bell,
    /// The member who calls, an administrator.
    pub member: member::Model,
    /// The member's token.
    pub token: SecretString,
    /// Where the database is, for processes that a test starts.
    pub home: TestDatabase,
    workers: Workers,
    http: reqwest::Client,
    server: RunningServer,
    _shutdown: DropGuard,
}

impl TestApp {
    /// One with the usual world: 12 subscriptions, 2,400 resources.
    pub async fn start() -> Result<Self> {
        Self::with(|_| {}).await
    }

    /// One with a small world in which the user `owner` owns everything.
    pub async fn small(subscriptions: u32, resources: u64) -> Result<Self> {
        Self::with(|config| {
            config.subscriptions = subscriptions;
            config.resources = resources;
        })
        .await
    }

    /// One with a world of the test's making.
    pub async fn with(make: impl FnOnce(&mut Config)) -> Result<Self> {
        Self::over(TestDatabase::start(Stack::chosen()).await?, make).await
    }

    /// One over this database.
    pub async fn over(home: TestDatabase, make: impl FnOnce(&mut Config)) -> Result<Self> {
        let stack = Stack::chosen();
        let clock = TestClock::default();
        let mut config = Config { clock: clock.clock().as_fn(), ..Config::default() };
        make(&mut config);
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(config, anywhere)?;
        let database = home.connect().await?;
        let bell = Bell::start(stack).await?;
        let encryption_keys = EncryptionKeys::new([42; 32], []);
        let keyring = worker::keys::open(&database, encryption_keys, clock.clock()).await?;
        let reserved = reserve()?;
        let listen = reserved.local_addr()?;
        let public_url = Url::parse(&format!("http://{listen}/"))?;
        let microsoft = bell.microsoft(settings(&simulator, &public_url)?, clock.clock().as_fn()).await?;
        let services = Services {
            database: database.clone(),
            microsoft: microsoft.clone(),
            sign_in: Provider::new(sign_in(&simulator, &public_url)?, clock.clock().as_fn())?,
            keyring: keyring.clone(),
            clock: clock.clock(),
            queue: bell.queue.clone(),
            progress: bell.progress.clone(),
            public_url,
        };
        let pace = Pace { first_look: Duration::from_millis(10), ..Pace::default() };
        let context = Context {
            database: database.clone(),
            microsoft,
            keyring,
            clock: clock.clock(),
            queue: bell.queue.clone(),
            progress: bell.progress.clone(),
            pace,
            client_secret_expires_at: None,
        };
        let workers = Workers::new(bell.queue.clone(), WorkerOptions::default());
        let workers = worker::jobs::register(workers, &context);
        let shutdown = CancellationToken::new();
        let http = HttpSettings { listen, development: true, ..HttpSettings::default() };
        let server = api::start(http, &services, shutdown.clone())?;
        drop(reserved);
        let member = new_member(&database, &clock, member::Role::Admin).await?;
        let token = token_of(&services, &member);
        Ok(Self {
            simulator,
            clock,
            database,
            services,
            context,
            bell,
            member,
            token,
            home,
            workers,
            http: client()?,
            server,
            _shutdown: shutdown.drop_guard(),
        })
    }

    /// Where the api listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A member of another organization.
    pub async fn stranger(&self) -> Result<SecretString> {
        let member = new_member(&self.database, &self.clock, member::Role::Admin).await?;
        Ok(token_of(&self.services, &member))
    }

    /// Asks the api as the member; fails on any error.
    pub async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        let mut answer = self.ask_as(&self.token, query, variables).await?;
        if answer.get("errors").is_some() {
            bail!("the api refused: {answer}");
        }
        Ok(answer["data"].take())
    }

    /// Asks the api as whoever holds `token`; answers everything it said.
    pub async fn ask_as(&self, token: &SecretString, query: &str, variables: Value) -> Result<Value> {
        let url = format!("http://{}/graphql", self.address());
        let request = self.http.post(url).bearer_auth(token.expose_secret());
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await?;
        answer.json().await.context("the api's answer is no JSON")
    }

    /// The link by which a person becomes a member of this role in the member's organization.
    pub async fn invite(&self, role: &str) -> Result<String> {
        let data = self
            .ask(
                "mutation($role: Role!) { inviteMember(input: { displayName: \"Somebody\", role: $role }) {
                   link userErrors { code } } }",
                json!({ "role": role }),
            )
            .await?;
        let link = data["inviteMember"]["link"].as_str();
        link.map(str::to_owned).with_context(|| format!("nobody was invited: {data}"))
    }

    /// The browser of the simulated user `user`, who just became a member of this role.
    pub async fn signed_in(&self, user: &str, role: &str) -> Result<Browser> {
        let browser = Browser::of(self, user)?;
        let page = browser.sign_in(&self.invite(role).await?).await?;
        if page.status != 200 || !browser.has_session() {
            bail!("the sign-in ended with {}: {}", page.status, page.body);
        }
        Ok(browser)
    }

    /// A request to `/graphql` by whoever holds `token`.
    pub fn request(&self, token: &str, query: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/graphql", self.address());
        self.http.post(url).bearer_auth(token).json(&json!({ "query": query }))
    }

    /// What whoever holds `token` is answered.
    pub async fn answered(&self, token: &str, query: &str) -> Result<Answered> {
        Answered::of(self.request(token, query).send().await?).await
    }

    /// Asks for a consent of the simulated tenant; answers its id and the link to follow.
    pub async fn start_consent(&self) -> Result<(String, String)> {
        self.start_consent_with(json!({})).await
    }

    async fn start_consent_with(&self, mut input: Value) -> Result<(String, String)> {
        input["tenant"] = json!(self.simulator.tenant_id());
        let query = "mutation($input: StartConsentInput!) { startConsent(input: $input) {
                       consent { id } authorizationUrl userErrors { code } } }";
        let data = self.ask(query, json!({ "input": input })).await?;
        let started = &data["startConsent"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(&started["consent"]["id"])
            .zip(text(&started["authorizationUrl"]))
            .with_context(|| format!("no consent was started: {started}"))
    }

    /// The user of this key follows the link of a new consent and decides; answers the consent's id and the page
    /// at the end.
    pub async fn consent(&self, user: &str, decision: Decision) -> Result<(String, Answer)> {
        let (id, link) = self.start_consent().await?;
        Ok((id, Person::new(user).consent(&link, decision).await?))
    }

    /// The user of this key consents, and the window is held open; answers the consent's id.
    pub async fn hold_window(&self, user: &str) -> Result<String> {
        let (id, link) = self.start_consent_with(json!({ "holdWindow": true })).await?;
        let page = Person::new(user).consent(&link, Decision::Accept).await?;
        anyhow::ensure!(page.status == 200, "the consent ended with {}: {}", page.status, page.body);
        Ok(id)
    }

    /// Asks for a consent of the kind `OFFICE_365`; answers its id and the link to follow.
    pub async fn start_office_consent(&self) -> Result<(String, String)> {
        self.start_consent_with(json!({ "kind": "OFFICE_365" })).await
    }

    /// An administrator connects the tenant to Office 365, and every job that follows is run to its end. Answers the
    /// operation.
    pub async fn connect_office(&self) -> Result<Value> {
        let (id, link) = self.start_office_consent().await?;
        let page = Person::new("owner").consent_as_administrator(&link, Decision::Accept).await?;
        anyhow::ensure!(page.status == 200, "the consent ended with {}: {}", page.status, page.body);
        self.run_jobs().await?;
        self.operation_of(&id).await
    }

    /// The only access token of the member's organization, as it is stored.
    pub async fn database_token(&self) -> Result<access_token::Model> {
        let found = access_token::Entity::owned_by(self.member.organization_id).one(&self.database).await?;
        found.context("there is no access token")
    }

    /// A live query of an operation that waits for a worker.
    pub async fn waiting_operation(&self) -> Result<String> {
        let (consent, _) = self.consent("owner", Decision::Accept).await?;
        let operation = self.operation_of(&consent).await?;
        Ok(format!("subscription {{ operation(id: {}) {{ state }} }}", operation["id"]))
    }

    /// The user of this key consents, and every job that follows is run to its end. Answers the operation.
    pub async fn onboard_as(&self, user: &str) -> Result<Value> {
        let (consent, page) = self.consent(user, Decision::Accept).await?;
        if page.status != 200 {
            bail!("the consent ended with {}: {}", page.status, page.body);
        }
        self.run_jobs().await?;
        self.operation_of(&consent).await
    }

    /// The owner consents, and every job that follows is run to its end. Answers the operation.
    pub async fn onboard(&self) -> Result<Value> {
        self.onboard_as("owner").await
    }

    /// The operation that a consent began, with its steps.
    pub async fn operation_of(&self, consent: &str) -> Result<Value> {
        let query = format!("query($id: ID!) {{ consent(id: $id) {{ operation {{ {OPERATION} }} }} }}");
        let mut data = self.ask(&query, json!({ "id": consent })).await?;
        Ok(data["consent"]["operation"].take())
    }

    /// Scans the tenant of the operation again; answers the operation of that.
    pub async fn scan(&self, operation: &Value) -> Result<Value> {
        let query = "mutation($id: ID!) { scanTenant(input: { tenantId: $id }) {
                       operation { id } userErrors { code message } } }";
        let data = self.ask(query, json!({ "id": operation["tenant"]["id"] })).await?;
        self.run_jobs().await?;
        let id = &data["scanTenant"]["operation"]["id"];
        let query = format!("query($id: ID!) {{ operation(id: $id) {{ {OPERATION} }} }}");
        let mut data = self.ask(&query, json!({ "id": id })).await?;
        Ok(data["operation"].take())
    }

    /// Runs everything that is queued through the real handlers. What is to run later runs at once, with the
    /// clock moved on by as much, and by what passed meanwhile: queues wait by the machine's clock.
    pub async fn run_jobs(&self) -> Result<()> {
        loop {
            let begun = Instant::now();
            self.run_due().await?;
            let Some(early) = self.workers.skip_ahead().await? else { return Ok(()) };
            self.clock.advance(TimeDelta::from_std(early + begun.elapsed())?);
        }
    }

    /// Runs what is due now, and nothing later.
    pub async fn run_due(&self) -> Result<usize> {
        Ok(self.workers.run_due().await?)
    }
}

/// What tests read of an operation.
pub const OPERATION: &str = "id state failure { code message retryable fixableBy traceId }
    tenant { id state failure { code } }
    steps(first: 500) { nodes { state outcome scanned resourcesSeen resourcesWritten resourcesDeleted
      failure { code message } subscription { id displayName azureSubscriptionId resourceCount
        stale { code } } } }";

/// How often each outcome occurs among the operation's steps.
pub fn outcomes(operation: &Value) -> std::collections::BTreeMap<String, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for step in operation["steps"]["nodes"].as_array().into_iter().flatten() {
        *counts.entry(step["outcome"].as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    counts
}

/// The Microsoft settings of a Tenantry that is reached at `public_url`.
pub fn settings(simulator: &Simulator, public_url: &Url) -> Result<microsoft::Settings> {
    let cloud = Url::parse(&simulator.base_url())?;
    Ok(microsoft::Settings {
        login_url: cloud.clone(),
        arm_url: cloud.clone(),
        graph_url: cloud.clone(),
        consumption_url: cloud,
        report_hosts: microsoft::ReportHosts::default(),
        client_id: simulator.client_id().to_string(),
        client_secret: SecretString::from(simulator.client_secret()),
        redirect_uri: public_url.join("consent/callback")?,
    })
}

/// The same of an app that may do anything in the simulated tenant.
pub fn automation(simulator: &Simulator, public_url: &Url) -> Result<microsoft::Settings> {
    let (client_id, client_secret) = simulator.automation();
    let settings = settings(simulator, public_url)?;
    Ok(microsoft::Settings {
        client_id: client_id.to_string(),
        client_secret: client_secret.into(),
        ..settings
    })
}

/// The sign-in settings of a Tenantry that is reached at `public_url`: people of any tenant.
pub fn sign_in(simulator: &Simulator, public_url: &Url) -> Result<ProviderSettings> {
    let client_id = simulator.client_id().to_string();
    Ok(ProviderSettings {
        issuer: Url::parse(&simulator.base_url())?.join("organizations/v2.0")?,
        audiences: vec![client_id.clone(), format!("api://{client_id}")],
        client_id,
        client_secret: Some(SecretString::from(simulator.client_secret())),
        redirect_uri: public_url.join("sign-in/callback")?,
        tenants: Vec::new(),
    })
}

/// An issuer at an address where nobody listens.
pub fn no_issuer() -> Result<ProviderSettings> {
    Ok(ProviderSettings {
        issuer: Url::parse("http://127.0.0.1:1/")?,
        client_id: "nobody".to_owned(),
        client_secret: None,
        redirect_uri: Url::parse("http://tenantry.example/sign-in/callback")?,
        audiences: Vec::new(),
        tenants: Vec::new(),
    })
}

/// A free address, kept from everybody who asks the system for any: the redirect URI has to be known before the server
/// starts. Whoever names the address can listen there, since nobody does yet.
fn reserve() -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket)
}

fn token_of(services: &Services, member: &member::Model) -> SecretString {
    let expires_at = services.clock.now() + TimeDelta::days(30);
    let tokens = DevelopmentTokens::new(&services.keyring);
    tokens.issue(member.id, expires_at)
}

async fn new_member(
    database: &DatabaseConnection,
    clock: &TestClock,
    role: member::Role,
) -> Result<member::Model> {
    let organization = organization::ActiveModel {
        id: Set(Uuid::now_v7()),
        name: Set(Uuid::now_v7().to_string()),
        created_at: Set(clock.now()),
        ..Default::default()
    };
    let organization = organization.insert(database).await?;
    let member = member::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(organization.id),
        display_name: Set("Mona Member".to_owned()),
        role: Set(role),
        created_at: Set(clock.now()),
        ..Default::default()
    };
    Ok(member.insert(database).await?)
}
