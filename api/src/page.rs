//! The pages that people see who follow a link or come back from a sign-in.

use std::fmt::{self, Display};

use entity::{Failure, FixableBy};

/// A page for a person who may have no account here: what happened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// A stable code, also in the page for whoever is asked for help.
    pub code: String,
    title: &'static str,
    message: String,
    trace_id: Option<String>,
    below: Box<Below>,
}

/// What stands below the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Below {
    /// What the text speaks of.
    items: Vec<String>,
    /// Texts and addresses of our own.
    links: Vec<(String, String)>,
    form: Option<Form>,
}

/// One button, and what it sends.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// Where to: a path of ours.
    pub action: &'static str,
    /// What it says.
    pub button: &'static str,
    /// Names and values.
    pub hidden: Vec<(&'static str, String)>,
}

impl fmt::Debug for Form {
    /// What it sends lets somebody in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("action", &self.action).finish_non_exhaustive()
    }
}

impl Page {
    pub(crate) fn new(status: u16, code: &str, title: &'static str, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        Self { status, code, title, message, trace_id: None, below: Box::default() }
    }

    /// The page that says what failed, and what to do.
    pub(crate) fn of_failure(title: &'static str, failure: &Failure) -> Self {
        let mut page = Self::new(400, &failure.code, title, &failure.message);
        page.trace_id = Some(failure.trace_id.clone());
        page
    }

    /// Somebody signed in, and wanted to go nowhere in particular.
    pub(crate) fn signed_in(display_name: &str) -> Self {
        let message = format!("You are signed in as {display_name}. You can close this page.");
        Self::new(200, "SIGNED_IN", "You are signed in", &message)
    }

    /// With another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With links below the text.
    pub(crate) fn with_links(mut self, links: Vec<(String, String)>) -> Self {
        self.below.links = links;
        self
    }

    /// With what the text speaks of, below it.
    pub(crate) fn with_items(mut self, items: Vec<String>) -> Self {
        self.below.items = items;
        self
    }

    /// With a button at its end.
    pub(crate) fn with_form(mut self, form: Form) -> Self {
        self.below.form = Some(form);
        self
    }

    /// Something of ours broke; the cause goes to the log.
    pub(crate) fn broken(error: &impl Display) -> Self {
        let failure = Failure::new(
            "INTERNAL",
            true,
            FixableBy::Operator,
            "Tenantry could not finish this. Try again in a moment, with a new link if it was a link.",
        );
        tracing::error!(failure.trace_id, %error, "a page broke");
        Self::of_failure("Something broke", &failure).with_status(500)
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let trace =
            self.trace_id.as_ref().map(|id| format!("<br>Trace id: {}", escape(id))).unwrap_or_default();
        let link = |(text, to): &(String, String)| {
            format!("<li><a href=\"{}\">{}</a></li>", escape(to), escape(text))
        };
        let links: String = self.below.links.iter().map(link).collect();
        let items = self.below.items.iter().map(|item| format!("<li>{}</li>", escape(item)));
        let listed = items.chain([links]).collect::<String>();
        let listed = if listed.is_empty() { listed } else { format!("<ul>{listed}</ul>") };
        let form = self.below.form.as_ref().map(Form::html).unwrap_or_default();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><main>\
             <h1>{title}</h1><p>{message}</p>{listed}{form}<p class=\"code\">{code}{trace}</p></main></body></html>\n",
            title = escape(self.title),
            message = escape(&self.message),
            code = escape(&self.code),
        )
    }
}

impl Form {
    fn html(&self) -> String {
        let hidden = |(name, value): &(&str, String)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
        };
        let hidden: String = self.hidden.iter().map(hidden).collect();
        format!(
            "<form method=\"post\" action=\"{}\">{hidden}<button>{}</button></form>",
            escape(self.action),
            escape(self.button),
        )
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1b1f24}\
main{max-width:34rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:.5rem;\
box-shadow:0 1px 3px #0003}h1{font-size:1.3rem;margin-top:0}.code{color:#667;font-size:.85rem;\
margin-bottom:0}button{font:inherit;padding:.5rem 1rem;cursor:pointer}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_microsoft_said_cannot_become_markup() {
        let failure = Failure::new("X", false, FixableBy::Member, "<script>alert(1)</script>");
        assert!(!Page::of_failure("Refused", &failure).html().contains("<script>"));
    }

    #[test]
    fn neither_can_what_a_page_lists_or_sends_nor_is_that_ever_logged() {
        let form = Form { action: "/x", button: "Go", hidden: vec![("token", "\"><script>".to_owned())] };
        let page = Page::new(200, "X", "X", "").with_items(vec!["<script>".to_owned()]).with_form(form);
        assert!(!page.html().contains("<script>"), "{}", page.html());
        assert!(page.html().contains("<form method=\"post\" action=\"/x\">"));
        assert!(!format!("{page:?}").contains("token"));
    }
}
