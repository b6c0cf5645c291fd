//! Who may do what: role definitions, assignments, inheritance, propagation.
//!
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/overview>

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{Uuid, uuid};

use crate::world::mix;

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

    pub(crate) fn allows(self, action: &str) -> bool {
        self.actions().iter().any(|glob| glob_matches(glob, action))
            && !self.not_actions().iter().any(|glob| glob_matches(glob, action))
    }
}

/// Where a role is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The management group above every subscription.
    RootGroup,
    /// A management group of its own above one subscription.
    GroupAbove(Uuid),
    /// A subscription.
    Subscription(Uuid),
}

impl Scope {
    pub(crate) fn at_or_above(subscription: Uuid) -> [Self; 3] {
        [Self::RootGroup, Self::GroupAbove(subscription), Self::Subscription(subscription)]
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

/// That an assignment was made or taken away, and how long that takes until a fresh token shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) at: DateTime<Utc>,
    pub(crate) takes: TimeDelta,
}

impl Change {
    /// Counts at once, and whatever becomes of the clock.
    pub(crate) fn is_immediate(&self) -> bool {
        self.takes <= TimeDelta::zero()
    }

    /// A token that was issued after the change shows it sooner than one from before.
    fn has_propagated(&self, moment: &Moment) -> bool {
        let is_fresh = moment.token_issued_at >= self.at.timestamp();
        let wait = if is_fresh { self.takes } else { self.takes * 4 };
        self.is_immediate() || moment.now - self.at >= wait
    }
}

/// One role assignment.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) name: Uuid,
    pub(crate) scope: Scope,
    pub(crate) role: BuiltInRole,
    pub(crate) principal: Uuid,
    pub(crate) principal_type: &'static str,
    /// Whether a condition forbids the holder to give our roles to others.
    pub(crate) conditioned: bool,
    pub(crate) description: Option<String>,
    pub(crate) created: Change,
    pub(crate) created_by: Option<Uuid>,
    pub(crate) removed: Option<Change>,
}

impl Assignment {
    pub(crate) fn id(&self) -> String {
        let scope = self.scope.path();
        format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", self.name)
    }

    /// What was taken away before it ever worked does not begin to.
    pub(crate) fn is_effective(&self, moment: &Moment) -> bool {
        if self.principal_type == GONE {
            return false;
        }
        let Some(removed) = self.removed else { return self.created.has_propagated(moment) };
        let then = Moment { now: removed.at, ..*moment };
        self.created.has_propagated(&then) && !removed.has_propagated(moment)
    }
}

/// When a decision is made, and with a token of what age.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: DateTime<Utc>,
    /// Seconds since 1970.
    pub(crate) token_issued_at: i64,
}

/// How long changes of role assignments take: each its own time between these two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Propagation {
    pub(crate) at_least: TimeDelta,
    pub(crate) at_most: TimeDelta,
}

impl Propagation {
    /// A change that is made now: how long it takes is decided by the seed and the assignment's name.
    pub(crate) fn change(self, now: DateTime<Utc>, seed: u64, name: Uuid) -> Change {
        let (high, low) = name.as_u64_pair();
        let spread = (self.at_most - self.at_least).num_milliseconds().max(0);
        let chance = mix(seed ^ high, low) % (spread.unsigned_abs() + 1);
        let more = TimeDelta::milliseconds(i64::try_from(chance).unwrap_or(spread));
        Change { at: now, takes: self.at_least + more }
    }
}

/// The most assignments that a subscription holds.
pub(crate) const LIMIT: usize = 4_000;

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
    fn every_change_takes_its_own_time_within_the_bounds() {
        let (at_least, at_most) = (TimeDelta::seconds(60), TimeDelta::minutes(10));
        let propagation = Propagation { at_least, at_most };
        let takes = |number| propagation.change(DateTime::UNIX_EPOCH, 7, Uuid::from_u128(number)).takes;
        let all: Vec<_> = (0..2_000).map(takes).collect();
        assert!(all.iter().all(|one| (at_least..=at_most).contains(one)));
        let mean = all.iter().sum::<TimeDelta>() / 2_000;
        assert!((mean - TimeDelta::seconds(330)).abs() < TimeDelta::seconds(15), "uniform: {mean}");
        assert_eq!(takes(5), all[5], "the same name takes the same time");
        let fixed = Propagation { at_least, at_most: at_least };
        assert_eq!(fixed.change(DateTime::UNIX_EPOCH, 7, Uuid::nil()).takes, at_least);
    }

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
