//! One listener for the four hosts, and the handle that tests hold.

mod respond;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::TimeDelta;
use uuid::Uuid;

use respond::{correlated, reset, respond, truncated};

use crate::calls::Call;
use crate::config::{Config, Tls};
use crate::directory::User;
use crate::faults::{Effect, Faults};
use crate::rbac::{BuiltInRole, GONE, Scope};
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
    /// Whether a page sent it.
    pub(crate) has_origin: bool,
    pub(crate) body: Vec<u8>,
}

impl Incoming {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// A simulated cloud that runs.
pub struct Simulator {
    pub(crate) state: Arc<State>,
    handle: ServerHandle,
    address: SocketAddr,
}

impl Simulator {
    /// Starts one at `listen`; port 0 takes any free one.
    pub fn start(config: Config, listen: SocketAddr) -> Result<Self, StartError> {
        let tls = config.tls.clone().map(|tls| server_config(&tls)).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(State::new(config).map_err(|_| StartError::Keys)?);
        let shared = Arc::clone(&state);
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
        Ok(Self { state, handle, address })
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

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.state.calls.clear();
    }

    /// Gives a role that works at once.
    pub fn grant(&self, principal: Uuid, role: BuiltInRole, scope: Scope) {
        lock(&self.state.directory).grant(principal, role, scope, self.state.now());
    }

    /// Takes away every assignment of the role that the principal has at exactly this scope.
    pub fn revoke(&self, principal: Uuid, role: BuiltInRole, scope: Scope) {
        lock(&self.state.directory).assignments.retain(|assignment| {
            !(assignment.principal == principal && assignment.role == role && assignment.scope == scope)
        });
    }

    /// How many role assignments the service principal has at the subscription itself.
    pub fn assignments_at(&self, subscription: Uuid) -> usize {
        let directory = lock(&self.state.directory);
        let principal = directory.service_principal.as_ref().map(|principal| principal.object_id);
        let here = directory.assignments.iter().filter(|assignment| {
            Some(assignment.principal) == principal && assignment.scope == Scope::Subscription(subscription)
        });
        here.count()
    }

    /// Deletes Tenantry's service principal, as an administrator who removes the enterprise application does.
    pub fn delete_service_principal(&self) {
        let mut directory = lock(&self.state.directory);
        let gone = directory.service_principal.take().map(|principal| principal.object_id);
        for left in directory.assignments.iter_mut().filter(|left| Some(left.principal) == gone) {
            GONE.clone_into(&mut left.principal_type);
        }
    }

    /// Disables Tenantry's service principal, or enables it.
    pub fn set_service_principal_enabled(&self, enabled: bool) {
        if let Some(principal) = &mut lock(&self.state.directory).service_principal {
            principal.enabled = enabled;
        }
    }

    /// Lets people sign in with an account of the other tenant, whichever one was asked for.
    pub fn sign_in_elsewhere(&self) {
        lock(&self.state.directory).signs_in_at = Some(self.state.world.other_tenant_id);
    }

    /// Makes revoked tokens stop working at once, as continuous access evaluation does; they work until they
    /// expire otherwise.
    pub fn set_continuous_access(&self, on: bool) {
        lock(&self.state.dials).continuous_access = on;
    }

    /// Revokes every token that the user has, and every code that was not redeemed.
    pub fn revoke_sessions(&self, user: &str) {
        let now = self.state.now();
        let mut directory = lock(&self.state.directory);
        if let Some(id) = directory.user(user).map(|user| user.object_id) {
            directory.revoked.insert(id, now);
        }
    }

    /// Signs with a new key from now on.
    pub fn rotate_keys(&self) -> Result<(), StartError> {
        self.state.keys.rotate().map_err(|_| StartError::Keys)
    }

