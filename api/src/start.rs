//! The whole api, assembled: the schema, the routes, and who may use them.

use std::sync::Arc;

use actix_web::web;
use tokio_util::sync::CancellationToken;

use crate::graphql;
use crate::http::{HttpServices, HttpSettings, RunningServer, Server, StartError, consent};
use crate::services::Services;
use crate::viewer::DevelopmentTokens;

/// Starts to answer requests, until `shutdown`.
pub fn start(
    settings: HttpSettings,
    services: Services,
    shutdown: CancellationToken,
) -> Result<RunningServer, StartError> {
    let schema = graphql::schema(Some(services.clone()));
    let routed = web::Data::new(services.clone());
    let http = HttpServices {
        tokens: DevelopmentTokens::new(&services.keyring),
        clock: services.clock.clone(),
        prepare: Arc::new(|request, _| request),
        routes: Arc::new(move |routes| {
            routes.app_data(routed.clone());
            consent::configure(routes);
        }),
    };
    Server::start(settings, schema, http, shutdown)
}
