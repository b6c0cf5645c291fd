//! `/graphql`: GraphQL over HTTP.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_graphql::Executor;
use secrecy::SecretString;

use super::answer::{Answer, Refusal};
use super::body;
use super::execution::{Asked, Execution};
use super::frame;
use super::media::{self, Media};
use super::parameters::Parameters;
use super::trace::TraceId;
use crate::authentication::Presented;
use crate::error::ErrorCode;
use crate::viewer::Origin;

/// Answers one request.
pub(super) async fn handle<E: Executor>(
    execution: web::Data<Execution<E>>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
    let Some(media) = Media::accepted(request.headers()) else {
        let message = "Accept application/graphql-response+json or application/json, in UTF-8.";
        let refusal = Refusal::new(ErrorCode::NotAcceptable, message);
        return Answer::Refused(refusal).respond(Media::Json, &trace);
    };
    let answer = match ask(&execution, &request, payload, trace.clone()).await {
        Ok(asked) => execution.into_inner().answer(asked).await,
        Err(refusal) => Answer::Refused(refusal),
    };
    answer.respond(media, &trace)
}

async fn ask<E: Executor>(
    execution: &Execution<E>,
    request: &HttpRequest,
    payload: web::Payload,
    trace: TraceId,
) -> Result<Asked, Refusal> {
    let is_safe = match *request.method() {
        Method::GET => true,
        Method::POST => false,
        _ => return Err(Refusal::method("GET, POST", "GraphQL is asked by GET or POST.")),
    };
    let presented = presented(request);
    let viewer = execution.authenticate(&presented).await?;
    execution.admits(viewer)?;
    let parameters = if is_safe {
        Parameters::from_query_string(request.query_string())?
    } else {
        receive(execution, request, payload).await?
    };
    Ok(Asked { parameters, viewer, address: presented.address, trace, is_safe })
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

/// What the request says of who sends it.
pub(super) fn presented(request: &HttpRequest) -> Presented {
    // What is not text is no token.
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    Presented { bearer: authorization.and_then(bearer), address: address(request) }
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
