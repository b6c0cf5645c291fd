//! Who may do what: role definitions, assignments, inheritance, propagation.
//!
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/overview>

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{Uuid, uuid};

/// A built-in role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltInRole {
    /// Everything.
    Owner,
    /// Everything but access.
    Contributor,
    /// Reads.
    Reader,
    /// Reads, and gives access.
    UserAccessAdministrator,
    /// Gives access, nothing else.
    RbacAdministrator,
    /// Tags, and lists resources.
    TagContributor,
}

impl BuiltInRole {
    pub(crate) const ALL: [Self; 6] = [
        Self::Owner,
        Self::Contributor,
        Self::Reader,
        Self::UserAccessAdministrator,
        Self::RbacAdministrator,
        Self::TagContributor,
    ];

    /// Azure's id of its definition.
    pub fn id(self) -> Uuid {
        match self {
            Self::Owner => uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
            Self::Contributor => uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c"),
            Self::Reader => uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7"),
            Self::UserAccessAdministrator => uuid!("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"),
            Self::RbacAdministrator => uuid!("f58310d9-a9f6-439a-9e8d-f62e7b41a168"),
            Self::TagContributor => uuid!("4a9ae827-6dc8-4573-8ac7-8239d42aa03f"),
        }
    }

    pub(crate) fn of_id(id: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Contributor => "Contributor",
            Self::Reader => "Reader",
            Self::UserAccessAdministrator => "User Access Administrator",
            Self::RbacAdministrator => "Role Based Access Control Administrator",
            Self::TagContributor => "Tag Contributor",
        }
    }

    pub(crate) fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Owner | Self::Contributor => &["*"],
            Self::Reader => &["*/read"],
            Self::UserAccessAdministrator => &["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
            Self::RbacAdministrator => &[
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/roleAssignments/delete",
                "*/read",
                "Microsoft.Support/*",
            ],
            Self::TagContributor => &[
                "Microsoft.Authorization/*/read",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
                "Microsoft.Resources/subscriptions/resources/read",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Support/*",
                "Microsoft.Resources/tags/*",
            ],
        }
    }

    pub(crate) fn not_actions(self) -> &'static [&'static str] {
        match self {
            Self::Contributor => &[
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
            ],
            _ => &[],
        }
    }

    fn allows(self, action: &str) -> bool {
        self.actions().iter().any(|glob| glob_matches(glob, action))
            && !self.not_actions().iter().any(|glob| glob_matches(glob, action))
    }
}

/// Where a role is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The management group above every subscription.
    RootGroup,
    /// A management group of its own above one subscription.
    GroupAbove(Uuid),
    /// A subscription.
    Subscription(Uuid),
}

impl Scope {
    pub(crate) fn covers(self, subscription: Uuid) -> bool {
        match self {
            Self::RootGroup => true,
            Self::GroupAbove(id) | Self::Subscription(id) => id == subscription,
        }
    }

    pub(crate) fn path(self) -> String {
        match self {
            Self::RootGroup => "/providers/Microsoft.Management/managementGroups/root".to_owned(),
            Self::GroupAbove(id) => {
                format!("/providers/Microsoft.Management/managementGroups/mg-{}", &id.to_string()[..8])
            }
            Self::Subscription(id) => format!("/subscriptions/{id}"),
        }
    }
}

/// The type of a principal that was deleted: it holds nothing, and its assignments stay listed.
pub(crate) const GONE: &str = "Unknown";

/// One role assignment.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) name: Uuid,
    pub(crate) scope: Scope,
    pub(crate) role: BuiltInRole,
    pub(crate) principal: Uuid,
    pub(crate) principal_type: String,
    /// Whether a condition forbids the holder to give our roles to others.
    pub(crate) conditioned: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: Option<Uuid>,
    /// Since when it works for every token.
    pub(crate) propagated: bool,
}

impl Assignment {
    pub(crate) fn id(&self) -> String {
        let scope = self.scope.path();
        format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", self.name)
    }

    /// A token that was issued after the assignment sees it sooner than one from before.
    fn is_effective(&self, moment: &Moment) -> bool {
        if self.principal_type == GONE {
            return false;
        }
        if self.propagated {
            return true;
        }
        let fresh = moment.token_issued_at >= self.created_at.timestamp();
        let wait = if fresh { moment.propagation } else { moment.propagation * 4 };
        moment.now - self.created_at >= wait
    }
}

/// When a decision is made, and with a token of what age.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: DateTime<Utc>,
    /// Seconds since 1970.
    pub(crate) token_issued_at: i64,
    pub(crate) propagation: TimeDelta,
}

/// The most assignments that a subscription holds.
pub(crate) const LIMIT: usize = 4_000;

/// The assignments that `principals` (somebody and the groups they are in) hold, wherever that is.
pub(crate) fn held_anywhere<'a>(
    assignments: &'a [Assignment],
    principals: &'a [Uuid],
    moment: &'a Moment,
) -> impl Iterator<Item = &'a Assignment> {
    assignments.iter().filter(move |assignment| {
        principals.contains(&assignment.principal) && assignment.is_effective(moment)
    })
}

/// Those of them that are at or above a subscription.
pub(crate) fn held<'a>(
    assignments: &'a [Assignment],
    principals: &'a [Uuid],
    subscription: Uuid,
    moment: &'a Moment,
) -> impl Iterator<Item = &'a Assignment> {
    let anywhere = held_anywhere(assignments, principals, moment);
    anywhere.filter(move |assignment| assignment.scope.covers(subscription))
}

/// Whether one of the assignments allows the action.
pub(crate) fn allows<'a>(mut held: impl Iterator<Item = &'a Assignment>, action: &str) -> bool {
    held.any(|assignment| assignment.role.allows(action))
}

fn glob_matches(glob: &str, action: &str) -> bool {
    let (glob, action) = (glob.to_lowercase(), action.to_lowercase());
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_allow_what_their_definitions_say() {
        let assign = "Microsoft.Authorization/roleAssignments/write";
        let read = "Microsoft.Resources/subscriptions/read";
        let list = "Microsoft.Resources/subscriptions/resources/read";
        for (role, action, allowed) in [
            (BuiltInRole::Owner, assign, true),
            (BuiltInRole::Contributor, assign, false),
            (BuiltInRole::Contributor, read, true),
            (BuiltInRole::UserAccessAdministrator, assign, true),
            (BuiltInRole::RbacAdministrator, assign, true),
            (BuiltInRole::Reader, assign, false),
            (BuiltInRole::Reader, read, true),
            (BuiltInRole::TagContributor, list, true),
            (BuiltInRole::TagContributor, "Microsoft.Compute/virtualMachines/read", false),
        ] {
            assert_eq!(role.allows(action), allowed, "{role:?} {action}");
        }
    }
}
