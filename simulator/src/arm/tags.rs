//! <https://learn.microsoft.com/en-us/rest/api/resources/tags>: the tags of one scope.
//!
//! What is refused, and in which words, is told at
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/tag-resources#limitations>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Caller, resources};
use crate::directory::{Directory, Overlay, TagPolicy};
use crate::reply::Reply;
use crate::server::Incoming;
use crate::world::{Subscription, TYPES, World, group_name, groups_of, mix};

type Tags = BTreeMap<String, String>;

const STORAGE: &str = "Microsoft.Storage/storageAccounts";
/// Types of the seed that take fifteen tags only.
const FEW: [&str; 1] = ["Microsoft.Automation/automationAccounts"];

#[derive(Deserialize)]
struct Patch {
    #[serde(default)]
    operation: String,
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(default)]
    tags: Tags,
}

/// What an id below a subscription names.
enum Target {
    Subscription,
    Group(u64),
    Resource { number: u64, type_name: &'static str, supports_tags: bool },
}

impl Target {
    /// What the segments behind the subscription, in lower case, name; none: it is not there.
    fn find(overlay: Option<&Overlay>, subscription: &Subscription, scope: &[&str]) -> Option<Self> {
        let all = resources::numbers(overlay, subscription);
        match scope {
            [] => Some(Self::Subscription),
            ["resourcegroups", name] => {
                let number = name.rsplit('-').next()?.parse().ok()?;
                (number < groups_of(all) && group_name(number) == *name).then_some(Self::Group(number))
            }
            ["resourcegroups", group, "providers", namespace, kind, name] => {
                let number = name.rsplit('-').next()?.parse().ok().filter(|number| *number < all)?;
                let item = resources::item(overlay, subscription, number)?;
                let path = format!(
                    "/subscriptions/{}/resourcegroups/{group}/providers/{namespace}/{kind}/{name}",
                    subscription.id
                );
                let found = TYPES.iter().find(|of| of.name == item.type_name)?;
                (item.id.to_lowercase() == path).then_some(Self::Resource {
                    number,
                    type_name: found.name,
                    supports_tags: found.supports_tags,
                })
            }
            _ => None,
        }
    }

    fn tags(&self, overlay: Option<&Overlay>, subscription: &Subscription) -> Tags {
        match self {
            Self::Subscription => of_subscription(overlay, subscription),
            Self::Group(number) => of_group(overlay, subscription, *number),
            Self::Resource { number, .. } => {
                resources::item(overlay, subscription, *number).and_then(|item| item.tags).unwrap_or_default()
            }
        }
    }

