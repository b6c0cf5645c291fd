//! Closes an answer before it leaves us: every error has a code of the closed list and the trace id, and
//! none shows our inside.

use async_graphql::{ErrorExtensionValues, PathSegment, Response, ServerError, Value};
use serde::Serialize;

use super::answer::{Answer, BROKEN, Refusal};
use super::trace::TraceId;
use crate::error::ErrorCode;

/// What the library appends to a message when it knows a name that is alike.
const SUGGESTION: &str = " Did you mean ";

/// How the library begins a message about a variable or an argument that it cannot read.
const UNREADABLE: [&str; 2] = ["Failed to parse \"", "Expected input type \""];

/// What is sealed how.
#[derive(Clone)]
pub(super) struct Seal {
    /// The request's.
    pub(super) trace: TraceId,
    /// Whether the client may learn names from the schema.
    pub(super) suggests: bool,
}

/// Errors come first, where a person who reads the answer sees them.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    data: &'a Value,
}

impl Seal {
    /// Closes the answer of a query or a mutation.
    pub(super) fn close(&self, response: Response) -> Answer {
        // What fails while it is executed fails at a field; what fails before that has no path.
        let refused = |errors: &[ServerError]| errors.iter().all(|error| error.path.is_empty());
        self.close_if(response, refused)
    }

    /// Closes the first answer of a live query: if there is no data, it never began.
    pub(super) fn close_first(&self, response: Response) -> Answer {
        self.close_if(response, |_| true)
    }

    fn close_if(&self, mut response: Response, is_refused: impl Fn(&[ServerError]) -> bool) -> Answer {
        let failed = response.data == Value::Null && !response.errors.is_empty();
        if (failed && is_refused(&response.errors)) || is_forbidden(&response) {
            return Answer::Refused(self.refuse(response.errors));
        }
        for error in &mut response.errors {
            self.close_error(error);
        }
        let body = Body { errors: &response.errors, data: &response.data };
        match serde_json::to_string(&body) {
            Ok(body) => Answer::Executed(body),
            Err(error) => {
                tracing::error!(trace.id = %self.trace, %error, "an answer does not serialize");
                Answer::Refused(Refusal::internal())
            }
        }
    }

    fn refuse(&self, mut errors: Vec<ServerError>) -> Refusal {
        let is_library = |error: &ServerError| error.path.is_empty() && code_of(error).is_none();
        if errors.iter().all(is_library) {
            for error in &mut errors {
                if let Some(at) = error.message.find(SUGGESTION).filter(|_| !self.suggests) {
                    error.message.truncate(at);
                }
            }
            return Refusal::of_errors(ErrorCode::BadDocument, errors);
        }
        for error in &mut errors {
            self.close_error(error);
        }
        let code = errors.iter().find_map(code_of).unwrap_or(ErrorCode::Internal);
        Refusal::of_errors(code, errors)
    }

    fn close_error(&self, error: &mut ServerError) {
        let code = code_of(error).unwrap_or_else(|| {
            if UNREADABLE.iter().any(|beginning| error.message.starts_with(beginning)) {
                return ErrorCode::BadInput;
            }
            tracing::error!(
                trace.id = %self.trace,
                graphql.path = path_of(error),
                error = error.message,
                "a resolver failed",
            );
            BROKEN.clone_into(&mut error.message);
            error.extensions = None;
            ErrorCode::Internal
        });
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", code.as_str());
        extensions.set("retryable", code.is_retryable());
        extensions.set("traceId", self.trace.as_str());
    }
}

fn code_of(error: &ServerError) -> Option<ErrorCode> {
    match error.extensions.as_ref().and_then(|extensions: &ErrorExtensionValues| extensions.get("code")) {
        Some(Value::String(code)) => ErrorCode::parse(code),
        _ => None,
    }
}

/// Whether nothing at all was done, since the viewer may do none of what was asked.
fn is_forbidden(response: &Response) -> bool {
    let is_nothing = match &response.data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|field| *field == Value::Null),
        _ => false,
    };
    is_nothing
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| code_of(error) == Some(ErrorCode::Forbidden))
}

