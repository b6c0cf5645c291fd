//! <https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/create>: role assignments, and
//! the permissions that they add up to.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, listing, role_definitions, timestamp};
use crate::directory::Directory;
use crate::rbac::{self, Assignment, BuiltInRole, LIMIT, Scope};
use crate::reply::Reply;
use crate::server::Incoming;

const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

/// Lets its holder give others Backup Contributor, and no other role.
const CONDITION: &str = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR \
    (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals \
    {5e467623-bb1f-42f4-a55d-6e525e11384b}))";

pub(super) fn permissions(caller: &Caller<'_>, subscription: Uuid) -> Reply {
    let directory = caller.directory();
    let rows: Vec<Value> = caller
        .held(&directory, subscription)
        .map(|assignment| {
            json!({
                "actions": assignment.role.actions(), "notActions": assignment.role.not_actions(),
                "dataActions": [], "notDataActions": [],
            })
        })
        .collect();
    if rows.is_empty() {
        return caller.forbidden("Microsoft.Authorization/permissions/read", &scope(subscription));
    }
    Reply::json(200, &json!({ "value": rows }))
}

pub(super) fn list(caller: &Caller<'_>, incoming: &Incoming, subscription: Uuid) -> Reply {
    let directory = caller.directory();
    if !caller.may(&directory, READ, subscription) {
        return caller.forbidden(READ, &scope(subscription));
    }
    let filter = incoming.parameter("$filter").unwrap_or_default().to_lowercase();
    let named = |prefix: &str| {
        let (_, rest) = filter.split_once(prefix)?;
        Uuid::try_parse(rest.split('\'').next()?).ok()
    };
    let principals = match (named("principalid eq '"), named("assignedto('")) {
        (Some(id), _) => Some(vec![id]),
        (None, Some(id)) => Some(directory.principals(id)),
        (None, None) => None,
    };
    let found = directory
        .assignments
        .at_or_above(subscription)
        .filter(|assignment| principals.as_ref().is_none_or(|wanted| wanted.contains(&assignment.principal)));
    let rows: Vec<_> = found.map(|assignment| row(subscription, assignment)).collect();
    drop(directory);
    listing::cut(caller, incoming, &rows)
}

/// How many assignments there are, and how many there may be: the figure that Azure's portal shows.
pub(super) fn usage(caller: &Caller<'_>, subscription: Uuid) -> Reply {
    let directory = caller.directory();
    if !caller.may(&directory, READ, subscription) {
        return caller.forbidden(READ, &scope(subscription));
    }
    let count = directory.assignments.count_at(Scope::Subscription(subscription));
    Reply::json(
        200,
        &json!({
            "subscriptionId": subscription, "roleAssignmentsLimit": LIMIT, "roleAssignmentsCurrentCount": count,
            "roleAssignmentsRemainingCount": LIMIT.saturating_sub(count),
        }),
    )
}

pub(super) fn get(caller: &Caller<'_>, subscription: Uuid, name: &str) -> Reply {
    let directory = caller.directory();
    if !caller.may(&directory, READ, subscription) {
        return caller.forbidden(READ, &scope(subscription));
    }
    let Some(found) = at(&directory, subscription, name) else {
        let message = format!("The role assignment '{name}' is not found.");
        return Reply::error(404, "RoleAssignmentNotFound", &message);
    };
    Reply::json(200, &row(subscription, found))
}

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: Uuid,
    principal_type: Option<String>,
    description: Option<String>,
}

pub(super) fn create(caller: &Caller<'_>, incoming: &Incoming, subscription: Uuid, name: &str) -> Reply {
    let Ok(name) = Uuid::try_parse(name) else {
        return Reply::error(400, "InvalidRoleAssignmentId", "The role assignment ID is not a GUID.");
    };
    let Ok(Body { properties }) = serde_json::from_slice::<Body>(&incoming.body) else {
        return Reply::error(400, "InvalidRequestContent", "The request content was invalid.");
    };
    let definition = properties.role_definition_id.rsplit('/').next().unwrap_or_default();
    let Some(role) = Uuid::try_parse(definition).ok().and_then(BuiltInRole::of_id) else {
        return role_definitions::unknown(definition);
    };
    let mut directory = caller.directory();
    if let Err(refusal) = may_assign(caller, &directory, subscription) {
        return refusal;
    }
    if let Err(refusal) = principal_exists(caller, &directory, &properties) {
        return refusal;
    }
    let principal_type = directory.principal_type(properties.principal_id);
    if properties.principal_type.as_ref().is_some_and(|said| !said.eq_ignore_ascii_case(principal_type)) {
        let message = format!(
            "The principal type given for '{}' is not its type, which is '{principal_type}'.",
            properties.principal_id.simple()
        );
        return Reply::error(400, "UnmatchedPrincipalType", &message);
    }
    let wanted = (Scope::Subscription(subscription), role, properties.principal_id);
    if let Some(refused_or_same) = conflict(&directory, subscription, name, wanted) {
        return refused_or_same;
    }
    if directory.assignments.count_at(wanted.0) >= LIMIT {
        let message = "No more role assignments can be created (code: RoleAssignmentLimitExceeded)";
        return Reply::error(400, "RoleAssignmentLimitExceeded", message);
    }
    let assignment = Assignment {
        name,
        scope: wanted.0,
        role,
        principal: properties.principal_id,
        principal_type,
        conditioned: false,
        description: properties.description,
        created: caller.change(name),
        created_by: Some(caller.bearer.object_id),
        removed: None,
    };
    let created = row(subscription, &assignment);
    directory.assignments.add(assignment);
    Reply::json(201, &created)
}

