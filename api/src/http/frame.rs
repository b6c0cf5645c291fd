//! What every answer carries: its request id, the headers that browsers need to be safe, and the
//! permission for allowed origins.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use tracing::Instrument;

use super::origins::Origins;
use super::trace::TraceId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Pages bring their own styles; nothing brings scripts.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What the headers depend on.
pub(super) struct Settings {
    /// Whether we are reached by https only.
    pub(super) https: bool,
    /// Whether every request comes through a proxy, which says from where.
    pub(super) behind_proxy: bool,
}

/// Surrounds every request.
pub(super) async fn frame<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let brought = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let trace = TraceId::of(brought);
    request.extensions_mut().insert(trace.clone());
    let settings = request.app_data::<web::Data<Settings>>().cloned();
    let origins = request.app_data::<web::Data<Origins>>().cloned();
    let origin = origins.as_ref().and_then(|origins| origins.allowed(request.headers())).map(str::to_owned);
    let span = tracing::info_span!(
        "request",
        trace.id = %trace,
        http.method = %request.method(),
        http.path = request.path(),
    );
    let mut response = if origin.is_some() && is_preflight(&request) {
        request.into_response(permission()).map_into_right_body()
    } else {
        next.call(request).instrument(span.clone()).await?.map_into_left_body()
    };
    span.in_scope(|| tracing::debug!(http.status = response.status().as_u16(), "answered"));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(trace.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    secure(headers, settings.is_some_and(|settings| settings.https));
    if origins.is_some_and(|origins| !origins.is_empty()) {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("x-request-id, www-authenticate, retry-after");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(response)
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn permission() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, tenantry-organization, x-request-id",
        ))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

/// Adds what a page has not set itself.
fn secure(headers: &mut HeaderMap, https: bool) {
    let mut set = |name: HeaderName, value: HeaderValue| {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    set(CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    set(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    set(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    if https {
        set(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
