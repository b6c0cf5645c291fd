//! The two addresses of a consent: where the browser starts, and where Microsoft sends it back to.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::Deserialize;

use super::cookies::CONSENT;
use super::desk::{Desk, pass_on, show};
use super::graphql::origin;
use crate::consent::{self, Received, Returned};
use crate::page::Page;

pub(super) fn configure(config: &mut web::ServiceConfig) {
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
    admin_consent: Option<String>,
    tenant: Option<String>,
    error: Option<String>,
    error_subcode: Option<String>,
    error_description: Option<String>,
}

async fn start(desk: web::Data<Desk>, request: HttpRequest, query: web::Query<StartQuery>) -> HttpResponse {
    let state = query.into_inner().state.unwrap_or_default();
    let visited = desk.work(|services| async move { consent::visit(&services, &state).await }).await;
    match visited {
        Some(Ok((url, browser))) => {
            let cookie = CONSENT.set(&request, &browser, entity::consent::STATE_LIFETIME);
            pass_on(StatusCode::FOUND, url.as_str()).cookie(cookie).finish()
        }
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
    let returned = Returned {
        state: query.state,
        code: query.code,
        admin_consent: query.admin_consent,
        tenant: query.tenant,
        error: query.error,
        error_subcode: query.error_subcode,
        error_description: query.error_description,
        browser: CONSENT.of(&request),
        origin: origin(&request),
    };
    match desk.work(|services| async move { consent::receive(&services, returned).await }).await {
        Some(Received::Page(page)) => show(&page),
        Some(Received::PassedOn(url)) => pass_on(StatusCode::FOUND, url.as_str()).finish(),
        None => show(&Page::broken(&"the return panicked")),
    }
}
