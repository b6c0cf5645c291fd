//! One listener for the four hosts, and the handle that tests hold.

mod handles;
mod respond;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

pub use handles::Holding;
use respond::{Ids, dated, reset, respond, truncated};

use crate::calls::Call;
use crate::config::{Config, Tls};
use crate::directory::User;
use crate::faults::{Effect, Faults};
use crate::reply::Reply;
use crate::state::{State, lock};
use crate::world::SubscriptionInfo;
use crate::{arm, consumption, graph, login};

/// The largest request body.
const BODY: usize = 1 << 20;

/// Why a simulated cloud did not start.
#[derive(Debug)]
pub enum StartError {
    /// No signing key could be made.
    Keys,
    /// The certificate or its key is not usable PEM.
    Certificate,
    /// The address cannot be listened at.
    Listen(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keys => f.write_str("no signing key could be made"),
            Self::Certificate => f.write_str("the certificate or its key is not usable PEM"),
            Self::Listen(error) => write!(f, "the address cannot be listened at: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A call as it came in.
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    /// The claims of its token, if we signed it.
    pub(crate) claims: Option<Value>,
    /// Whether a page sent it.
    pub(crate) has_origin: bool,
    /// What this call is called here.
    pub(crate) request_id: Uuid,
    /// Names in lower case; without the authorization.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Incoming {
    fn of(state: &State, request: &HttpRequest, request_id: Uuid, body: &[u8]) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let mut incoming = Self {
            method: request.method().as_str().to_owned(),
            path: request.path().to_owned(),
            query: url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect(),
            authorization: header("authorization").map(str::to_owned),
            claims: None,
            has_origin: header("origin").is_some(),
            request_id,
            headers: headers(request),
            body: body.to_vec(),
        };
        incoming.claims = incoming.token().and_then(|token| state.keys.verify(token));
        incoming
    }

    /// The token it came with.
    pub(crate) fn token(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// The header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// The cloud that answers.
type Current = Mutex<Arc<State>>;

/// A simulated cloud that runs.
pub struct Simulator {
    pub(crate) state: Arc<State>,
    current: Arc<Current>,
    handle: ServerHandle,
    address: SocketAddr,
}

impl Simulator {
    /// Starts one at `listen`; port 0 takes any free one.
    pub fn start(config: Config, listen: SocketAddr) -> Result<Self, StartError> {
        let tls = config.tls.clone().map(|tls| server_config(&tls)).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(State::new(config).map_err(|_| StartError::Keys)?);
        let current = Arc::new(Mutex::new(Arc::clone(&state)));
        let shared = Arc::clone(&current);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&shared)))
                .app_data(web::PayloadConfig::new(BODY))
                .default_service(web::to(answer))
        })
        .workers(2)
        .disable_signals()
        .shutdown_timeout(1);
        let server = match tls {
            Some(tls) => server.bind_rustls_0_23(listen, tls),
            None => server.bind(listen),
        };
        let server = server.map_err(StartError::Listen)?;
        let address = server.addrs().first().copied().unwrap_or(listen);
        // Certificates name localhost.
        let host = if scheme == "https" { "localhost".to_owned() } else { address.ip().to_string() };
        state.set_base_url(format!("{scheme}://{host}:{}", address.port()));
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { state, current, handle, address })
    }

    /// Another cloud takes its place, at the same address and with the same signing keys: for tests of many.
    pub fn begin_anew(&mut self, config: Config) {
        let state = State::signing_with(Arc::clone(&self.state.keys), config);
        state.set_base_url(self.base_url());
        self.state = Arc::new(state);
        *lock(&self.current) = Arc::clone(&self.state);
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of all four hosts.
    pub fn base_url(&self) -> String {
        self.state.base_url()
    }

    /// The customer's tenant.
    pub fn tenant_id(&self) -> Uuid {
        self.state.world.tenant_id
    }

    /// A tenant that nobody asked for.
    pub fn other_tenant_id(&self) -> Uuid {
        self.state.world.other_tenant_id
    }

    /// Tenantry's app registration.
    pub fn client_id(&self) -> Uuid {
        self.state.config.client_id
    }

    /// Its secret.
    pub fn client_secret(&self) -> String {
        self.state.config.client_secret.clone()
    }

    /// Another app registration, Owner of everything: its id and secret.
    pub fn automation(&self) -> (Uuid, String) {
        (lock(&self.state.directory).automation.0, login::AUTOMATION_SECRET.to_owned())
    }

    /// The tenant's subscriptions, ordered by id.
    pub fn subscriptions(&self) -> Vec<SubscriptionInfo> {
        let directory = lock(&self.state.directory);
        let world = &self.state.world;
        let all = world.subscriptions.iter().filter(|one| directory.is_here(one.id));
        let info = all.map(|one| SubscriptionInfo {
            id: one.id,
            name: one.name.clone(),
            state: if directory.is_disabled(world, one.id) { "Disabled" } else { "Enabled" }.to_owned(),
            resources: arm::count(directory.overlays.get(&one.id), one),
        });
        info.collect()
    }

    /// The users who can sign in.
    pub fn users(&self) -> Vec<User> {
        lock(&self.state.directory).users.clone()
    }

    /// The object id of Tenantry's service principal, once a consent created it.
    pub fn service_principal_id(&self) -> Option<Uuid> {
        lock(&self.state.directory).service_principal.as_ref().map(|principal| principal.object_id)
    }

    /// Planned faults.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.all()
    }

    /// How many of the calls so far are such.
    pub fn count_calls(&self, which: impl Fn(&Call) -> bool) -> usize {
        self.state.calls.count(which)
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.state.calls.clear();
    }
}

