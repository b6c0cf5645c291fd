//! <https://learn.microsoft.com/en-us/azure/governance/resource-graph/reference/supported-tables-resources>: the table
//! `resourcecontainers`, in the one query that is sent here.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Body, bad, fingerprint, readable, resources};
use crate::arm::{Caller, tags};
use crate::reply::Reply;
use crate::world::{group_name, groups_of};

/// The query, with its blanks made one.
const QUERY: &str = "resourcecontainers \
    | where type in~ (\"microsoft.resources/subscriptions\", \"microsoft.resources/subscriptions/resourcegroups\") \
    | project id, name, type, kind, location, sku, managedBy, tags \
    | order by id asc";

pub(super) fn is_asked_for(query: &str) -> bool {
    query.trim_start().to_lowercase().starts_with("resourcecontainers")
}

/// Each subscription and then its groups: these are the rows before `skip` of them, by a token.
pub(super) fn answer(caller: &Caller<'_>, body: &Body, cut: bool) -> Reply {
    if body.query.split_whitespace().collect::<Vec<_>>().join(" ") != QUERY {
        return bad("Of the table resourcecontainers only one query is known.");
    }
    let scope: Option<HashSet<Uuid>> = body.subscriptions.as_ref().map(|ids| ids.iter().copied().collect());
    let directory = caller.directory();
    let readable = readable(caller, &directory, scope.as_ref());
    if readable.is_empty() {
        return caller.forbidden("Microsoft.ResourceGraph/resources/read", "/");
    }
    let options = body.options.as_ref();
    let top = options.and_then(|options| options.top).unwrap_or(100);
    let asked = fingerprint(&body.query, scope.as_ref());
    let skip: usize = match options.and_then(|options| options.skip_token.as_deref()) {
        None => 0,
        Some(token) => match token.split_once('-').map(|(skip, of)| (skip.parse(), of.parse::<u64>())) {
            Some((Ok(skip), Ok(of))) if asked == of => skip,
            _ => return bad("The skip token is invalid, or belongs to another query."),
        },
    };
    let (mut rows, mut total): (Vec<Value>, usize) = (Vec::new(), 0);
    for subscription in readable {
        let overlay = directory.overlays.get(&subscription.id);
        let groups = groups_of(resources::numbers(overlay, subscription));
        for number in std::iter::once(None).chain((0..groups).map(Some)) {
            if (skip..skip.saturating_add(top)).contains(&total) {
                let path = format!("/subscriptions/{}", subscription.id);
                rows.push(match number {
                    None => json!({
                        "id": path, "name": subscription.name, "type": "microsoft.resources/subscriptions", "kind": "",
                        "location": "", "sku": null, "managedBy": "", "tags": tags::of_subscription(overlay, subscription),
                    }),
                    Some(number) => json!({
                        "id": format!("{path}/resourceGroups/{}", group_name(number)), "name": group_name(number),
                        "type": "microsoft.resources/subscriptions/resourcegroups", "kind": "",
                        "location": "westeurope", "sku": null, "managedBy": "",
                        "tags": tags::of_group(overlay, subscription, number),
                    }),
                });
            }
            total += 1;
        }
    }
    let next = skip + rows.len();
    let mut answer = json!({
        "totalRecords": total, "count": rows.len(), "resultTruncated": if cut { "true" } else { "false" }, "facets": [],
        "data": rows,
    });
    if next < total && !cut {
        answer["$skipToken"] = json!(format!("{next}-{asked}"));
    }
    Reply::json(200, &answer)
}