fn path_of(error: &ServerError) -> String {
    let segments: Vec<String> = error
        .path
        .iter()
        .map(|segment| match segment {
            PathSegment::Field(name) => name.clone(),
            PathSegment::Index(index) => index.to_string(),
        })
        .collect();
    segments.join(".")
}

#[cfg(test)]
mod tests {
    use async_graphql::value;
    use entity::access_token::AccessScope;

    use super::*;
    use crate::permission::Missing;

    fn seal() -> Seal {
        Seal { trace: TraceId::of(Some("trace-1")), suggests: false }
    }

    fn at(field: &str, error: async_graphql::Error) -> ServerError {
        let mut error = error.into_server_error(async_graphql::Pos { line: 1, column: 3 });
        error.path = vec![PathSegment::Field(field.to_owned())];
        error
    }

    fn executed(errors: Vec<ServerError>) -> serde_json::Value {
        let mut response = Response::new(value!({ "a": null }));
        response.errors = errors;
        match seal().close(response) {
            Answer::Executed(body) => serde_json::from_str(&body).unwrap(),
            Answer::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    #[test]
    fn the_inside_of_an_error_does_not_leave() {
        let broke = at("a", async_graphql::Error::new("password authentication failed for user tenantry"));
        let error = &executed(vec![broke])["errors"][0];
        assert!(!error.to_string().contains("password"));
        assert_eq!(error["extensions"]["code"], "INTERNAL");
        assert_eq!(error["extensions"]["traceId"], "trace-1");
        assert_eq!(error["path"][0], "a");
    }

    #[test]
    fn a_code_that_is_not_on_the_list_is_none() {
        let mut strange = at("a", async_graphql::Error::new("inside"));
        strange.extensions.get_or_insert_default().set("code", "MADE_UP");
        let error = &executed(vec![strange])["errors"][0];
        assert_eq!(error["extensions"]["code"], "INTERNAL");
        assert_eq!(error["message"], BROKEN);
    }

    #[test]
    fn our_own_errors_keep_what_they_say() {
        let error = &executed(vec![at("a", ErrorCode::BadId.error("That is no id"))])["errors"][0];
        assert_eq!(error["message"], "That is no id");
        assert_eq!(error["extensions"]["code"], "BAD_ID");
        assert_eq!(error["extensions"]["retryable"], false);
    }

    #[test]
    fn who_may_do_nothing_of_it_is_refused_as_a_whole() {
        let missing = || at("a", Missing::Scope(AccessScope::AuditRead).error());
        let forbidden = |data| {
            let mut response = Response::new(data);
            response.errors = vec![missing()];
            seal().close(response)
        };
        assert!(matches!(forbidden(value!({ "a": 1, "b": null })), Answer::Executed(_)));
        for nothing in [value!({ "a": null, "b": null }), Value::Null] {
            let Answer::Refused(refusal) = forbidden(nothing) else { panic!("it was executed") };
            assert_eq!(refusal.code, ErrorCode::Forbidden);
            let error = &refusal.into_errors(&TraceId::new())[0];
            let reason = error.extensions.as_ref().and_then(|extensions| extensions.get("reason"));
            assert_eq!(reason, Some(&Value::from("INSUFFICIENT_SCOPE")));
        }
    }

    #[test]
    fn an_argument_that_cannot_be_read_is_the_clients() {
        let unreadable = at("a", async_graphql::Error::new("Failed to parse \"Int\": too large"));
        let error = &executed(vec![unreadable])["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_INPUT");
        assert_eq!(error["message"], "Failed to parse \"Int\": too large");
    }

    #[test]
    fn names_are_not_suggested_to_everybody() {
        let error = ServerError::new("Unknown field \"nam\" on type \"A\". Did you mean \"name\"?", None);
        let Answer::Refused(refusal) = seal().close(Response::from_errors(vec![error])) else { panic!() };
        assert_eq!(refusal.message(), "Unknown field \"nam\" on type \"A\".");
        assert_eq!(refusal.code, ErrorCode::BadDocument);
    }
}
