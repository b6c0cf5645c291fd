//! Sends every request to Microsoft: budgets, correlation ids, timeouts, bounded bodies, repeats.

mod download;
mod microsoft_clock;
mod retry_after;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use reqwest::{Method, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use crate::error::codes;
use crate::error::problem::{Answer, Service, classify, header};
use crate::error::redact::redact;
use crate::error::{Detail, MicrosoftError};
use crate::throttle::{Lane, Permit, Throttle, resets_after};
use crate::{Clock, DelegatedEnd, DelegatedRequest, Watch};
pub(crate) use download::Download;
use microsoft_clock::MicrosoftClock;

/// Resource Manager itself gives up on a provider after 60 s and then says so.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(75);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is sent when there is no usable answer to it.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// After so long a request is not sent again, however patient its sender is.
const REPEAT_FOR: Duration = Duration::from_secs(10);
/// Above this size decoding would hold up the other tasks of its thread.
const LARGE_BODY: usize = 128 << 10;

/// How long a call may wait for its budget before the wait is handed to the caller.
pub(crate) mod patience {
    use std::time::Duration;

    /// For calls of a job: the shortest wait that Microsoft asks for, and a little. A longer one is the queue's to
    /// keep, so that the job's place is free for work on what is not throttled.
    pub const JOB: Duration = Duration::from_secs(2);
    /// For calls that somebody waits for: nobody keeps a longer wait for them.
    pub const PERSON: Duration = Duration::from_secs(10);
    /// For the pages of a stream: waiting out a quota window is its normal pace.
    pub const STREAM: Duration = Duration::from_mins(2);
}

/// How large an answer may be.
pub(crate) mod body_limit {
    /// Tokens, keys, single objects.
    pub const OBJECT: usize = 1 << 20;
    /// Lists: Resource Manager refuses more than 8 MB of a provider; Resource Graph pages stay below it.
    pub const PAGE: usize = 16 << 20;
}

/// Whether a request may be sent again after it may have been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Always,
    /// A code is redeemed once, and a report counts what fails: repeat only what certainly never arrived.
    IfNeverReceived,
}

/// One request.
pub(crate) struct Request {
    pub service: Service,
    pub method: Method,
    pub url: Url,
    pub content_type: Option<HeaderValue>,
    pub body: Bytes,
    pub bearer: Option<SecretString>,
    /// The tag of what the caller has already, for `If-None-Match`.
    pub if_none_match: Option<HeaderValue>,
    /// What else says who sends it: a registration's id and secret.
    pub basic: Option<HeaderValue>,
    pub lane: Lane,
    pub patience: Duration,
    pub body_limit: usize,
    /// Statuses that are answers, not refusals, besides those of success.
    pub also_answers: &'static [u16],
    pub repeat: Repeat,
    pub correlation_id: Uuid,
    /// Watches over a request that impersonates somebody.
    pub watch: Option<Arc<dyn Watch>>,
}

/// A successful answer.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The one HTTP client.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    throttle: Throttle,
    clock: Clock,
    microsoft_clock: MicrosoftClock,
}

impl Http {
    /// One with budgets of its own.
    pub fn new(clock: Clock) -> Result<Self, MicrosoftError> {
        Self::with(clock, Throttle::new(None))
    }

