//! <https://learn.microsoft.com/en-us/graph/errors>: how Graph refuses.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::State;

/// The code of an incident that Microsoft had in March 2023; its body has no `innerError`.
/// <https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/1751>
const INCIDENT: &str = "MissingCredentials";

pub(super) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "code": code, "message": message } }))
}

/// A permission is missing.
pub(super) fn denied() -> Reply {
    refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

/// <https://learn.microsoft.com/en-us/graph/aad-advanced-queries>: a query that is not understood, or only with
/// `ConsistencyLevel: eventual` and `$count=true`.
pub(super) fn unsupported(message: &str) -> Reply {
    refusal(400, "Request_UnsupportedQuery", message)
}

pub(super) fn not_found(what: &str) -> Reply {
    let message = format!(
        "Resource '{what}' does not exist or one of its queried reference-property objects are not present."
    );
    refusal(404, "Request_ResourceNotFound", &message)
}

/// <https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/1751>
pub(super) fn incident() -> Reply {
    refusal(403, INCIDENT, "Valid Authorization header is needed.")
}

/// Adds the ids of the call, in the headers and to an error.
pub(super) fn complete(state: &State, incoming: &Incoming, mut reply: Reply) -> Reply {
    let request = incoming.request_id.to_string();
    let client = incoming.header("client-request-id").unwrap_or(&request);
    if reply.status >= 400
        && let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body)
        && body["error"].is_object()
        && body["error"]["code"] != INCIDENT
    {
        // Without a zone.
        let date = state.now().format("%Y-%m-%dT%H:%M:%S").to_string();
        body["error"]["innerError"] =
            json!({ "date": date, "request-id": request, "client-request-id": client });
        reply.body = body.to_string().into_bytes();
    }
    reply.header("client-request-id", client)
}
