//! <https://learn.microsoft.com/en-us/rest/api/resources/resources/list>: resources and resource groups.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, listing, tags, timestamp};
use crate::directory::Overlay;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::world::{Item, Subscription, group_name, groups_of};

/// How many resources the subscription holds.
pub(crate) fn count(overlay: Option<&Overlay>, subscription: &Subscription) -> u64 {
    let removed = overlay.map_or(0, |overlay| overlay.removed.len() as u64);
    numbers(overlay, subscription) - removed
}

/// How many numbers its resources have, those of removed ones included.
pub(super) fn numbers(overlay: Option<&Overlay>, subscription: &Subscription) -> u64 {
    subscription.resources + overlay.map_or(0, |overlay| overlay.added)
}

/// The resource of a number, unless it was removed.
pub(super) fn item(overlay: Option<&Overlay>, subscription: &Subscription, number: u64) -> Option<Item> {
    if overlay.is_some_and(|overlay| overlay.removed.contains(&number)) {
        return None;
    }
    let mut item = Item::of(subscription.id, subscription.salt, number);
    if let Some(tags) = overlay.and_then(|overlay| overlay.tags.get(&number)) {
        item.tags = Some(tags.clone());
    }
    Some(item)
}

pub(super) fn list(caller: &Caller<'_>, incoming: &Incoming, subscription: Uuid) -> Reply {
    let action = "Microsoft.Resources/subscriptions/resources/read";
    let directory = caller.directory();
    if !caller.may(&directory, action, subscription) {
        return caller.forbidden(action, &format!("/subscriptions/{subscription}"));
    }
    let begin = match listing::begins(incoming) {
        Ok(begin) => begin,
        Err(refusal) => return refusal,
    };
    let filter = incoming.parameter("$filter").unwrap_or_default();
    if !is_known(filter) {
        return Reply::error(
            400,
            "InvalidFilterInQueryString",
            "Invalid $filter specified in the query string.",
        );
    }
    // A page without rows and with a link is legal; some subscriptions begin with one.
    let is_first = incoming.parameter("$skiptoken").is_none();
    if is_first && subscription.as_u128().is_multiple_of(3) {
        return listing::page(caller, incoming, &[], Some(0));
    }
    let Some(found) = caller.state.world.subscription(subscription) else { return Reply::empty(404) };
    let overlay = directory.overlays.get(&subscription);
    // A filter by tag leaves the tags out.
    let without_tags = filter.contains("tagName");
    let expand = incoming.parameter("$expand").unwrap_or_default();
    let size = listing::page_size(caller, incoming);
    let (mut rows, mut number, end) = (Vec::with_capacity(size), begin, numbers(overlay, found));
    while number < end && rows.len() < size {
        if let Some(item) = item(overlay, found, number).filter(|item| matches(item, filter)) {
            rows.push(row(&item, expand, without_tags, (begin / size as u64) % 2 == 1));
        }
        number += 1;
    }
    listing::page(caller, incoming, &rows, (number < end).then_some(number))
}

pub(super) fn groups(caller: &Caller<'_>, incoming: &Incoming, subscription: Uuid) -> Reply {
    let action = "Microsoft.Resources/subscriptions/resourceGroups/read";
    let directory = caller.directory();
    if !caller.may(&directory, action, subscription) {
        return caller.forbidden(action, &format!("/subscriptions/{subscription}"));
    }
    let Some(found) = caller.state.world.subscription(subscription) else { return Reply::empty(404) };
    let overlay = directory.overlays.get(&subscription).cloned();
    drop(directory);
    let count = groups_of(numbers(overlay.as_ref(), found));
    let rows = (0..count).map(|number| {
        let name = group_name(number);
        json!({
            "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"), "name": name,
            "type": "Microsoft.Resources/resourceGroups", "location": "westeurope",
            "tags": tags::of_group(overlay.as_ref(), found, number), "properties": { "provisioningState": "Succeeded" },
        })
    });
    listing::cut(caller, incoming, &rows.collect::<Vec<_>>())
}

const FILTERED: [&str; 6] = ["resourceType", "location", "name", "resourceGroup", "tagName", "tagValue"];

/// Everything that is not understood is refused, so that drift is noticed.
fn is_known(filter: &str) -> bool {
    let clause = |clause: &str| clause.split_once(" eq '").is_some_and(|(name, _)| FILTERED.contains(&name));
    filter.is_empty() || filter.split(" and ").all(clause)
}

/// `resourceType eq`, `location eq`, `name eq`, `resourceGroup eq`, `tagName eq … and tagValue eq …`.
fn matches(item: &Item, filter: &str) -> bool {
    let value = |name: &str| {
        let (_, rest) = filter.split_once(&format!("{name} eq '"))?;
        rest.split('\'').next()
    };
    let is = |name, actual: &str| value(name).is_none_or(|wanted: &str| wanted.eq_ignore_ascii_case(actual));
    let tagged = value("tagName").is_none_or(|name| {
        let tags = item.tags.iter().flatten();
        let mut same = tags.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.any(|(_, known)| value("tagValue").is_none_or(|wanted| wanted == known))
    });
    is("resourceType", item.type_name)
        && is("location", item.location)
        && is("name", &item.name)
        && is("resourceGroup", &item.group)
        && tagged
}

fn row(item: &Item, expand: &str, without_tags: bool, other_case: bool) -> Value {
    let id = if other_case { item.id_in_other_case() } else { item.id.clone() };
    let mut row = json!({ "id": id, "name": item.name, "type": item.type_name, "location": item.location });
    if let Some(kind) = item.kind {
        row["kind"] = json!(kind);
    }
    if let Some(sku) = item.sku {
        row["sku"] = json!({ "name": sku });
    }
    if let Some(managed_by) = &item.managed_by {
        row["managedBy"] = json!(managed_by);
    }
    if let Some(tags) = item.tags.as_ref().filter(|_| !without_tags) {
        row["tags"] = json!(tags);
    }
    let created = created_at(item);
    if expand.contains("createdTime") {
        row["createdTime"] = timestamp(created);
    }
    if expand.contains("changedTime") {
        row["changedTime"] = timestamp(created + TimeDelta::days(30));
    }
    if expand.contains("provisioningState") {
        row["provisioningState"] = json!("Succeeded");
    }
    row
}

fn created_at(item: &Item) -> DateTime<Utc> {
    let beginning = DateTime::from_timestamp(1_704_067_200, 0).unwrap_or_default();
    beginning + TimeDelta::minutes(i64::try_from(item.created).unwrap_or(0))
}
