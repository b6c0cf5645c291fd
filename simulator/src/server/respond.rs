//! An answer on its way out: with the ids of its call, whole or broken.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::reply::Reply;

/// The ids of a call: what came with it, and what it is called here.
pub(super) struct Ids {
    pub(super) request: Uuid,
    pub(super) client: Option<String>,
    pub(super) correlation: Option<String>,
}

impl Ids {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let header = |name: &str| request.headers().get(name)?.to_str().ok().map(str::to_owned);
        Self {
            request: Uuid::new_v4(),
            client: header("x-ms-client-request-id").or_else(|| header("client-request-id")),
            correlation: header("x-ms-correlation-request-id"),
        }
    }

    pub(super) fn answered_correlation(&self) -> String {
        self.correlation.clone().unwrap_or_else(|| self.request.to_string())
    }

    pub(super) fn on(&self, reply: Reply) -> Reply {
        let request = self.request.to_string();
        let reply = reply
            .header("x-ms-request-id", &request)
            .header("request-id", &request)
            .header("x-ms-correlation-request-id", &self.answered_correlation())
            .header("cache-control", "no-cache");
        match &self.client {
            Some(id) => reply.header("x-ms-client-request-id", id),
            None => reply,
        }
    }
}

/// By Microsoft's clock: without this the server would write the machine's.
pub(super) fn dated(reply: Reply, now: DateTime<Utc>) -> Reply {
    reply.header("date", &now.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
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
