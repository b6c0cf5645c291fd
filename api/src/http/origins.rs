//! Which front ends on other origins may call us from a browser.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

use super::answer::Refusal;
use crate::error::ErrorCode;

/// The origins that may; none by default. Never all of them, and never with cookies.
pub(super) struct Origins {
    allowed: Vec<String>,
    /// Our own; none: nobody signs in here with a browser.
    own: Option<String>,
}

impl Origins {
    pub(super) fn new(allowed: Vec<String>, own: Option<String>) -> Self {
        let allowed = allowed.into_iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase());
        Self { allowed: allowed.collect(), own }
    }

    /// Whether a request that a cookie vouches for comes from a page of ours: a page of somebody else can make
    /// a browser send it too, and then the browser says so.
    pub(super) fn check_own(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let is_own = match header("origin") {
            Some(origin) => self.own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin)),
            None => header("sec-fetch-site") == Some("same-origin"),
        };
        if is_own {
            return Ok(());
        }
        let message = "A session's cookie counts only in requests from our own pages, which say so by their \
                       Origin. From anywhere else send a token: \"Authorization: Bearer\" and the token.";
        Err(Refusal::new(ErrorCode::Forbidden, message))
    }

    /// The `Origin` of a request, if it is an allowed one.
    pub(super) fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let origin = headers.get(ORIGIN)?.to_str().ok()?;
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)).then_some(origin)
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
        self.allowed.is_empty()
    }
}
