//! Answers, as every part of the simulator makes them.

use serde_json::{Value, json};

/// An answer: status, headers, body.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json; charset=utf-8", body.to_string().into_bytes())
    }

    pub(crate) fn raw(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body }
    }

    /// A body as given, whatever it is: JSON is what it says it is.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::raw(status, "application/json; charset=utf-8", body.as_bytes().to_vec())
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::raw(status, "text/html; charset=utf-8", body.into_bytes())
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An error as Azure Resource Manager and Graph write it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "error": { "code": code, "message": message } }))
            .header("x-ms-failure-cause", "gateway")
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::empty(302).header("location", location)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
