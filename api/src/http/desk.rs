//! What the pages beside GraphQL work with.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use tokio::runtime::Handle;

use super::{consent, owner_link, sign_in};
use crate::page::Page;
use crate::services::Services;

/// Serves the pages. The work is done on the process's own runtime: a database connection must not die with a
/// thread of the server.
#[derive(Clone)]
pub(super) struct Desk {
    services: web::Data<Services>,
    runtime: Handle,
}

impl Desk {
    pub(super) fn new(services: Services, runtime: Handle) -> Self {
        Self { services: web::Data::new(services), runtime }
    }

    pub(super) fn configure(&self, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::new(self.clone()));
        consent::configure(config);
        owner_link::configure(config);
        sign_in::configure(config);
    }

    /// None: the work panicked; the panic is in the log.
    pub(super) async fn work<T, F>(&self, work: impl FnOnce(web::Data<Services>) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.runtime.spawn(work(self.services.clone())).await.ok()
    }
}

/// The page as an answer.
pub(super) fn show(page: &Page) -> HttpResponse {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .content_type("text/html; charset=utf-8")
        .body(page.html())
}

/// Passes the browser on, which keeps nothing of it and tells nobody where it came from.
pub(super) fn pass_on(status: StatusCode, to: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((LOCATION, to))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    response
}
