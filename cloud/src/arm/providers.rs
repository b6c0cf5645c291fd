//! <https://learn.microsoft.com/en-us/rest/api/resources/providers/list>: which types take tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Caller;
use crate::reply::Reply;
use crate::world::TYPES;

pub(super) fn list(caller: &Caller<'_>, subscription: Uuid) -> Reply {
    let directory = caller.directory();
    let action = "Microsoft.Resources/subscriptions/providers/read";
    if !caller.may(&directory, action, subscription) {
        return caller.forbidden(action, &format!("/subscriptions/{subscription}"));
    }
    let mut namespaces: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for found in &TYPES {
        let (namespace, name) = found.name.split_once('/').unwrap_or((found.name, ""));
        let capabilities = if found.supports_tags { "SupportsTags, SupportsLocation" } else { "None" };
        namespaces.entry(namespace).or_default().push(json!({
            "resourceType": name, "locations": ["West Europe"], "apiVersions": ["2023-01-01"],
            "capabilities": capabilities,
        }));
    }
    let rows = namespaces.into_iter().map(|(namespace, types)| {
        json!({
            "id": format!("/subscriptions/{subscription}/providers/{namespace}"), "namespace": namespace,
            "registrationState": "Registered", "registrationPolicy": "RegistrationRequired",
            "resourceTypes": types,
        })
    });
    Reply::json(200, &json!({ "value": rows.collect::<Vec<_>>() }))
}
