//! What is asked before each request that impersonates a consenting user, and told after it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::MicrosoftError;

/// Watches over the requests that are made with one delegated token: each repeat and each page is one.
pub trait Watch: Send + Sync {
    /// Asked right before the request is sent: how long it may take, or why it must not be sent.
    fn admit<'a>(&'a self, request: &'a DelegatedRequest) -> BoxFuture<'a, Result<Duration, MicrosoftError>>;

    /// Told what became of a request that was admitted.
    fn ended<'a>(&'a self, request: &'a DelegatedRequest, end: &'a DelegatedEnd) -> BoxFuture<'a, ()>;
}

/// A request that is about to be sent in a consenting user's name.
#[derive(Clone, Debug)]
pub struct DelegatedRequest {
    /// Its `x-ms-client-request-id`.
    pub id: Uuid,
    /// Its `x-ms-correlation-request-id`, by which Azure's Activity Log finds what it did.
    pub correlation_id: Uuid,
    /// The HTTP method.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// What Microsoft's clock says, as far as its answers told; none: it has not answered yet.
    pub microsoft_now: Option<DateTime<Utc>>,
}

/// What became of a request.
#[derive(Clone, Debug, Default)]
pub struct DelegatedEnd {
    /// The HTTP status; none: there was no answer.
    pub status: Option<u16>,
    /// Whether the token itself was refused: it is of no use any more, anywhere.
    pub refuses_token: bool,
    /// Microsoft's own code, if it refused.
    pub microsoft_code: Option<String>,
    /// Microsoft's id of the request.
    pub request_id: Option<String>,
}
