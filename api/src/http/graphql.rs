//! `/graphql`: GraphQL over HTTP.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_graphql::Executor;
use secrecy::SecretString;
use uuid::Uuid;

use super::answer::{Answer, Refusal};
use super::body;
use super::cookies::SESSION;
use super::events;
use super::execution::{Asked, Execution};
use super::frame;
use super::media::{self, Media};
use super::origins::Origins;
use super::parameters::Parameters;
use super::sign_in::organization;
use super::socket::Sockets;
use super::trace::TraceId;
use crate::authentication::Presented;
use crate::error::ErrorCode;
use crate::viewer::Origin;

/// Answers one request.
pub(super) async fn handle<E: Executor>(
    execution: web::Data<Execution<E>>,
    sockets: web::Data<Sockets<E>>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
    let wants_events = media::wants_events(request.headers());
    let media = if wants_events { Some(Media::GraphqlResponse) } else { Media::accepted(request.headers()) };
    let Some(media) = media else {
        let message =
            "Accept application/graphql-response+json, application/json or text/event-stream, in UTF-8.";
        let refusal = Refusal::new(ErrorCode::NotAcceptable, message);
        return Answer::Refused(refusal).respond(Media::Json, &trace);
    };
    let execution = execution.into_inner();
    let mut renewed = None;
    let mut is_over = false;
    let mut response = match ask(&execution, &request, payload, trace.clone(), &mut renewed).await {
        Ok((asked, presented)) if wants_events => {
            let presented = execution.authenticator.pin(presented).await;
            events::respond(execution, asked, presented, sockets.shutdown.clone()).await
        }
        Ok((asked, _)) => execution.answer(asked).await.respond(media, &trace),
        Err(refusal) => {
            is_over = refusal.ends_session();
            Answer::Refused(refusal).respond(media, &trace)
        }
    };
    let cookie = match renewed {
        Some(cookie) => Some(SESSION.set(&request, &cookie, entity::session::LIFETIME)),
        None => is_over.then(|| SESSION.remove(&request)),
    };
    if let Some(Err(error)) = cookie.map(|cookie| response.add_cookie(&cookie)) {
        tracing::error!(%error, "a cookie was not set");
    }
    response
}

async fn ask<E: Executor>(
    execution: &Execution<E>,
    request: &HttpRequest,
    payload: web::Payload,
    trace: TraceId,
    renewed: &mut Option<SecretString>,
) -> Result<(Asked, Presented), Refusal> {
    let is_safe = match *request.method() {
        Method::GET => true,
        Method::POST => false,
        _ => return Err(Refusal::method("GET, POST", "GraphQL is asked by GET or POST.")),
    };
    let presented = presented(request)?;
    let viewer = execution.authenticate(&presented).await?;
    execution.admits(viewer)?;
    *renewed = execution.authenticator.renew(&presented).await;
    let parameters = if is_safe {
        Parameters::from_query_string(request.query_string())?
    } else {
        receive(execution, request, payload).await?
    };
    let address = presented.address.clone();
    Ok((Asked { parameters, viewer, address, trace, is_safe }, presented))
}

async fn receive<E: Executor>(
    execution: &Execution<E>,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Parameters, Refusal> {
    if !media::is_json(request.headers()) {
        let message = "The body has to be application/json, in UTF-8.";
        return Err(Refusal::new(ErrorCode::UnsupportedMediaType, message));
    }
    let reading = body::read(request.headers(), payload, execution.limits.body);
    let body = tokio::time::timeout(execution.limits.execution, reading).await.map_err(|_| {
        Refusal::new(ErrorCode::BadRequest, "The body took too long to arrive.").hanging_up()
    })??;
    Ok(Parameters::from_body(&body)?)
}

/// What the request says of who sends it. A cookie says so only of requests from our own pages.
pub(super) fn presented(request: &HttpRequest) -> Result<Presented, Refusal> {
    // What is not text is no token.
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let bearer = header("authorization").and_then(bearer);
    let cookie = SESSION.of(request).filter(|_| bearer.is_none());
    if cookie.is_some()
        && let Some(origins) = request.app_data::<web::Data<Origins>>()
    {
        origins.check_own(request)?;
    }
    let organization = header("tenantry-organization").map(named_organization).transpose()?;
    Ok(Presented { bearer, cookie, session: None, organization, address: address(request) })
}

/// The organization that somebody wants to act in.
pub(super) fn named_organization(id: &str) -> Result<Uuid, Refusal> {
    organization(id).ok_or_else(|| {
        let message = "Name the organization by its id, as `viewer { organization { id } }` answers it.";
        Refusal::new(ErrorCode::BadId, message)
    })
}

/// Where the request comes from.
pub(super) fn origin(request: &HttpRequest) -> Origin {
    let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
    Origin { address: address(request), request_id: trace.as_str().to_owned() }
}

/// The client's address: the peer's, or what the proxy in front of us says last.
fn address(request: &HttpRequest) -> Option<String> {
    let is_behind_proxy = request.app_data::<web::Data<frame::Settings>>().is_some_and(|it| it.behind_proxy);
    if is_behind_proxy {
        let forwarded = request.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
        let address: IpAddr = forwarded.rsplit(',').next()?.trim().parse().ok()?;
        return Some(address.to_string());
    }
    request.peer_addr().map(|peer| peer.ip().to_string())
}

/// The token of an `Authorization`; none if it is of another scheme.
pub(super) fn bearer(authorization: &str) -> Option<SecretString> {
    let (scheme, token) = authorization.trim().split_once(' ').unwrap_or((authorization.trim(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
}
