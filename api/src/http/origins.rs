//! Which front ends on other origins may call us from a browser.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

/// The origins that may; none by default. Never all of them, and never with cookies.
pub(super) struct Origins(Vec<String>);

impl Origins {
    pub(super) fn new(allowed: Vec<String>) -> Self {
        Self(allowed.into_iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    /// The `Origin` of a request, if it is an allowed one.
    pub(super) fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let origin = headers.get(ORIGIN)?.to_str().ok()?;
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)).then_some(origin)
    }

    /// Whether a socket may be opened: browsers leave that to us, they ask for no permission first.
    pub(super) fn admits_socket(&self, request: &HttpRequest) -> bool {
        let headers = request.headers();
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_own =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, it)| it) == host;
        is_own || self.allowed(headers).is_some()
    }

    /// Whether any is allowed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
