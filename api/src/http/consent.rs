//! The two addresses of a consent: where the browser starts, and where Microsoft sends it back to.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::consent::{self, Page, Returned};
use crate::services::Services;

/// Adds `/consent/start` and `/consent/callback`.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/consent/start", web::get().to(start)).route("/consent/callback", web::get().to(callback));
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

async fn start(services: web::Data<Services>, query: web::Query<StartQuery>) -> HttpResponse {
    let state = query.into_inner().state.unwrap_or_default();
    match consent::visit(&services, &state).await {
        Ok((url, browser)) => HttpResponse::Found()
            .insert_header((LOCATION, url.as_str()))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .cookie(browser_cookie(&services, browser.expose_secret()))
            .finish(),
        Err(page) => show(&page),
    }
}

async fn callback(
    services: web::Data<Services>,
    request: HttpRequest,
    query: web::Query<CallbackQuery>,
) -> HttpResponse {
    let query = query.into_inner();
    let browser = request.cookie(cookie_name(&services)).map(|cookie| SecretString::from(cookie.value()));
    let returned = Returned {
        state: query.state,
        code: query.code,
        error: query.error,
        error_subcode: query.error_subcode,
        error_description: query.error_description,
        browser,
    };
    show(&consent::receive(&services, returned).await)
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