    fn put(&self, overlay: &mut Overlay, tags: Tags) {
        match self {
            Self::Subscription => overlay.own_tags = Some(tags),
            Self::Group(number) => drop(overlay.group_tags.insert(*number, tags)),
            Self::Resource { number, .. } => drop(overlay.tags.insert(*number, tags)),
        }
    }
}

/// The tags of a resource group: some have none.
pub(crate) fn of_group(overlay: Option<&Overlay>, subscription: &Subscription, number: u64) -> Tags {
    if let Some(tags) = overlay.and_then(|overlay| overlay.group_tags.get(&number)) {
        return tags.clone();
    }
    some_of(mix(subscription.salt ^ 0x9709, number))
}

/// The tags of a subscription itself: some have none.
pub(crate) fn of_subscription(overlay: Option<&Overlay>, subscription: &Subscription) -> Tags {
    if let Some(tags) = overlay.and_then(|overlay| overlay.own_tags.as_ref()) {
        return tags.clone();
    }
    some_of(mix(subscription.salt, 0x5b5))
}

fn some_of(luck: u64) -> Tags {
    let owners = ["platform", "data", "retail"];
    let owner = owners[usize::try_from(luck % 3).unwrap_or(0)];
    match luck % 4 {
        0 => Tags::new(),
        1 => Tags::from([("owner".to_owned(), owner.to_owned())]),
        _ => Tags::from([
            ("owner".to_owned(), owner.to_owned()),
            ("cost-center".to_owned(), (1_000 + luck % 5 * 10).to_string()),
        ]),
    }
}

/// The segments of an id in lower case, and the subscription that it begins with.
fn split(world: &World, arm_id: &str) -> Option<(Uuid, Vec<String>)> {
    let lower = arm_id.trim_matches('/').to_lowercase();
    let mut parts = lower.split('/').map(str::to_owned);
    let subscription = parts.next().filter(|first| first == "subscriptions").and_then(|_| parts.next())?;
    let id = Uuid::try_parse(&subscription).ok().filter(|id| world.subscription(*id).is_some())?;
    Some((id, parts.collect()))
}

/// The tags of what an id names.
pub(crate) fn tags_of(world: &World, directory: &Directory, arm_id: &str) -> Option<Tags> {
    let (id, scope) = split(world, arm_id)?;
    let (subscription, overlay) = (world.subscription(id)?, directory.overlays.get(&id));
    let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
    Some(Target::find(overlay, subscription, &scope)?.tags(overlay, subscription))
}

/// Gives what an id names these tags and no others.
pub(crate) fn put_tags(world: &World, directory: &mut Directory, arm_id: &str, tags: Tags) {
    let Some((id, scope)) = split(world, arm_id) else { return };
    let Some(subscription) = world.subscription(id) else { return };
    let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
    if let Some(target) = Target::find(directory.overlays.get(&id), subscription, &scope) {
        target.put(directory.overlay(id), tags);
    }
}

pub(super) fn answer(
    caller: &Caller<'_>,
    incoming: &Incoming,
    method: &str,
    subscription: Uuid,
    scope: &[&str],
) -> Reply {
    let mut directory = caller.directory();
    let action =
        if method == "GET" { "Microsoft.Resources/tags/read" } else { "Microsoft.Resources/tags/write" };
    let id = scope_id(incoming);
    if !caller.may(&directory, action, subscription) {
        return caller.forbidden(action, &format!("{id}/providers/Microsoft.Resources/tags/default"));
    }
    let world = &caller.state.world;
    let Some(found) = world.subscription(subscription) else { return Reply::empty(404) };
    let overlay = directory.overlays.get(&subscription);
    let Some(target) = Target::find(overlay, found, scope) else { return missing(scope, &id) };
    let known = target.tags(overlay, found);
    let wanted = match (method, serde_json::from_slice::<Patch>(&incoming.body)) {
        ("GET", _) => return shown(&id, &known),
        ("DELETE", _) => Tags::new(),
        ("PUT", Ok(put)) => put.properties.tags,
        ("PATCH", Ok(patch)) => match patch.operation.to_lowercase().as_str() {
            "merge" => merged(&known, patch.properties.tags),
            "replace" => patch.properties.tags,
            "delete" => without(&known, &patch.properties.tags),
            _ => {
                return bad(
                    "InvalidTagsPatchOperation",
                    "The operation is neither Merge, Replace nor Delete.",
                );
            }
        },
        ("PUT" | "PATCH", Err(_)) => return bad("InvalidRequestContent", "The request content was invalid."),
        _ => return Reply::empty(405),
    };
    if directory.is_disabled(world, subscription) {
        let message =
            format!("The subscription '{subscription}' is disabled and therefore marked as read only.");
        return Reply::error(409, "ReadOnlyDisabledSubscription", &message);
    }
    if let Some(refusal) = refused(&directory, subscription, &target, &id, &known, &wanted) {
        return refusal;
    }
    let overlay = directory.overlay(subscription);
    let kept = modified(overlay, &known, wanted);
    target.put(overlay, kept.clone());
    match caller.dials.tags_later {
        None => shown(&id, &kept),
        Some(looks) => {
            let operation = Uuid::new_v4();
            directory.tag_operations.insert(operation, looks);
            later(caller, subscription, operation)
        }
    }
}

/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/async-api-reference.md>.
pub(super) fn operation(caller: &Caller<'_>, id: &str) -> Reply {
    let mut directory = caller.directory();
    let Some(id) = Uuid::try_parse(id).ok() else { return Reply::empty(404) };
    match directory.tag_operations.get_mut(&id) {
        None => Reply::empty(404),
        Some(0) => Reply::json(200, &json!({ "status": "Succeeded" })),
        Some(looks) => {
            *looks -= 1;
            Reply::empty(202).header("retry-after", "0")
        }
    }
}

fn later(caller: &Caller<'_>, subscription: Uuid, operation: Uuid) -> Reply {
    let base = caller.state.base_url();
    let location =
        format!("{base}/subscriptions/{subscription}/operationresults/{operation}?api-version=2018-08-01");
    Reply::empty(202).header("location", &location).header("retry-after", "0")
}

/// The id as it was written, without what asks for its tags.
fn scope_id(incoming: &Incoming) -> String {
    let path = incoming.path.trim_end_matches('/');
    let end = path.to_lowercase().rfind("/providers/microsoft.resources/tags").unwrap_or(path.len());
    path[..end].to_owned()
}

fn shown(id: &str, tags: &Tags) -> Reply {
    Reply::json(
        200,
        &json!({
            "id": format!("{id}/providers/Microsoft.Resources/tags/default"), "name": "default",
            "type": "Microsoft.Resources/tags", "properties": { "tags": tags },
        }),
    )
}

fn merged(known: &Tags, new: Tags) -> Tags {
    let mut merged = known.clone();
    for (name, value) in new {
        let same = merged.keys().find(|known| known.eq_ignore_ascii_case(&name)).cloned();
        merged.insert(same.unwrap_or(name), value);
    }
    merged
}

/// A pair whose value differs stays; one without a value goes by its name.
fn without(known: &Tags, gone: &Tags) -> Tags {
    let goes = |name: &str, value: &str| {
        gone.iter().any(|(of, only)| of.eq_ignore_ascii_case(name) && (only.is_empty() || only == value))
    };
    known
        .iter()
        .filter(|(name, value)| !goes(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What policies make of what was asked for.
fn modified(overlay: &Overlay, known: &Tags, mut wanted: Tags) -> Tags {
    for policy in &overlay.tag_policies {
        if let TagPolicy::Modify { name, value } = policy {
            let same = wanted.keys().find(|of| of.eq_ignore_ascii_case(name)).cloned();
            if let Some(same) = same.filter(|same| known.get(same) != wanted.get(same)) {
                wanted.insert(same, value.clone());
            }
        }
    }
    wanted
}

fn refused(
    directory: &Directory,
    subscription: Uuid,
    target: &Target,
    id: &str,
    known: &Tags,
    wanted: &Tags,
) -> Option<Reply> {
    let type_name = match target {
        Target::Resource { type_name, supports_tags: false, .. } => {
            return Some(bad(
                "BadRequest",
                &format!("Resources of the type '{type_name}' do not support tags."),
            ));
        }
        Target::Resource { type_name, .. } => type_name,
        _ => "",
    };
    against_limits(type_name, known, wanted).or_else(|| {
        let overlay = directory.overlays.get(&subscription)?;
        locked(overlay, id).or_else(|| denied(overlay, subscription, id, known, wanted))
    })
}

fn against_limits(type_name: &str, known: &Tags, wanted: &Tags) -> Option<Reply> {
    let longest = if type_name == STORAGE { 128 } else { 512 };
    let units = |text: &str| text.encode_utf16().count();
    for (name, value) in wanted.iter().filter(|(name, value)| known.get(*name) != Some(value)) {
        if name.chars().any(|c| "<>%&\\?/".contains(c) || c.is_control()) {
            let message = format!(
                "The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters."
            );
            return Some(bad("InvalidTagNameCharacters", &message));
        }
        if units(name) > longest {
            let message = format!(
                "Tag key too large. Following tag name '{name}' exceeded the maximum length. Maximum allowed length \
                 for tag name - '{longest}' characters."
            );
            return Some(bad("InvalidTagName", &message));
        }
        if units(value) > 256 {
            let message = format!(
                "Tag value too large. Following tag value '{value}' exceeded the maximum length. Maximum allowed \
                 length for tag value - '256' characters."
            );
            return Some(bad("InvalidTagValueLength", &message));
        }
    }
    let (count, most) = (wanted.len(), if FEW.contains(&type_name) { 15 } else { 50 });
    (count > most && count > known.len()).then(|| {
        let message = format!(
            "Too many tags on the resource/resource group. Requested tag count - '{count}'. Maximum number of tags \
             allowed - '{most}'."
        );
        bad("InvalidTags", &message)
    })
}

fn locked(overlay: &Overlay, id: &str) -> Option<Reply> {
    let lower = id.to_lowercase();
    let above = |locked: &&String| {
        lower.strip_prefix(locked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let locked = overlay.read_only.iter().find(above)?;
    let message = format!(
        "The scope '{id}' cannot perform write operation because following scope(s) are locked: '{locked}'. Please \
         remove the lock and try again."
    );
    Some(Reply::error(409, "ScopeLocked", &message))
}

fn denied(overlay: &Overlay, subscription: Uuid, id: &str, known: &Tags, wanted: &Tags) -> Option<Reply> {
    let changed = |name: &str| {
        let find = |tags: &Tags| {
            tags.iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let (before, after) = (find(known), find(wanted));
        (before != after).then_some(after)
    };
    overlay.tag_policies.iter().find_map(|policy| {
        let TagPolicy::Deny { title, name, value } = policy else { return None };
        let after = changed(name)?;
        if value.is_some() && *value != after {
            return None;
        }
        let definition = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/policyDefinitions/p1");
        let message = format!(
            "Resource '{}' was disallowed by policy. Policy identifiers: '[{{\"policyDefinition\":{{\"name\":\"{title}\"}}}}]'.",
            id.rsplit('/').next().unwrap_or(id)
        );
        let info = json!({
            "policyDefinitionDisplayName": title, "policyDefinitionId": definition, "policyDefinitionName": "p1",
            "policyDefinitionEffect": "deny", "policyAssignmentName": "a1",
        });
        Some(Reply::json(
            403,
            &json!({ "error": {
                "code": "RequestDisallowedByPolicy", "target": id, "message": message,
                "additionalInfo": [{ "type": "PolicyViolation", "info": info }],
            } }),
        ))
    })
}

fn missing(scope: &[&str], id: &str) -> Reply {
    match scope {
        ["resourcegroups", name] => Reply::error(
            404,
            "ResourceGroupNotFound",
            &format!("Resource group '{name}' could not be found."),
        ),
        _ => Reply::error(404, "ResourceNotFound", &format!("The Resource '{id}' was not found.")),
    }
}

fn bad(code: &str, message: &str) -> Reply {
    Reply::error(400, code, message)
}
