//! <https://learn.microsoft.com/en-us/graph/json-batching>: up to twenty requests at once, each answered for itself.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{error, one};
use crate::faults::Effect;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::State;
use crate::tokens::Bearer;

const MOST: usize = 20;

pub(super) fn answer(state: &State, incoming: &Incoming, bearer: &Bearer) -> Reply {
    let body: Value = serde_json::from_slice(&incoming.body).unwrap_or_default();
    let invalid = |message: &str| error::refusal(400, "BadRequest", message);
    let Some(requests) = body["requests"].as_array().filter(|requests| !requests.is_empty()) else {
        return invalid("Invalid batch payload format.");
    };
    if requests.len() > MOST {
        return invalid("Number of batch request steps exceeds the maximum value of 20.");
    }
    let ids: Vec<_> = requests.iter().filter_map(|request| request["id"].as_str()).collect();
    let are_distinct = (0..ids.len()).all(|index| !ids[..index].contains(&ids[index]));
    if ids.len() != requests.len() || !are_distinct {
        return invalid("Request id is required, and must be unique in the batch.");
    }
    let mut statuses = HashMap::new();
    let mut responses = Vec::new();
    for (request, id) in requests.iter().zip(ids) {
        let reply = item(state, incoming, bearer, request, &statuses);
        statuses.insert(id.to_owned(), reply.status);
        responses.push(response(id, &reply));
    }
    // The order is not promised.
    responses.reverse();
    Reply::json(200, &json!({ "responses": responses }))
}

/// Answers one request, unless another that it depends on failed.
fn item(
    state: &State,
    batch: &Incoming,
    bearer: &Bearer,
    request: &Value,
    statuses: &HashMap<String, u16>,
) -> Reply {
    let needed = request["dependsOn"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let fails = |id: &str| statuses.get(id).is_none_or(|status| *status >= 400);
    let Some(item) = incoming(batch, request) else {
        return error::refusal(400, "BadRequest", "Invalid request: its url must be relative.");
    };
    let reply = if needed.into_iter().any(fails) {
        error::refusal(424, "FailedDependency", "A request that this one depends on failed.")
    } else if item.path.to_lowercase().ends_with("/$batch") {
        error::refusal(400, "BadRequest", "Batches cannot be nested.")
    } else if let Some(Effect::Answer(reply)) = state.faults.next(&item.method, &item.path) {
        reply
    } else {
        one(state, &item, bearer)
    };
    error::complete(state, &item, reply)
}

/// The call that an item stands for: with the token of the whole batch.
fn incoming(batch: &Incoming, request: &Value) -> Option<Incoming> {
    let url = request["url"].as_str().filter(|url| !url.contains("://"))?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let headers = request["headers"].as_object().into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())));
    Some(Incoming {
        method: request["method"].as_str()?.to_uppercase(),
        path: format!("/v1.0/{}", path.trim_start_matches('/')),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: batch.authorization.clone(),
        claims: batch.claims.clone(),
        has_origin: batch.has_origin,
        request_id: batch.request_id,
        headers: headers.collect(),
        body: Vec::new(),
    })
}

/// A redirect is not followed: the item has its status, and its address among the headers.
fn response(id: &str, reply: &Reply) -> Value {
    let spelled = |name: &str| match name {
        "location" => "Location".to_owned(),
        "retry-after" => "Retry-After".to_owned(),
        "content-type" => "Content-Type".to_owned(),
        name => name.to_owned(),
    };
    let headers: Map<_, _> =
        reply.headers.iter().map(|(name, value)| (spelled(name), json!(value))).collect();
    let mut response = json!({ "id": id, "status": reply.status, "headers": headers });
    if !reply.body.is_empty() {
        response["body"] = serde_json::from_slice(&reply.body)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&reply.body)));
    }
    response
}
