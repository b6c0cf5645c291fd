//! Answers over HTTP and WebSocket: the one router of the api, and the server that runs it.
//!
//! | path | what |
//! | --- | --- |
//! | `/graphql` | GraphQL over HTTP, POST and GET; live queries as server-sent events |
//! | `/graphql/ws` | live queries, `graphql-transport-ws` |
//! | `/sign-in`, `/sign-in/callback`, `/sign-out` | members sign in with a browser on our own origin |
//! | `/consent/start`, `/consent/callback` | consenting users go to Microsoft and come back |
//! | `/owner-link` | owners who have no account here start the one consent that they are asked for |
//! | `/audit/export` | the audit, as lines of JSON |
//! | `/consents/{id}/receipt` | the receipt of a consent, as JSON, CSV or a signed statement |
//! | `/.well-known/tenantry-receipt-keys` | the key by which anybody can check a receipt |
//! | `/tags/export`, `/tags/import` | tags as CSV, out and in |
//! | `/export/office/{rows}` | users, groups, inactive users and storage as CSV |
//! | `/healthz`, `/readyz` | whether the process lives, and whether it can serve |
//! | `/`, `/graphiql` | GraphiQL, in development |
//!
//! Requests are received on the server's own threads and answered on the runtime that started it: a slow
//! query holds up nobody else's socket, and no database connection dies with a thread of the server. Answers are computed
//! a few at a time: `turns.rs`.

mod answer;
mod archive;
mod assembly;
mod audit;
mod body;
mod consent;
mod cookies;
mod desk;
mod events;
mod execution;
mod frame;
mod graphiql;
mod graphql;
mod health;
mod media;
mod office;
mod origins;
mod owner_link;
mod parameters;
mod receipt;
mod seal;
mod sign_in;
mod socket;
mod tags;
mod trace;
mod turns;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use async_graphql::Executor;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::authentication::Authenticate;
use crate::limits::Limits;
use execution::Execution;
use health::Readiness;
use origins::Origins;
use socket::Sockets;
use turns::Turns;

pub use assembly::start;
pub use health::Check;

/// How the api is reached, and what it allows.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether GraphiQL is served, and the schema may be read by everybody.
    pub development: bool,
    /// Whether it is reached by https only.
    pub https: bool,
    /// Whether every request comes through a proxy, whose `X-Forwarded-For` says from where.
    pub behind_proxy: bool,
    /// The origin of our own pages, whose sessions count; none: nobody signs in here with a browser.
    pub own_origin: Option<String>,
    /// Front ends on other origins that may call it.
    pub allowed_origins: Vec<String>,
    /// What requests may amount to.
    pub limits: Limits,
    /// What has to work before requests are sent here.
    pub readiness: Vec<Check>,
    /// How long requests under way may take to finish when it stops.
    pub stop_within: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            development: false,
            https: false,
            behind_proxy: false,
            own_origin: None,
            allowed_origins: Vec::new(),
            limits: Limits::default(),
            readiness: Vec::new(),
            stop_within: Duration::from_secs(15),
        }
    }
}

/// Adds routes to the server.
pub type Routes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// What the server works with.
#[derive(Clone)]
pub struct HttpServices {
    /// Says who asks.
    pub authenticator: Arc<dyn Authenticate>,
    /// What is served besides GraphQL.
    pub routes: Routes,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}")]
pub struct StartError {
    /// Where it was to listen.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Starts servers.
pub struct Server;

impl Server {
    /// Serves `schema` until `shutdown`, then finishes what is under way and closes the sockets with a
    /// code that makes clients reconnect. Has to be called within a runtime, which runs the resolvers.
    pub fn start<E: Executor>(
        settings: HttpSettings,
        schema: E,
        services: HttpServices,
        shutdown: CancellationToken,
    ) -> Result<RunningServer, StartError> {
        let failed = |source| StartError { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop_within = settings.stop_within;
        let shared = Shared::new(settings, schema, services, &shutdown);
        let server = HttpServer::new(move || {
            let shared = shared.clone();
            App::new()
                .configure(|routes| shared.configure(routes))
                .wrap(Compress::default())
                .wrap(from_fn(frame::frame))
        })
        .disable_signals()
        // A client that hangs up wants no answer any more: what runs for it is cancelled.
        .h1_allow_half_closed(false)
        .shutdown_signal(shutdown.cancelled_owned())
        .shutdown_timeout(stop_within.as_secs())
        .listen(listener)
        .map_err(|source| StartError { address, source })?
        .run();
        Ok(RunningServer { address, join: tokio::spawn(server) })
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    join: JoinHandle<io::Result<()>>,
}

impl RunningServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped.
    pub async fn join(self) -> io::Result<()> {
        self.join.await.map_err(io::Error::other)?
    }
}

/// What all threads of a server share.
struct Shared<E> {
    execution: web::Data<Execution<E>>,
    sockets: web::Data<Sockets<E>>,
    readiness: web::Data<Readiness>,
    origins: web::Data<Origins>,
    frame: web::Data<frame::Settings>,
    development: bool,
    routes: Routes,
}

impl<E> Clone for Shared<E> {
    fn clone(&self) -> Self {
        Self {
            execution: self.execution.clone(),
            sockets: self.sockets.clone(),
            readiness: self.readiness.clone(),
            origins: self.origins.clone(),
            frame: self.frame.clone(),
            development: self.development,
            routes: Arc::clone(&self.routes),
        }
    }
}

impl<E: Executor> Shared<E> {
    fn new(settings: HttpSettings, schema: E, services: HttpServices, shutdown: &CancellationToken) -> Self {
        let runtime = Handle::current();
        let readiness = Readiness::new(settings.readiness, runtime.clone(), shutdown.clone());
        let routes = services.routes;
        let execution = web::Data::new(Execution {
            schema,
            limits: settings.limits,
            authenticator: services.authenticator,
            development: settings.development,
            turns: Turns::new(),
            runtime,
        });
        let sockets = Sockets { execution: execution.clone().into_inner(), shutdown: shutdown.clone() };
        Self {
            execution,
            sockets: web::Data::new(sockets),
            readiness: web::Data::new(readiness),
            origins: web::Data::new(Origins::new(settings.allowed_origins, settings.own_origin)),
            frame: web::Data::new(frame::Settings {
                https: settings.https,
                behind_proxy: settings.behind_proxy,
            }),
            development: settings.development,
            routes,
        }
    }

    fn configure(&self, routes: &mut web::ServiceConfig) {
        routes
            .app_data(self.execution.clone())
            .app_data(self.sockets.clone())
            .app_data(self.readiness.clone())
            .app_data(self.origins.clone())
            .app_data(self.frame.clone())
            .route("/graphql", web::to(graphql::handle::<E>))
            .route("/graphql/ws", web::to(socket::upgrade::<E>))
            .route("/healthz", web::get().to(health::healthz))
            .route("/readyz", web::get().to(health::readyz));
        if self.development {
            graphiql::configure(routes);
        }
        (self.routes)(routes);
        routes.default_service(web::to(|| async { HttpResponse::NotFound().body("Not found\n") }));
    }
}
