//! The whole api, assembled: the schema, the routes, and who may use them.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::{HttpServices, HttpSettings, RunningServer, Server, StartError};
use crate::authentication::Authenticator;
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
    let http = HttpServices {
        authenticator: Arc::new(Authenticator::new(services, &runtime)),
        routes: Arc::new(move |routes| desk.configure(routes)),
    };
    Server::start(settings, graphql::schema(Some(services.clone())), http, shutdown)
}
