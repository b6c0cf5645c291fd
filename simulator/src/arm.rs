//! Azure Resource Manager: who may call what, and where each call is answered.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/>

mod listing;
mod metadata;
mod providers;
mod resource_graph;
mod resources;
mod role_assignments;
mod role_definitions;
mod subscriptions;
pub(crate) mod tags;

use std::collections::HashSet;
use std::sync::MutexGuard;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use resources::count;
pub(crate) use tags::{put_tags, tags_of};

use crate::directory::Directory;
use crate::rbac::{self, Assignment, BuiltInRole, Change, Moment, Scope};
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{Dials, State, lock};
use crate::throttle::Operation;
use crate::tokens::{Audience, Bearer, authenticate};

/// A call whose token is valid.
pub(crate) struct Caller<'a> {
    pub(crate) state: &'a State,
    pub(crate) bearer: Bearer,
    pub(crate) principals: Vec<Uuid>,
    pub(crate) dials: Dials,
    pub(crate) now: DateTime<Utc>,
}

impl Caller<'_> {
    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        lock(&self.state.directory)
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { now: self.now, token_issued_at: self.bearer.issued_at }
    }

    /// A change of the role assignment of this name that the caller makes.
    pub(crate) fn change(&self, name: Uuid) -> Change {
        self.dials.propagation.change(self.now, self.state.world.seed, name)
    }

    /// What the caller holds at or above a subscription.
    pub(crate) fn held<'d>(
        &self,
        directory: &'d Directory,
        subscription: Uuid,
    ) -> impl Iterator<Item = &'d Assignment> {
        directory.assignments.held(&self.principals, subscription, self.moment())
    }

    pub(crate) fn may(&self, directory: &Directory, action: &str, subscription: Uuid) -> bool {
        rbac::allows(self.held(directory, subscription), action)
    }

    /// The subscriptions in which the caller may do something; none: in every one.
    pub(crate) fn where_may(&self, directory: &Directory, action: &str) -> Option<HashSet<Uuid>> {
        let allowing: Vec<_> = BuiltInRole::ALL.into_iter().filter(|role| role.allows(action)).collect();
        let mut allowed = HashSet::new();
        for assignment in directory.assignments.held_anywhere(&self.principals, self.moment()) {
            if allowing.contains(&assignment.role) {
                match assignment.scope {
                    Scope::RootGroup => return None,
                    Scope::GroupAbove(id) | Scope::Subscription(id) => drop(allowed.insert(id)),
                }
            }
        }
        Some(allowed)
    }

    /// Whether the caller sees that the subscription is there at all.
    pub(crate) fn sees(&self, directory: &Directory, subscription: Uuid) -> bool {
        directory.is_here(subscription) && self.held(directory, subscription).next().is_some()
    }

    pub(crate) fn forbidden(&self, action: &str, scope: &str) -> Reply {
        let message = format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over \
             scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
             credentials.",
            self.bearer.client, self.bearer.object_id
        );
        Reply::error(403, "AuthorizationFailed", &message)
    }
}