    pub fn with(clock: Clock, throttle: Throttle) -> Result<Self, MicrosoftError> {
        #[expect(clippy::disallowed_methods, reason = "the one client that calls Microsoft")]
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            // A redirect could carry the Authorization header to somebody else.
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("tenantry/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| MicrosoftError::of(&codes::APPLICATION_MISCONFIGURED, chain(error)))?;
        Ok(Self { client, throttle, clock, microsoft_clock: MicrosoftClock::default() })
    }

    /// How long an answer asks to wait.
    pub fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        retry_after::retry_after(headers, (self.clock)())
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends the request, again where that is safe, until there is an answer or it takes too long.
    pub async fn send(&self, request: &Request) -> Result<Reply, MicrosoftError> {
        let started = tokio::time::Instant::now();
        let mut failures = 0;
        loop {
            let left = request.patience.saturating_sub(started.elapsed());
            let permit = self.throttle.acquire(request.lane, left).await.map_err(own_budget_spent)?;
            let Failure { error, never_received } = match self.attempt(request, &permit).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            drop(permit);
            if request.repeat == Repeat::IfNeverReceived && !never_received {
                return Err(error);
            }
            let left = request.patience.saturating_sub(started.elapsed());
            let repeat_for = request.patience.max(REPEAT_FOR).saturating_sub(started.elapsed());
            let pause = match &error {
                // The lane is closed for that long, so `acquire` does the waiting.
                MicrosoftError::Throttled { retry_after, .. } if *retry_after <= left => Duration::ZERO,
                MicrosoftError::Unavailable { retry_after, .. } if failures + 1 < ATTEMPTS => {
                    failures += 1;
                    backoff(failures).max(retry_after.unwrap_or_default())
                }
                _ => return Err(error),
            };
            if pause > repeat_for {
                return Err(error);
            }
            tracing::debug!(error = %error, pause_ms = pause.as_millis(), "a request to Microsoft is repeated");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends the request once; if it impersonates somebody, only where that is admitted.
    async fn attempt(&self, request: &Request, permit: &Permit) -> Result<Reply, Failure> {
        let id = Uuid::now_v7();
        let Some(watch) = &request.watch else {
            return self.exchange(request, id, TOTAL_TIMEOUT, permit).await;
        };
        let delegated = DelegatedRequest {
            id,
            correlation_id: request.correlation_id,
            method: request.method.to_string(),
            path: path_and_query(&request.url),
            microsoft_now: self.microsoft_clock.now(),
        };
        let allowed = watch.admit(&delegated).await?;
        let answered = self.exchange(request, id, allowed.min(TOTAL_TIMEOUT), permit).await;
        watch.ended(&delegated, &end_of(&answered)).await;
        answered
    }

    async fn exchange(
        &self,
        request: &Request,
        id: Uuid,
        timeout: Duration,
        permit: &Permit,
    ) -> Result<Reply, Failure> {
        let sent = self.build(request, id)?.timeout(timeout).send().await;
        let response = sent.map_err(|error| transport(error, request.correlation_id))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        permit.learn(&headers).await;
        self.microsoft_clock.learn(&headers);
        tracing::debug!(
            http.method = %request.method,
            http.path = request.url.path(),
            http.status = status,
            microsoft.request_id = headers.get("x-ms-request-id").and_then(|id| id.to_str().ok()),
            microsoft.correlation_id = %request.correlation_id,
            "Microsoft answered"
        );
        let body = read_body(response, request).await?;
        if (200..300).contains(&status) || request.also_answers.contains(&status) {
            return Ok(Reply { status, headers, body });
        }
        let mut wait = retry_after::retry_after(&headers, (self.clock)());
        if status == 429 {
            // Resource Graph may leave Retry-After out: its quota says when it is over.
            wait = wait
                .or_else(|| resets_after(&headers).map(|wait| wait.max(retry_after::LEAST)))
                .or_else(|| request.lane.budget.unnamed_wait());
        }
        let error = classify(&Answer {
            service: request.service,
            status,
            headers: &headers,
            body: &body,
            retry_after: wait,
            correlation_id: request.correlation_id,
        });
        if let MicrosoftError::Throttled { retry_after, .. } = &error {
            permit.refused(*retry_after + jitter()).await;
        }
        Err(Failure { error, never_received: matches!(status, 429 | 503) })
    }

    fn build(&self, request: &Request, id: Uuid) -> Result<reqwest::RequestBuilder, Failure> {
        let client_request_id = header_of(id);
        let mut builder = self
            .client
            .request(request.method.clone(), request.url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            // Graph and Entra use the short name, Resource Manager the long ones.
            .header(HeaderName::from_static("client-request-id"), client_request_id.clone())
            .header(HeaderName::from_static("x-ms-client-request-id"), client_request_id)
            .header("x-ms-return-client-request-id", HeaderValue::from_static("true"))
            .header("x-ms-correlation-request-id", header_of(request.correlation_id));
        if let Some(token) = &request.bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| MicrosoftError::of(&codes::TOKEN_REFUSED, "the token is no header value"))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(basic) = &request.basic {
            let mut value = basic.clone();
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(tag) = &request.if_none_match {
            builder = builder.header(IF_NONE_MATCH, tag.clone());
        }
        if let Some(content_type) = &request.content_type {
            builder = builder.header(CONTENT_TYPE, content_type.clone()).body(request.body.clone());
        }
        Ok(builder)
    }
}

/// What the receipt says of an answer.
fn end_of(answered: &Result<Reply, Failure>) -> DelegatedEnd {
    match answered {
        Ok(reply) => DelegatedEnd {
            status: Some(reply.status),
            refuses_token: false,
            microsoft_code: None,
            request_id: header(&reply.headers, "x-ms-request-id"),
        },
        Err(Failure { error, .. }) => DelegatedEnd {
            status: error.detail().status,
            refuses_token: matches!(
                error,
                MicrosoftError::TokenExpired { .. }
                    | MicrosoftError::ConsentWithdrawn { .. }
                    | MicrosoftError::InteractionRequired { .. }
            ),
            microsoft_code: error.microsoft_code().map(str::to_owned),
            request_id: error.request_id().map(str::to_owned),
        },
    }
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

struct Failure {
    error: MicrosoftError,
    never_received: bool,
}

impl From<MicrosoftError> for Failure {
    fn from(error: MicrosoftError) -> Self {
        Self { error, never_received: false }
    }
}

async fn read_body(mut response: reqwest::Response, request: &Request) -> Result<Bytes, Failure> {
    let too_large =
        || MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the answer is larger than any known one");
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > request.body_limit {
        return Err(too_large().into());
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) =
        response.chunk().await.map_err(|error| transport(error, request.correlation_id))?
    {
        if body.len() + chunk.len() > request.body_limit {
            return Err(too_large().into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Reads an answer; large ones away from the threads that serve other tasks.
pub(crate) async fn decode<T>(body: Bytes) -> Result<T, MicrosoftError>
where
    T: DeserializeOwned + Send + 'static,
{
    let large = body.len() > LARGE_BODY;
    let read = move || {
        serde_json::from_slice(&body).map_err(|error| {
            // The error says where and what kind, never the text itself.
            let place =
                format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
            MicrosoftError::of(&codes::UNEXPECTED_ANSWER, place)
        })
    };
    if !large {
        return read();
    }
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| MicrosoftError::of(&codes::MICROSOFT_UNAVAILABLE, error.to_string()))?
}

fn own_budget_spent(retry_after: Duration) -> MicrosoftError {
    MicrosoftError::new(
        Detail::new(&codes::MICROSOFT_THROTTLED, "the budget of calls is spent"),
        Some(retry_after),
    )
}

fn transport(error: reqwest::Error, correlation_id: Uuid) -> Failure {
    let never_received = error.is_connect();
    let detail = Detail {
        correlation_id: Some(correlation_id.to_string()),
        ..Detail::new(&codes::MICROSOFT_UNAVAILABLE, chain(error))
    };
    Failure { error: MicrosoftError::new(detail, None), never_received }
}

/// The error and its causes in one line. Its address goes: it could hold an authorization code.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    redact(&text)
}

fn header_of(id: Uuid) -> HeaderValue {
    // A UUID's text is ASCII.
    HeaderValue::from_str(&id.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Exponential, and anywhere between half and the whole of it, so that many workers do not return at once.
fn backoff(failures: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.min(8)).min(LONGEST_PAUSE);
    whole.mul_f64(rand::random_range(0.5..1.0))
}

fn jitter() -> Duration {
    Duration::from_millis(rand::random_range(0..100))
}
