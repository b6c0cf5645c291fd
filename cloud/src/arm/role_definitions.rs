//! <https://learn.microsoft.com/en-us/rest/api/authorization/role-definitions/list>: built-in roles.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::rbac::BuiltInRole;
use crate::reply::Reply;
use crate::server::Incoming;

pub(super) fn answer(subscription: Option<Uuid>, incoming: &Incoming, rest: &[&str]) -> Reply {
    if let [id] = rest {
        let role = Uuid::try_parse(id).ok().and_then(BuiltInRole::of_id);
        return match role {
            Some(role) => Reply::json(200, &row(subscription, role)),
            None => unknown(id),
        };
    }
    let filter = incoming.parameter("$filter").unwrap_or_default();
    let wanted = filter.split_once("roleName eq '").and_then(|(_, rest)| rest.split('\'').next());
    let all = BuiltInRole::ALL.into_iter();
    let found = all.filter(|role| wanted.is_none_or(|name| role.name().eq_ignore_ascii_case(name)));
    Reply::json(200, &json!({ "value": found.map(|role| row(subscription, role)).collect::<Vec<_>>() }))
}

pub(super) fn unknown(id: &str) -> Reply {
    let message = format!("The specified role definition with ID '{id}' does not exist.");
    Reply::error(404, "RoleDefinitionDoesNotExist", &message)
}

/// The id of a role's definition, as seen from a subscription.
pub(super) fn id(subscription: Option<Uuid>, role: BuiltInRole) -> String {
    let scope = subscription.map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{}", role.id())
}

fn row(subscription: Option<Uuid>, role: BuiltInRole) -> Value {
    json!({
        "id": id(subscription, role), "type": "Microsoft.Authorization/roleDefinitions", "name": role.id(),
        "properties": {
            "roleName": role.name(), "type": "BuiltInRole", "description": role.name(),
            "assignableScopes": ["/"],
            "permissions": [{
                "actions": role.actions(), "notActions": role.not_actions(), "dataActions": [],
                "notDataActions": [],
            }],
            "createdOn": "2015-02-02T21:55:09.8806423Z", "updatedOn": "2021-11-11T20:13:07.4993029Z",
            "createdBy": null, "updatedBy": null,
        },
    })
}
