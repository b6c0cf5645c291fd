//! `/graphql`: GraphQL over HTTP.

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_graphql::Executor;

use super::answer::{Answer, Refusal};
use super::body;
use super::execution::{Asked, Execution};
use super::media::{self, Media};
use super::parameters::Parameters;
use super::trace::TraceId;
use crate::error::ErrorCode;

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
    let viewer = execution.authenticate(authorization(request))?;
    execution.admits(viewer)?;
    let parameters = if is_safe {
        Parameters::from_query_string(request.query_string())?
    } else {
        receive(execution, request, payload).await?
    };
    Ok(Asked { parameters, viewer, trace, is_safe })
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

/// What the request says of who sends it. What is not text is no token.
pub(super) fn authorization(request: &HttpRequest) -> Option<&str> {
    request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default())
}
