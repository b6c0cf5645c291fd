//! `/owner-link`: where an owner who has no account here sees what is asked for, and starts the consent.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde::Deserialize;

use super::cookies::OWNER_LINK;
use super::desk::{Desk, pass_on, show};
use super::graphql::origin;
use crate::owner_link::{self, PATH};
use crate::page::Page;

/// How long the button of a page is good.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.route(PATH, web::get().to(open)).route(PATH, web::post().to(start));
}

#[derive(Deserialize)]
struct LinkQuery {
    token: Option<SecretString>,
}

#[derive(Default, Deserialize)]
struct ButtonForm {
    #[serde(default)]
    token: SecretString,
    #[serde(default)]
    browser: String,
}

/// Uses nothing up: what looks at links before people do may open it as often as it likes.
async fn open(desk: web::Data<Desk>, request: HttpRequest, query: web::Query<LinkQuery>) -> HttpResponse {
    let token = query.into_inner().token.unwrap_or_default();
    let browser = OWNER_LINK.of(&request);
    let opened = desk.work(|services| async move {
        let shown = owner_link::show(&services, &token, browser).await;
        shown.map(|(page, browser)| (page, browser, services.microsoft.login().origin()))
    });
    match opened.await {
        Some(Ok((page, browser, sign_in))) => {
            let mut response = show(&page);
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, with_button(&sign_in));
            match response.add_cookie(&OWNER_LINK.set(&request, &browser, PATIENCE)) {
                Ok(()) => response,
                Err(error) => show(&Page::broken(&error)),
            }
        }
        Some(Err(page)) => show(&page),
        None => show(&Page::broken(&"the opening of an owner link panicked")),
    }
}

/// Browsers follow a form's redirects only to where the page says: to us, and on to the sign-in.
fn with_button(sign_in: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self' {sign_in}; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A form that cannot be read comes from no page of ours.
async fn start(
    desk: web::Data<Desk>,
    request: HttpRequest,
    form: Result<web::Form<ButtonForm>, actix_web::Error>,
) -> HttpResponse {
    let ButtonForm { token, browser: shown } = form.map(web::Form::into_inner).unwrap_or_default();
    let (browser, origin) = (OWNER_LINK.of(&request), origin(&request));
    let started = desk.work(|services| async move {
        owner_link::start(&services, &token, (&shown, browser), &origin).await
    });
    match started.await {
        Some(Ok(url)) => pass_on(StatusCode::SEE_OTHER, url.as_str()).finish(),
        Some(Err(page)) => show(&page),
        None => show(&Page::broken(&"the start of a consent panicked")),
    }
}
