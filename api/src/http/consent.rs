//! The two addresses of a consent: where the browser starts, and where Microsoft sends it back to.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::runtime::Handle;

use super::graphql::origin;
use crate::consent::{self, Page, Returned};
use crate::services::Services;

/// Serves the two addresses. The work is done on the process's own runtime: a database connection must not
/// die with a thread of the server.
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
        config
            .app_data(web::Data::new(self.clone()))
            .route("/consent/start", web::get().to(start))
            .route("/consent/callback", web::get().to(callback));
    }

    /// None: the work panicked; the panic is in the log.
    async fn work<T, F>(&self, work: impl FnOnce(web::Data<Services>) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.runtime.spawn(work(self.services.clone())).await.ok()
    }
}

#[derive(Deserialize)]
struct StartQuery {
    state: Option<SecretString>,
}

#[derive(Deserialize)]
struct CallbackQuery {
    state: Option<SecretString>,
    code: Option<SecretString>,
    error: Option<String>,
    error_subcode: Option<String>,
    error_description: Option<String>,
}

async fn start(desk: web::Data<Desk>, query: web::Query<StartQuery>) -> HttpResponse {
    let state = query.into_inner().state.unwrap_or_default();
    let visited = desk.work(|services| async move { consent::visit(&services, &state).await }).await;
    match visited {
        Some(Ok((url, browser))) => HttpResponse::Found()
            .insert_header((LOCATION, url.as_str()))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .cookie(browser_cookie(&desk.services, browser.expose_secret()))
            .finish(),
        Some(Err(page)) => show(&page),
        None => show(&Page::broken(&"the visit panicked")),
    }
}

async fn callback(
    desk: web::Data<Desk>,
    request: HttpRequest,
    query: web::Query<CallbackQuery>,
) -> HttpResponse {
    let query = query.into_inner();
    let cookie = request.cookie(cookie_name(&desk.services));
    let returned = Returned {
        state: query.state,
        code: query.code,
        error: query.error,
        error_subcode: query.error_subcode,
        error_description: query.error_description,
        browser: cookie.map(|cookie| SecretString::from(cookie.value())),
        origin: origin(&request),
    };
    let page = desk.work(|services| async move { consent::receive(&services, returned).await }).await;
    show(&page.unwrap_or_else(|| Page::broken(&"the return panicked")))
}

fn show(page: &Page) -> HttpResponse {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .content_type("text/html; charset=utf-8")
        .body(page.html())
}

/// Lax, since Microsoft's redirect is a navigation from another site; `__Host-` wherever there is TLS.
fn browser_cookie<'a>(services: &Services, value: &'a str) -> Cookie<'a> {
    Cookie::build(cookie_name(services), value)
        .path("/")
        .http_only(true)
        .secure(is_secure(services))
        .same_site(SameSite::Lax)
        .max_age(time::Duration::seconds(entity::consent::STATE_LIFETIME.num_seconds()))
        .finish()
}

fn cookie_name(services: &Services) -> &'static str {
    if is_secure(services) { "__Host-tenantry-consent" } else { "tenantry-consent" }
}

fn is_secure(services: &Services) -> bool {
    services.public_url.scheme() == "https"
}
