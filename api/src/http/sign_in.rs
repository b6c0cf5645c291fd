//! Where members sign in with a browser on our own origin, and sign out.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::answer::Answer;
use super::cookies::{SESSION, SIGN_IN};
use super::desk::{Desk, pass_on, show};
use super::graphql::origin;
use super::media::Media;
use super::origins::Origins;
use super::trace::TraceId;
use crate::page::Page;
use crate::sign_in::{self, PATIENCE, Returned, SignedIn, Wanted};

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/sign-in", web::get().to(start))
        .route("/sign-in/callback", web::get().to(callback))
        .route("/sign-out", web::post().to(sign_out));
}

#[derive(Deserialize)]
struct StartQuery {
    return_to: Option<String>,
    organization: Option<String>,
    invitation: Option<SecretString>,
}

#[derive(Deserialize)]
struct CallbackQuery {
    state: Option<SecretString>,
    code: Option<SecretString>,
    iss: Option<String>,
    error: Option<String>,
}

async fn start(desk: web::Data<Desk>, request: HttpRequest, query: web::Query<StartQuery>) -> HttpResponse {
    let query = query.into_inner();
    let named = query.organization.as_deref().map(|id| organization(id).ok_or(()));
    let Ok(organization) = named.transpose() else { return show(&no_organization()) };
    let wanted = Wanted { return_to: query.return_to, organization, invitation: query.invitation };
    let started = desk.work(|services| async move { sign_in::start(&services, wanted).await }).await;
    match started {
        Some(Ok((url, cookie))) => {
            pass_on(StatusCode::FOUND, url.as_str()).cookie(SIGN_IN.set(&request, &cookie, PATIENCE)).finish()
        }
        Some(Err(page)) => show(&page),
        None => show(&Page::broken(&"the start of a sign-in panicked")),
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
        issuer: query.iss,
        error: query.error,
        browser: SIGN_IN.of(&request),
        origin: origin(&request),
    };
    let received = desk.work(|services| async move { sign_in::receive(&services, returned).await }).await;
    let received = received.unwrap_or_else(|| Err(Page::broken(&"the return of a sign-in panicked")));
    let mut response = match &received {
        Ok(SignedIn { return_to: Some(to), .. }) => pass_on(StatusCode::SEE_OTHER, to).finish(),
        Ok(signed_in) => show(&Page::signed_in(&signed_in.display_name)),
        Err(page) => show(page),
    };
    let mut cookies = vec![SIGN_IN.remove(&request)];
    if let Ok(signed_in) = &received {
        cookies.push(SESSION.set(&request, &signed_in.cookie, entity::session::LIFETIME));
    }
    for cookie in cookies {
        if let Err(error) = response.add_cookie(&cookie) {
            return show(&Page::broken(&error));
        }
    }
    response
}

/// Ends the session of this browser; without one there is nothing to end.
async fn sign_out(desk: web::Data<Desk>, origins: web::Data<Origins>, request: HttpRequest) -> HttpResponse {
    let Some(cookie) = SESSION.of(&request) else { return HttpResponse::NoContent().finish() };
    if let Err(refusal) = origins.check_own(&request) {
        let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
        return Answer::Refused(refusal).respond(Media::Json, &trace);
    }
    let origin = origin(&request);
    let ended =
        desk.work(|services| async move { sign_in::sign_out(&services, &cookie, &origin).await }).await;
    match ended {
        Some(Ok(())) => HttpResponse::NoContent()
            .insert_header((CACHE_CONTROL, "no-store"))
            .cookie(SESSION.remove(&request))
            .finish(),
        Some(Err(error)) => show(&Page::broken(&error)),
        None => show(&Page::broken(&"the end of a session panicked")),
    }
}

fn no_organization() -> Page {
    let message = "The link does not name an organization. Copy it again, in full, or sign in without it.";
    Page::new(400, "BAD_ID", "This link is not complete", message)
}

/// The row of an organization that is named by its id.
pub(super) fn organization(id: &str) -> Option<Uuid> {
    Uuid::try_parse(id.strip_prefix("organization:")?).ok()
}
