//! An answer on its way out: with the ids of its call, whole or broken.

use actix_web::{HttpResponse, web};
use uuid::Uuid;

use crate::reply::Reply;

pub(super) fn correlated(reply: Reply, client: Option<&str>, correlation: Option<&str>) -> Reply {
    let request = Uuid::new_v4().to_string();
    let correlation = correlation.unwrap_or(&request).to_owned();
    let reply = reply
        .header("x-ms-request-id", &request)
        .header("request-id", &request)
        .header("x-ms-correlation-request-id", &correlation)
        .header("cache-control", "no-cache");
    match client {
        Some(id) => reply.header("x-ms-client-request-id", id),
        None => reply,
    }
}

pub(super) fn respond(reply: Reply) -> HttpResponse {
    let mut response = start(&reply);
    response.body(reply.body)
}

fn start(reply: &Reply) -> actix_web::HttpResponseBuilder {
    let status = actix_web::http::StatusCode::from_u16(reply.status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    for (name, value) in &reply.headers {
        response.append_header((name.as_str(), value.as_str()));
    }
    response
}

/// Breaks off after nothing.
pub(super) fn reset() -> HttpResponse {
    broken_after(&Reply::empty(200), Vec::new())
}

/// Breaks off in the middle of the body.
pub(super) fn truncated(reply: &Reply) -> HttpResponse {
    let half = reply.body[..reply.body.len() / 2].to_vec();
    broken_after(reply, half)
}

fn broken_after(reply: &Reply, body: Vec<u8>) -> HttpResponse {
    let broken = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let parts = [Ok(web::Bytes::from(body)), Err(broken())];
    start(reply).streaming(futures::stream::iter(parts))
}
