//! The whole api, assembled: the schema, the routes, and who may use them.

use std::sync::Arc;

use actix_web::web;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::archive::Archive;
use super::desk::Desk;
use super::{HttpServices, HttpSettings, RunningServer, Server, StartError};
use crate::authentication::{Authenticate, Authenticator};
use crate::graphql;
use crate::services::Services;

/// Starts to answer requests, until `shutdown`. Has to be called within a runtime, which does the work.
pub fn start(
    settings: HttpSettings,
    services: &Services,
    shutdown: CancellationToken,
) -> Result<RunningServer, StartError> {
    let runtime = Handle::current();
    let desk = Desk::new(services.clone(), runtime.clone());
    let own_origin = services.public_url.origin().ascii_serialization();
    let settings = HttpSettings { own_origin: Some(own_origin), ..settings };
    let authenticator: Arc<dyn Authenticate> = Arc::new(Authenticator::new(
        &services.database,
        &services.keyring,
        &services.sign_in,
        &services.clock,
        &runtime,
    ));
    let archive = Archive::new(services.clone(), Arc::clone(&authenticator), runtime);
    let routes = move |routes: &mut web::ServiceConfig| {
        desk.configure(routes);
        archive.configure(routes);
    };
    let http = HttpServices { authenticator, routes: Arc::new(routes) };
    Server::start(settings, graphql::schema(Some(services.clone())), http, shutdown)
}
