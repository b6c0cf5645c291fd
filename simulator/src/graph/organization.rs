//! <https://learn.microsoft.com/en-us/graph/api/organization-list> and
//! <https://learn.microsoft.com/en-us/graph/api/serviceprincipal-list>.

use serde_json::{Value, json};

use super::{Asked, error};
use crate::login::{HOME_DOMAIN, HOME_INITIAL_DOMAIN};
use crate::reply::Reply;
use crate::state::lock;

pub(super) fn list(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&["User.Read.All", "Organization.Read.All", "Directory.Read.All"])?;
    Ok(rows(&[json!({
        "id": asked.state.world.tenant_id, "displayName": "Contoso",
        "verifiedDomains": [
            { "name": HOME_DOMAIN, "isDefault": true, "isInitial": false },
            { "name": HOME_INITIAL_DOMAIN, "isDefault": false, "isInitial": true },
        ],
    })]))
}

pub(super) fn service_principals(asked: &Asked<'_>, segments: &[&str]) -> Result<Reply, Reply> {
    asked.must(&["Application.Read.All", "Directory.Read.All"])?;
    let path = segments.join("/");
    let wanted = asked.incoming.parameter("$filter").unwrap_or(&path).to_lowercase();
    let directory = lock(&asked.state.directory);
    let ours = directory.service_principal.as_ref().map(|one| (asked.state.config.client_id, one.object_id));
    let all = ours.into_iter().chain([directory.automation]);
    let mut found = all.filter(|(client, _)| wanted.contains(&client.to_string())).map(|(client, object)| {
        json!({ "id": object, "appId": client, "displayName": "Simulated", "accountEnabled": true })
    });
    if asked.incoming.parameter("$filter").is_some() {
        return Ok(rows(&found.collect::<Vec<_>>()));
    }
    let found = found.next().ok_or_else(|| error::not_found(&path))?;
    Ok(Reply::json(200, &found))
}

fn rows(rows: &[Value]) -> Reply {
    Reply::json(200, &json!({ "value": rows }))
}
