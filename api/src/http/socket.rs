//! `/graphql/ws`: live queries, and any other operation, over WebSocket by the protocol
//! `graphql-transport-ws`.

mod close;
mod message;
mod session;

use std::sync::Arc;

use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_graphql::Executor;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::answer::{Answer, Refusal};
use super::execution::Execution;
use super::graphql::presented;
use super::media::Media;
use super::origins::Origins;
use super::trace::TraceId;
use crate::error::ErrorCode;

/// The one protocol spoken here.
const PROTOCOL: &str = "graphql-transport-ws";

/// What all sockets share.
pub(super) struct Sockets<E> {
    pub(super) execution: Arc<Execution<E>>,
    pub(super) shutdown: CancellationToken,
}

/// Opens a socket.
pub(super) async fn upgrade<E: Executor>(
    sockets: web::Data<Sockets<E>>,
    origins: web::Data<Origins>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
    open(&sockets, &origins, &request, payload)
        .await
        .unwrap_or_else(|refusal| Answer::Refused(refusal).respond(Media::Json, &trace))
}

async fn open<E: Executor>(
    sockets: &web::Data<Sockets<E>>,
    origins: &Origins,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    if !offers_protocol(request) {
        let message = "Offer the WebSocket protocol graphql-transport-ws.";
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    if !origins.admits_socket(request) {
        return Err(Refusal::new(ErrorCode::Forbidden, "This origin may not open a socket."));
    }
    let presented = presented(request)?;
    sockets.execution.authenticate(&presented).await?;
    let presented = sockets.execution.authenticator.pin(presented).await;
    let (response, writer, reader) = actix_ws::handle_with_protocols(request, payload, &[PROTOCOL])
        .map_err(|error| Refusal::new(ErrorCode::BadRequest, error.to_string()))?;
    let limit = sockets.execution.limits.body;
    let reader = reader.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let execution = Arc::clone(&sockets.execution);
    let run = session::run(execution, writer, reader, presented, sockets.shutdown.clone());
    actix_web::rt::spawn(run.in_current_span());
    Ok(response)
}

fn offers_protocol(request: &HttpRequest) -> bool {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    offered.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(',')).any(|it| it.trim() == PROTOCOL)
}