async fn answer(current: web::Data<Current>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let state = Arc::clone(&lock(&current));
    let at = (state.config.clock)();
    let ids = Ids::of(&request);
    let incoming = Incoming::of(&state, &request, ids.request, &body);
    let latency = state.dials().latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let effect = state.faults.next(&incoming.method, &incoming.path);
    let remember = |status| state.calls.remember(call(&incoming, &request, &ids, status, at));
    let reply = match &effect {
        Some(Effect::Answer(reply)) => reply.clone(),
        Some(Effect::Reset) => {
            remember(0);
            return reset();
        }
        other => {
            if let Some(Effect::Delay(delay)) = other {
                tokio::time::sleep(*delay).await;
            }
            route(&state, &incoming, matches!(other, Some(Effect::CutPage)))
        }
    };
    remember(reply.status);
    let reply = dated(ids.on(reply), state.now());
    if matches!(effect, Some(Effect::Truncate)) { truncated(&reply) } else { respond(reply) }
}

fn route(state: &State, incoming: &Incoming, cut: bool) -> Reply {
    let path = incoming.path.to_lowercase();
    if path.starts_with("/v1.0/") {
        return graph::answer(state, incoming);
    }
    if path.starts_with(graph::DOWNLOADS) {
        return graph::download(state, incoming);
    }
    let is_arm = ["/subscriptions", "/providers", "/tenants", "/metadata"];
    if is_arm.iter().any(|prefix| path.starts_with(prefix)) {
        return arm::answer(state, incoming, cut);
    }
    if path.starts_with(consumption::PREFIX) {
        return consumption::answer(state, incoming);
    }
    login::answer(state, incoming)
}

fn headers(request: &HttpRequest) -> Vec<(String, String)> {
    let all = request.headers().iter().filter(|(name, _)| name.as_str() != "authorization");
    all.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn call(incoming: &Incoming, request: &HttpRequest, ids: &Ids, status: u16, at: DateTime<Utc>) -> Call {
    let claim = incoming.claims.as_ref().and_then(|claims| claims["oid"].as_str());
    let id = |id: Option<&str>| id.and_then(|id| Uuid::try_parse(id).ok());
    let is_answered = status != 0;
    Call {
        method: incoming.method.clone(),
        path: incoming.path.clone(),
        query: request.query_string().to_owned(),
        status,
        is_authorized: incoming.authorization.is_some(),
        principal: id(claim),
        correlation_id: id(ids.correlation.as_deref()),
        client_request_id: id(ids.client.as_deref()),
        request_id: is_answered.then_some(ids.request),
        answered_correlation_id: id(Some(&ids.answered_correlation())).filter(|_| is_answered),
        at,
    }
}

fn server_config(tls: &Tls) -> Result<rustls::ServerConfig, StartError> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(tls.certificate_pem.as_bytes()).collect();
    let chain = chain.map_err(|_| StartError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(tls.key_pem.as_bytes()).map_err(|_| StartError::Certificate)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| StartError::Certificate)?;
    builder.with_no_client_auth().with_single_cert(chain, key).map_err(|_| StartError::Certificate)
}