fn may_assign(caller: &Caller<'_>, directory: &Directory, subscription: Uuid) -> Result<(), Reply> {
    if !caller.may(directory, WRITE, subscription) {
        return Err(caller.forbidden(WRITE, &scope(subscription)));
    }
    if directory.is_disabled(&caller.state.world, subscription) {
        return Err(read_only(subscription));
    }
    let held = caller.held(directory, subscription);
    if rbac::allows(held.filter(|assignment| !assignment.conditioned), WRITE) {
        return Ok(());
    }
    let message = format!(
        "The client '{}' with object id '{}' does not have authorization or an ABAC condition not fulfilled to \
         perform action '{WRITE}' over scope '{}' or the scope is invalid. If access was recently granted, please \
         refresh your credentials.",
        caller.bearer.client,
        caller.bearer.object_id,
        scope(subscription)
    );
    Err(Reply::error(403, "AuthorizationFailed", &message))
}

fn read_only(subscription: Uuid) -> Reply {
    let message = format!(
        "The subscription '{subscription}' is disabled and therefore marked as read only. You cannot perform any \
         write actions on this subscription until it is re-enabled."
    );
    Reply::error(409, "ReadOnlyDisabledSubscription", &message)
}

/// A service principal that was just created is found only by those who say that it is one.
fn principal_exists(
    caller: &Caller<'_>,
    directory: &Directory,
    properties: &Properties,
) -> Result<(), Reply> {
    let id = properties.principal_id;
    let says = properties.principal_type.as_deref() == Some("ServicePrincipal");
    let ours = directory.service_principal.as_ref().filter(|principal| principal.object_id == id);
    let is_known = match ours {
        Some(principal) => principal.known_from <= caller.now || says,
        None => directory.knows(id),
    };
    if is_known {
        return Ok(());
    }
    let message = format!(
        "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you are \
         creating this principal and then immediately assigning a role, this error might be related to a \
         replication delay. In this case, set the role assignment principalType property to a value, such as \
         ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
        id.simple(),
        caller.state.world.tenant_id
    );
    Err(Reply::error(400, "PrincipalNotFound", &message))
}

/// What stands in the way, or is there already.
fn conflict(
    directory: &Directory,
    subscription: Uuid,
    name: Uuid,
    wanted: (Scope, BuiltInRole, Uuid),
) -> Option<Reply> {
    let all = &directory.assignments;
    if let Some(same) = all.named(name) {
        if (same.scope, same.role, same.principal) == wanted {
            return Some(Reply::json(200, &row(subscription, same)));
        }
        let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
        return Some(Reply::error(400, "RoleAssignmentUpdateNotPermitted", message));
    }
    let (scope, role, principal) = wanted;
    let existing = all.of(principal, scope).find(|one| one.role == role)?;
    let which = if directory.conflict_text_names_id {
        format!(" The ID of the conflicting role assignment is {}.", existing.name.simple())
    } else {
        String::new()
    };
    Some(Reply::error(409, "RoleAssignmentExists", &format!("The role assignment already exists.{which}")))
}

pub(super) fn delete(caller: &Caller<'_>, incoming: &Incoming, subscription: Uuid, name: &str) -> Reply {
    let mut directory = caller.directory();
    if !caller.may(&directory, DELETE, subscription) {
        return caller.forbidden(DELETE, &scope(subscription));
    }
    if directory.is_disabled(&caller.state.world, subscription) {
        return read_only(subscription);
    }
    if directory.overlays.get(&subscription).is_some_and(|overlay| overlay.locked) {
        return locked(incoming, subscription);
    }
    let Some(name) = at(&directory, subscription, name).map(|found| found.name) else {
        return Reply::empty(204);
    };
    let removed = directory.assignments.remove(name, caller.change(name));
    removed.map_or(Reply::empty(204), |removed| Reply::json(200, &row(subscription, &removed)))
}

/// <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/lock-resources>: a lock against
/// deletion keeps role assignments too, and hinders nobody from making one.
fn locked(incoming: &Incoming, subscription: Uuid) -> Reply {
    let message = format!(
        "The scope '{}' cannot perform delete operation because following scope(s) are locked: '{}'. Please \
         remove the lock and try again.",
        incoming.path,
        scope(subscription)
    );
    Reply::error(409, "ScopeLocked", &message)
}

/// The one of this name at the subscription itself.
fn at<'d>(directory: &'d Directory, subscription: Uuid, name: &str) -> Option<&'d Assignment> {
    let found = directory.assignments.named(Uuid::try_parse(name).ok()?)?;
    (found.scope == Scope::Subscription(subscription)).then_some(found)
}

fn scope(subscription: Uuid) -> String {
    format!("/subscriptions/{subscription}")
}

fn row(subscription: Uuid, assignment: &Assignment) -> Value {
    let condition = assignment.conditioned.then_some(CONDITION);
    json!({
        "id": assignment.id(), "type": "Microsoft.Authorization/roleAssignments", "name": assignment.name,
        "properties": {
            "roleDefinitionId": role_definitions::id(Some(subscription), assignment.role),
            "principalId": assignment.principal, "principalType": assignment.principal_type,
            "scope": assignment.scope.path(), "condition": condition, "conditionVersion": condition.map(|_| "2.0"),
            "createdOn": timestamp(assignment.created.at), "updatedOn": timestamp(assignment.created.at),
            "createdBy": null, "updatedBy": assignment.created_by,
            "delegatedManagedIdentityResourceId": null, "description": assignment.description,
        },
    })
}