pub(crate) fn answer(state: &State, incoming: &Incoming, cut: bool) -> Reply {
    let path = incoming.path.trim_matches('/').to_lowercase();
    let segments: Vec<&str> = path.split('/').collect();
    if segments.as_slice() == ["metadata", "endpoints"] {
        return metadata::endpoints(state, incoming);
    }
    let bearer = match authenticate(state, incoming, Audience::Arm) {
        Ok(bearer) => bearer,
        Err(refusal) => return refusal,
    };
    if let Err(refusal) = names_version(incoming) {
        return refusal;
    }
    let principals = lock(&state.directory).principals(bearer.object_id);
    let caller = Caller { state, bearer, principals, dials: state.dials(), now: state.now() };
    let subscription = match segments.as_slice() {
        ["subscriptions", id, ..] => Uuid::try_parse(id).ok(),
        _ => None,
    };
    let is_query = segments.as_slice() == ["providers", "microsoft.resourcegraph", "resources"];
    // Without throttling a query says that there is no end to the quota.
    let endless = is_query.then(|| {
        [("x-ms-user-quota-remaining", "10000"), ("x-ms-user-quota-resets-after", "00:00:05")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    let mut headers: Vec<_> = endless.into_iter().flatten().collect();
    if caller.dials.throttle {
        let principal = caller.bearer.object_id;
        let taken = if is_query {
            state.throttle.query(principal, caller.now)
        } else {
            state.throttle.take(principal, subscription, Operation::of(&incoming.method), caller.now)
        };
        match taken {
            Ok(remaining) => headers = remaining,
            Err(refusal) => return refusal,
        }
    }
    let mut reply = route(&caller, incoming, &segments, subscription, cut);
    reply.headers.extend(headers);
    reply
}

fn route(
    caller: &Caller<'_>,
    incoming: &Incoming,
    segments: &[&str],
    subscription: Option<Uuid>,
    cut: bool,
) -> Reply {
    match (incoming.method.as_str(), segments) {
        ("GET", ["tenants"]) => subscriptions::tenants(caller),
        ("GET", ["subscriptions"]) => subscriptions::list(caller, incoming),
        ("POST", ["providers", "microsoft.resourcegraph", "resources"]) => {
            resource_graph::query(caller, incoming, cut)
        }
        ("GET", ["providers", "microsoft.authorization", "roledefinitions", rest @ ..]) => {
            role_definitions::answer(None, incoming, rest)
        }
        (_, ["subscriptions", id, rest @ ..]) => match subscription {
            Some(subscription) => of_subscription(caller, incoming, subscription, rest),
            None => Reply::error(
                400,
                "InvalidSubscriptionId",
                &format!("The provided subscription identifier '{id}' is malformed or invalid."),
            ),
        },
        _ => not_found(incoming),
    }
}

fn of_subscription(caller: &Caller<'_>, incoming: &Incoming, subscription: Uuid, rest: &[&str]) -> Reply {
    if let Err(refusal) = subscriptions::must_be_here(caller, subscription) {
        return refusal;
    }
    match (incoming.method.as_str(), rest) {
        ("GET", []) => subscriptions::get(caller, subscription),
        ("GET", ["operationresults", id]) => tags::operation(caller, id),
        (method, [scope @ .., "providers", "microsoft.resources", "tags", "default"]) => {
            tags::answer(caller, incoming, method, subscription, scope)
        }
        ("GET", ["resources"]) => resources::list(caller, incoming, subscription),
        ("GET", ["resourcegroups"]) => resources::groups(caller, incoming, subscription),
        ("GET", ["providers"]) => providers::list(caller, subscription),
        ("GET", ["providers", "microsoft.authorization", "permissions"]) => {
            role_assignments::permissions(caller, subscription)
        }
        ("GET", ["providers", "microsoft.authorization", "roleassignments"]) => {
            role_assignments::list(caller, incoming, subscription)
        }
        ("GET", ["providers", "microsoft.authorization", "roledefinitions", rest @ ..]) => {
            role_definitions::answer(Some(subscription), incoming, rest)
        }
        ("GET", ["providers", "microsoft.authorization", "roleassignmentsusagemetrics"]) => {
            role_assignments::usage(caller, subscription)
        }
        ("PUT", ["providers", "microsoft.authorization", "roleassignments", name]) => {
            role_assignments::create(caller, incoming, subscription, name)
        }
        ("GET", ["providers", "microsoft.authorization", "roleassignments", name]) => {
            role_assignments::get(caller, subscription, name)
        }
        ("DELETE", ["providers", "microsoft.authorization", "roleassignments", name]) => {
            role_assignments::delete(caller, incoming, subscription, name)
        }
        _ => not_found(incoming),
    }
}

fn not_found(incoming: &Incoming) -> Reply {
    Reply::error(404, "ResourceNotFound", &format!("The Resource '{}' was not found.", incoming.path))
}

fn names_version(incoming: &Incoming) -> Result<(), Reply> {
    let Some(version) = incoming.parameter("api-version") else {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(Reply::error(400, "MissingApiVersionParameter", message));
    };
    if is_version(version) {
        return Ok(());
    }
    let message = format!("The api-version '{version}' is invalid.");
    Err(Reply::error(400, "InvalidApiVersionParameter", &message))
}

/// `2022-12-01`, also with `-preview` behind it.
fn is_version(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok()
}

/// A date and time with seven digits, as Azure writes it.
fn timestamp(at: DateTime<Utc>) -> Value {
    Value::String(at.format("%Y-%m-%dT%H:%M:%S%.6f0Z").to_string().replace(".0000000Z", ".1234567Z"))
}
