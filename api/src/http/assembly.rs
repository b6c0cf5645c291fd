//! The whole api, assembled: the schema, the routes, and who may use them.

use std::sync::Arc;

use actix_web::web;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::audit::Archive;
use super::consent::Desk;
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
    let desk = Desk::new(services.clone(), Handle::current());
    let authenticator: Arc<dyn Authenticate> =
        Arc::new(Authenticator::new(services.database.clone(), &services.keyring, services.clock.clone()));
    let archive = Archive::new(services.clone(), Arc::clone(&authenticator), Handle::current());
    let routes = move |routes: &mut web::ServiceConfig| {
        desk.configure(routes);
        archive.configure(routes);
    };
    let http = HttpServices { authenticator, routes: Arc::new(routes) };
    Server::start(settings, graphql::schema(Some(services.clone())), http, shutdown)
}
