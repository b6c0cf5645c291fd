//! What a request is answered: what was executed, or why nothing was.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use async_graphql::{Pos, ServerError, Value};
use serde_json::json;

use super::media::Media;
use super::parameters::Malformed;
use super::trace::TraceId;
use crate::authentication::TokenRefused;
use crate::error::ErrorCode;
use crate::limits::Refused;

/// What people are told when we broke.
pub(super) const BROKEN: &str = "Something broke on our side. The trace id finds it in our log.";

/// What a request is answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was executed; this is the response as JSON, whatever errors it holds.
    Executed(String),
    /// Nothing was executed.
    Refused(Refusal),
}

/// Why nothing was executed.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    errors: Vec<ServerError>,
    challenge: Option<String>,
    allow: Option<&'static str>,
    hangs_up: bool,
    ends_session: bool,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::of_errors(code, vec![ServerError::new(message, None)])
    }

    /// Errors that are all of this code.
    pub(super) fn of_errors(code: ErrorCode, mut errors: Vec<ServerError>) -> Self {
        for error in &mut errors {
            let extensions = error.extensions.get_or_insert_default();
            extensions.set("code", code.as_str());
            extensions.set("retryable", code.is_retryable());
        }
        let challenge = errors.first().and_then(insufficient);
        Self { code, errors, challenge, allow: None, hangs_up: false, ends_session: false }
    }

    /// With one more thing for programs to know.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for error in &mut self.errors {
            error.extensions.get_or_insert_default().set(name, value.clone());
        }
        self
    }

    fn at(mut self, positions: &[Pos]) -> Self {
        for error in &mut self.errors {
            error.locations.extend_from_slice(positions);
        }
        self
    }

    /// And what the client has yet to send is not worth reading.
    pub(super) fn hanging_up(self) -> Self {
        Self { hangs_up: true, ..self }
    }

    /// The method is not one of `allow`.
    pub(super) fn method(allow: &'static str, message: &str) -> Self {
        Self { allow: Some(allow), ..Self::new(ErrorCode::MethodNotAllowed, message) }
    }

    /// There is no token.
    pub(super) fn token_missing() -> Self {
        let message = "Send a token with the request: \"Authorization: Bearer\" and the token.";
        let refusal = Self::new(ErrorCode::Unauthenticated, message);
        Self { challenge: Some("Bearer".to_owned()), ..refusal }
    }

    /// We broke; whoever says so has written the cause to the log.
    pub(super) fn internal() -> Self {
        Self::new(ErrorCode::Internal, BROKEN)
    }

    /// The errors, each with the trace id.
    pub(super) fn into_errors(self, trace: &TraceId) -> Vec<ServerError> {
        self.with("traceId", trace.as_str()).errors
    }

    /// Whether the session has ended: then its cookie goes.
    pub(super) fn ends_session(&self) -> bool {
        self.ends_session
    }

    /// The first error's message.
    pub(super) fn message(&self) -> &str {
        self.errors.first().map_or("", |error| error.message.as_str())
    }

    /// `application/json` answers 200 to whatever GraphQL could be made of.
    fn status(&self, media: Media) -> StatusCode {
        let understood = match media {
            Media::Json => StatusCode::OK,
            Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        };
        match self.code {
            ErrorCode::BadDocument
            | ErrorCode::BadInput
            | ErrorCode::BadId
            | ErrorCode::BadCursor
            | ErrorCode::TooComplex => understood,
            ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::UpstreamUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn respond(self, media: Media, trace: &TraceId) -> HttpResponse {
        let mut response = HttpResponse::build(self.status(media));
        if let Some(challenge) = &self.challenge {
            response.insert_header((WWW_AUTHENTICATE, challenge.as_str()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        if self.hangs_up {
            response.force_close();
        }
        let errors = self.into_errors(trace);
        finish(response, media, json!({ "errors": errors }).to_string())
    }
}

/// The challenge to a viewer that lacks a scope or a role (RFC 6750, section 3).
fn insufficient(error: &ServerError) -> Option<String> {
    let text = |name: &str| match error.extensions.as_ref()?.get(name)? {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    };
    text("reason")?;
    let scope = text("scope").map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
    let message = &error.message;
    Some(format!("Bearer error=\"insufficient_scope\", error_description=\"{message}\"{scope}"))
}

impl From<TokenRefused> for Refusal {
    fn from(refused: TokenRefused) -> Self {
        let message = refused.to_string();
        let Some(reason) = refused.reason() else {
            return Self::new(ErrorCode::UpstreamUnavailable, message);
        };
        let (code, error) = match refused {
            TokenRefused::NotAMember => (ErrorCode::Forbidden, "insufficient_scope"),
            _ => (ErrorCode::Unauthenticated, "invalid_token"),
        };
        let challenge = format!("Bearer error=\"{error}\", error_description=\"{message}\"");
        let ends_session = refused == TokenRefused::SessionEnded;
        Self { challenge: Some(challenge), ends_session, ..Self::new(code, message) }.with("reason", reason)
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::new(ErrorCode::BadRequest, malformed.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Exceeded { limit, reached, allowed } => Self::new(ErrorCode::TooComplex, message)
                .with("limit", limit.as_str())
                .with("reached", reached)
                .with("allowed", allowed),
            Refused::Syntax(error) => Self::new(ErrorCode::BadDocument, message).at(&error.locations),
            Refused::VariableMissing { position, .. } => {
                Self::new(ErrorCode::BadInput, message).at(&[position])
            }
            Refused::Cycle(_) | Refused::UnknownOperation(_) | Refused::OperationNameMissing => {
                Self::new(ErrorCode::BadDocument, message)
            }
        }
    }
}

impl Answer {
    /// The answer over HTTP.
    pub(super) fn respond(self, media: Media, trace: &TraceId) -> HttpResponse {
        match self {
            Self::Executed(body) => finish(HttpResponse::Ok(), media, body),
            Self::Refused(refusal) => refusal.respond(media, trace),
        }
    }
}

fn finish(mut response: HttpResponseBuilder, media: Media, body: String) -> HttpResponse {
    response
        .insert_header((CONTENT_TYPE, media.content_type()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}
