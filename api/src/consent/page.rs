//! The pages that the consenting user sees.

use std::fmt::Display;

use entity::consent::{self, State};
use entity::{Failure, FixableBy};

/// A page for the consenting user, who may have no account here: what happened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// A stable code, also in the page for whoever is asked for help.
    pub code: String,
    title: &'static str,
    message: String,
    trace_id: Option<String>,
}

impl Page {
    fn new(status: u16, code: &str, title: &'static str, message: &str) -> Self {
        Self { status, code: code.to_owned(), title, message: message.to_owned(), trace_id: None }
    }

    pub(super) fn granted() -> Self {
        Self::new(
            200,
            "GRANTED",
            "Thank you, the consent is granted",
            "Tenantry now assigns itself the Reader role where you may grant it, and takes inventory. Your \
             own access is erased as soon as the roles are assigned, after an hour at the latest. You can \
             close this page.",
        )
    }

    pub(super) fn refused(failure: &Failure) -> Self {
        let mut page = Self::new(400, &failure.code, "The consent was not granted", &failure.message);
        page.trace_id = Some(failure.trace_id.clone());
        page
    }

    pub(super) fn unknown() -> Self {
        Self::new(
            404,
            "CONSENT_UNKNOWN",
            "This link is not known",
            "It was not copied in full, or it is not one of ours. Ask the person who sent it for a new one.",
        )
    }

    pub(super) fn expired() -> Self {
        Self::new(
            410,
            "CONSENT_EXPIRED",
            "This link has expired",
            "A consent has to be given within ten minutes after it was asked for. Ask for a new link.",
        )
    }

    pub(super) fn wrong_browser() -> Self {
        Self::new(
            403,
            "WRONG_BROWSER",
            "This is not the browser that went to Microsoft",
            "For your safety a sign-in is accepted only by the browser in which it began. Open the link \
             again, allow its cookie, and finish in the same browser.",
        )
    }

    pub(super) fn already_received() -> Self {
        Self::new(
            409,
            "ALREADY_RECEIVED",
            "This consent was already received",
            "Nothing has to be done again. You can close this page.",
        )
    }

    /// The page of a consent whose state is spent.
    pub(super) fn of_spent(consent: &consent::Model) -> Self {
        match (&consent.state, &consent.failure) {
            (State::Expired, _) => Self::expired(),
            (State::Refused, Some(failure)) => Self::refused(failure),
            _ => Self::already_received(),
        }
    }

    /// Something of ours broke; the cause goes to the log.
    pub(crate) fn broken(error: &impl Display) -> Self {
        let failure = Failure::new(
            "INTERNAL",
            true,
            FixableBy::Operator,
            "Tenantry could not finish this. Ask for a new link in a moment.",
        );
        tracing::error!(failure.trace_id, %error, "a consent page broke");
        Self { status: 500, ..Self::refused(&failure) }
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let trace =
            self.trace_id.as_ref().map(|id| format!("<br>Trace id: {}", escape(id))).unwrap_or_default();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><main>\
             <h1>{title}</h1><p>{message}</p><p class=\"code\">{code}{trace}</p></main></body></html>\n",
            title = escape(self.title),
            message = escape(&self.message),
            code = escape(&self.code),
        )
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1b1f24}\
main{max-width:34rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:.5rem;\
box-shadow:0 1px 3px #0003}h1{font-size:1.3rem;margin-top:0}.code{color:#667;font-size:.85rem;\
margin-bottom:0}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_microsoft_said_cannot_become_markup() {
        let failure = Failure::new("X", false, FixableBy::Member, "<script>alert(1)</script>");
        assert!(!Page::refused(&failure).html().contains("<script>"));
    }
}