    /// Replaces the client secret of Tenantry's app registration.
    pub fn set_client_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.state.directory).client_secret);
    }

    /// Lets the client secret expire.
    pub fn expire_client_secret(&self) {
        lock(&self.state.directory).client_secret_expired = true;
    }

    /// Disables a subscription, or enables it.
    pub fn set_disabled(&self, subscription: Uuid, disabled: bool) {
        lock(&self.state.directory).overlay(subscription).disabled = Some(disabled);
    }

    /// Deletes a subscription.
    pub fn remove_subscription(&self, subscription: Uuid) {
        lock(&self.state.directory).overlay(subscription).gone = true;
    }

    /// Moves a subscription to the other tenant.
    pub fn move_subscription(&self, subscription: Uuid) {
        let other = self.state.world.other_tenant_id;
        lock(&self.state.directory).overlay(subscription).moved_to = Some(other);
    }

    /// Deletes the resource of this number.
    pub fn remove_resource(&self, subscription: Uuid, number: u64) {
        lock(&self.state.directory).overlay(subscription).removed.insert(number);
    }

    /// Adds resources after those that are there.
    pub fn add_resources(&self, subscription: Uuid, count: u64) {
        lock(&self.state.directory).overlay(subscription).added += count;
    }

    /// Replaces the tags of the resource of this number.
    pub fn set_tags(&self, subscription: Uuid, number: u64, tags: &[(&str, &str)]) {
        let tags: BTreeMap<_, _> =
            tags.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        lock(&self.state.directory).overlay(subscription).tags.insert(number, tags);
    }

    /// How long role assignments made from now on take to work.
    pub fn set_propagation(&self, propagation: TimeDelta) {
        lock(&self.state.dials).propagation = propagation;
    }

    /// The most rows on a page of Azure Resource Manager's lists.
    pub fn set_page_size(&self, rows: usize) {
        lock(&self.state.dials).page_size = rows.clamp(1, 1_000);
    }

    /// Switches throttling.
    pub fn set_throttle(&self, throttle: bool) {
        lock(&self.state.dials).throttle = throttle;
    }

    /// Whether a refused second assignment names the one in its way (newer) or does not (older).
    pub fn set_conflict_names_id(&self, names: bool) {
        lock(&self.state.directory).conflict_text_names_id = names;
    }
}

async fn answer(state: web::Data<State>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let incoming = Incoming {
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        query: url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect(),
        authorization: header("authorization").map(str::to_owned),
        has_origin: header("origin").is_some(),
        body: body.to_vec(),
    };
    let latency = state.dials().latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let effect = state.faults.next(&incoming.method, &incoming.path);
    let reply = match &effect {
        Some(Effect::Answer(reply)) => reply.clone(),
        Some(Effect::Reset) => {
            remember(&state, &incoming, &request, 0);
            return reset();
        }
        other => {
            if let Some(Effect::Delay(delay)) = other {
                tokio::time::sleep(*delay).await;
            }
            route(&state, &incoming, matches!(other, Some(Effect::CutPage)))
        }
    };
    remember(&state, &incoming, &request, reply.status);
    let reply = correlated(reply, header("x-ms-client-request-id"), header("x-ms-correlation-request-id"));
    if matches!(effect, Some(Effect::Truncate)) { truncated(&reply) } else { respond(reply) }
}

fn route(state: &State, incoming: &Incoming, cut: bool) -> Reply {
    let path = incoming.path.to_lowercase();
    if path.starts_with("/v1.0/") {
        return graph::answer(state, incoming);
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

fn remember(state: &State, incoming: &Incoming, request: &HttpRequest, status: u16) {
    let token = incoming.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    let principal = token
        .and_then(|token| state.keys.verify(token))
        .and_then(|claims| claims["oid"].as_str().and_then(|id| Uuid::try_parse(id).ok()));
    let correlation = request.headers().get("x-ms-correlation-request-id");
    let correlation_id = correlation.and_then(|id| Uuid::try_parse(id.to_str().ok()?).ok());
    state.calls.remember(Call {
        method: incoming.method.clone(),
        path: incoming.path.clone(),
        query: request.query_string().to_owned(),
        status,
        principal,
        correlation_id,
        at: state.now(),
    });
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
