//! Microsoft Graph: what an app may read of the tenant itself.
//!
//! <https://learn.microsoft.com/en-us/graph/api/organization-list>
//! <https://learn.microsoft.com/en-us/graph/api/serviceprincipal-list>

use serde_json::{Value, json};

use crate::login::{HOME_DOMAIN, HOME_INITIAL_DOMAIN};
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{State, lock};
use crate::tokens::{Audience, authenticate};

pub(crate) fn answer(state: &State, incoming: &Incoming) -> Reply {
    let bearer = match authenticate(state, incoming, Audience::Graph) {
        Ok(bearer) => bearer,
        Err(refusal) => return refusal,
    };
    let may = |wanted: &[&str]| bearer.roles.iter().any(|role| wanted.contains(&role.as_str()));
    let path = incoming.path.trim_start_matches("/v1.0").to_lowercase();
    match path.as_str() {
        "/organization" if may(&["User.Read.All", "Organization.Read.All", "Directory.Read.All"]) => {
            list(&[organization(state)])
        }
        _ if path.starts_with("/serviceprincipals") => {
            if may(&["Application.Read.All", "Directory.Read.All"]) {
                service_principals(state, incoming, &path)
            } else {
                denied(state)
            }
        }
        "/organization" => denied(state),
        _ => Reply::error(404, "Request_ResourceNotFound", "Resource not found for the segment."),
    }
}

fn organization(state: &State) -> Value {
    json!({
        "id": state.world.tenant_id, "displayName": "Contoso",
        "verifiedDomains": [
            { "name": HOME_DOMAIN, "isDefault": true, "isInitial": false },
            { "name": HOME_INITIAL_DOMAIN, "isDefault": false, "isInitial": true },
        ],
    })
}

fn service_principals(state: &State, incoming: &Incoming, path: &str) -> Reply {
    let asked = incoming.parameter("$filter").unwrap_or(path).to_lowercase();
    let directory = lock(&state.directory);
    let ours = directory.service_principal.as_ref().map(|one| (state.config.client_id, one.object_id));
    let all = ours.into_iter().chain([directory.automation]);
    let mut found = all.filter(|(client, _)| asked.contains(&client.to_string())).map(|(client, object)| {
        json!({ "id": object, "appId": client, "displayName": "Simulated", "accountEnabled": true })
    });
    if incoming.parameter("$filter").is_some() {
        return list(&found.collect::<Vec<_>>());
    }
    match found.next() {
        Some(principal) => Reply::json(200, &principal),
        None => Reply::error(404, "Request_ResourceNotFound", "Resource does not exist."),
    }
}

fn list(rows: &[Value]) -> Reply {
    Reply::json(200, &json!({ "value": rows }))
}

fn denied(state: &State) -> Reply {
    let message = "Insufficient privileges to complete the operation.";
    let date = state.now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let body = json!({ "error": {
        "code": "Authorization_RequestDenied", "message": message, "innerError": { "date": date },
    } });
    Reply::json(403, &body)
}
