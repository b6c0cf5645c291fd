//! Who is in the tenant, and everything about it that changes: grants, sessions, subscriptions' states.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::assignments::Assignments;
use crate::permissions::Permissions;
use crate::rbac::{Assignment, BuiltInRole, Change, Scope};
use crate::world::{Part, World, guid, mix};

/// A user of the tenant.
#[derive(Clone, Debug)]
pub struct User {
    /// What the sign-in page calls the user: `owner`, `reader`, …
    pub key: &'static str,
    /// The user's object id.
    pub object_id: Uuid,
    /// The user's name.
    pub name: &'static str,
    /// The tenant in which the user's account is.
    pub tenant_id: Uuid,
}

/// The accounts of the customer's tenant.
const USERS: [(&str, &str); 9] = [
    ("owner", "Olivia Owner"),
    ("user-access-administrator", "Uma Access"),
    ("rbac-administrator", "Ravi Roles"),
    ("contributor", "Carl Contributor"),
    ("reader", "Rita Reader"),
    ("group-owner", "Gina Group"),
    ("conditioned-owner", "Cora Condition"),
    ("pim-eligible", "Pim Eligible"),
    ("guest", "Gus Guest"),
];

/// The accounts of the other tenant: people who manage the customer's clouds.
const MANAGERS: [(&str, &str); 2] = [("member", "Mona Member"), ("colleague", "Cole League")];

/// What a test laid over a subscription of the seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) disabled: Option<bool>,
    pub(crate) gone: bool,
    /// Whether a lock forbids to delete anything in it.
    pub(crate) locked: bool,
    /// The tenant it was moved to.
    pub(crate) moved_to: Option<Uuid>,
    pub(crate) removed: HashSet<u64>,
    pub(crate) tags: HashMap<u64, BTreeMap<String, String>>,
    /// How many were added after those of the seed.
    pub(crate) added: u64,
    /// Tags of resource groups, by number.
    pub(crate) group_tags: HashMap<u64, BTreeMap<String, String>>,
    /// Tags of the subscription itself.
    pub(crate) own_tags: Option<BTreeMap<String, String>>,
    /// Ids below which nothing can be changed, in lower case.
    pub(crate) read_only: HashSet<String>,
    pub(crate) tag_policies: Vec<TagPolicy>,
}

/// What an Azure policy does about a tag.
#[derive(Clone, Debug)]
pub enum TagPolicy {
    /// Refuses every write of the tag, or only of this value.
    Deny {
        /// What people call the policy.
        title: String,
        /// The tag's name.
        name: String,
        /// The value; none: every one.
        value: Option<String>,
    },
    /// Lets the tag have another value, whatever is written.
    Modify {
        /// The tag's name.
        name: String,
        /// The value that it gets.
        value: String,
    },
}

/// Tenantry's service principal.
#[derive(Clone, Debug)]
pub(crate) struct ServicePrincipal {
    pub(crate) object_id: Uuid,
    pub(crate) known_from: DateTime<Utc>,
    pub(crate) enabled: bool,
}

/// Everything that changes.
pub(crate) struct Directory {
    pub(crate) users: Vec<User>,
    pub(crate) groups: HashMap<Uuid, Vec<Uuid>>,
    pub(crate) service_principal: Option<ServicePrincipal>,
    /// What Tenantry's app may do at Graph.
    pub(crate) permissions: Permissions,
    /// How often Tenantry's service principal was created: each has another object id.
    pub(crate) created: u64,
    pub(crate) automation: (Uuid, Uuid),
    /// How many roles were given other than by a call: each assignment has another name.
    granted: u64,
    pub(crate) assignments: Assignments,
    pub(crate) overlays: HashMap<Uuid, Overlay>,
    /// Until when a user's tokens are revoked.
    pub(crate) revoked: HashMap<Uuid, DateTime<Utc>>,
    /// Until when a user's tokens do not satisfy Conditional Access.
    pub(crate) challenged: HashMap<Uuid, DateTime<Utc>>,
    pub(crate) client_secret: String,
    pub(crate) client_secret_expired: bool,
    pub(crate) conflict_text_names_id: bool,
    /// Changes of tags that are accepted and not done: how often each is still looked at in vain.
    pub(crate) tag_operations: HashMap<Uuid, u32>,
    /// The tenant that identity tokens name, if a person signs in elsewhere than asked.
    pub(crate) signs_in_at: Option<Uuid>,
    /// Whether the app registration asks for the roles that people have in the whole tenant: its
    /// `groupMembershipClaims` are `DirectoryRole`.
    pub(crate) tells_roles: bool,
}

/// Who may grant an app something for the whole tenant.
const ADMINISTRATORS: [&str; 3] = ["owner", "user-access-administrator", "member"];

/// <https://learn.microsoft.com/en-us/entra/identity/role-based-access-control/permissions-reference>: the templates of
/// Global Administrator, and of the role that everybody has.
const GLOBAL_ADMINISTRATOR: Uuid = Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10);
const EVERYBODY: Uuid = Uuid::from_u128(0xb79f_bf4d_3ef9_4689_8143_76b1_94e8_5509);

impl User {
    /// Whether the user may grant an app something for the whole tenant.
    pub(crate) fn is_administrator(&self) -> bool {
        ADMINISTRATORS.contains(&self.key)
    }
}

impl Directory {
    pub(crate) fn new(
        world: &World,
        client_secret: String,
        permissions: Permissions,
        now: DateTime<Utc>,
    ) -> Self {
        let at_home = USERS.iter().map(|user| (user, world.tenant_id));
        let elsewhere = MANAGERS.iter().map(|user| (user, world.other_tenant_id));
        let users = at_home.chain(elsewhere).zip(1..).map(|((&(key, name), tenant_id), number)| User {
            key,
            name,
            object_id: guid(world.seed, "user", number),
            tenant_id,
        });
        let automation = (guid(world.seed, "automation", 1), guid(world.seed, "automation", 2));
        let mut directory = Self {
            users: users.collect(),
            groups: HashMap::new(),
            service_principal: None,
            permissions,
            created: 0,
            automation,
            granted: 0,
            assignments: Assignments::default(),
            overlays: HashMap::new(),
            revoked: HashMap::new(),
            challenged: HashMap::new(),
            client_secret,
            client_secret_expired: false,
            conflict_text_names_id: true,
            tag_operations: HashMap::new(),
            signs_in_at: None,
            tells_roles: true,
        };
        directory.grant_as_usual(world, now);
        directory
    }

    fn grant_as_usual(&mut self, world: &World, now: DateTime<Utc>) {
        let id =
            |key| self.users.iter().find(|user| user.key == key).map_or(Uuid::nil(), |user| user.object_id);
        let (owner, guest) = (id("owner"), id("guest"));
        let at_root = [
            (id("user-access-administrator"), BuiltInRole::UserAccessAdministrator),
            (id("rbac-administrator"), BuiltInRole::RbacAdministrator),
            (id("contributor"), BuiltInRole::Contributor),
            (id("reader"), BuiltInRole::Reader),
            (self.automation.1, BuiltInRole::Owner),
        ];
        // The group owner owns through a group in a group.
        let (inner, outer) = (guid(world.seed, "group", 1), guid(world.seed, "group", 2));
        self.groups.insert(id("group-owner"), vec![inner, outer]);
        let conditioned = id("conditioned-owner");
        for (principal, role) in at_root.into_iter().chain([(outer, BuiltInRole::Owner)]) {
            self.grant(principal, role, Scope::RootGroup, now);
        }
        self.grant_if(true, conditioned, BuiltInRole::Owner, Scope::RootGroup, now);
        for subscription in &world.subscriptions {
            let role = if subscription.part == Part::NotPermitted {
                BuiltInRole::Reader
            } else {
                BuiltInRole::Owner
            };
            let conditioned = subscription.part == Part::Conditioned;
            self.grant_if(conditioned, owner, role, Scope::Subscription(subscription.id), now);
        }
        if let Some(first) = world.subscriptions.first() {
            self.grant(guest, BuiltInRole::Owner, Scope::Subscription(first.id), now);
        }
    }

    /// Gives `principal` a role that works at once.
    pub(crate) fn grant(&mut self, principal: Uuid, role: BuiltInRole, scope: Scope, now: DateTime<Utc>) {
        self.grant_if(false, principal, role, scope, now);
    }

    fn grant_if(
        &mut self,
        conditioned: bool,
        principal: Uuid,
        role: BuiltInRole,
        scope: Scope,
        now: DateTime<Utc>,
    ) {
        self.granted += 1;
        let number = self.granted;
        self.assignments.add(Assignment {
            name: guid(mix(number, 99), "assignment", number),
            scope,
            role,
            principal,
            principal_type: self.principal_type(principal),
            conditioned,
            description: None,
            created: Change { at: now, takes: TimeDelta::zero() },
            created_by: None,
            removed: None,
        });
    }

    /// What kind of principal this is, as role assignments say it.
    pub(crate) fn principal_type(&self, principal: Uuid) -> &'static str {
        let ours = self.service_principal.as_ref().is_some_and(|known| known.object_id == principal);
        if ours || self.automation.1 == principal {
            "ServicePrincipal"
        } else if self.groups.values().flatten().any(|&group| group == principal) {
            "Group"
        } else {
            "User"
        }
    }

    /// Whether this is somebody other than Tenantry's service principal.
    pub(crate) fn knows(&self, principal: Uuid) -> bool {
        self.automation.1 == principal
            || self.users.iter().any(|user| user.object_id == principal)
            || self.groups.values().flatten().any(|&group| group == principal)
    }

    /// Somebody and the groups they are in.
    pub(crate) fn principals(&self, somebody: Uuid) -> Vec<Uuid> {
        let groups = self.groups.get(&somebody).into_iter().flatten();
        std::iter::once(somebody).chain(groups.copied()).collect()
    }

    /// What an identity token says of a user's roles in the whole tenant.
    pub(crate) fn directory_roles(&self, user: Uuid) -> Option<Vec<Uuid>> {
        let user = self.users.iter().find(|known| known.object_id == user)?;
        let roles =
            if user.is_administrator() { vec![GLOBAL_ADMINISTRATOR, EVERYBODY] } else { vec![EVERYBODY] };
        self.tells_roles.then_some(roles)
    }

    pub(crate) fn user(&self, key: &str) -> Option<&User> {
        self.users.iter().find(|user| user.key == key)
    }

    /// Creates Tenantry's service principal, as a consent does; gives it what it inherits.
    pub(crate) fn ensure_service_principal(
        &mut self,
        world: &World,
        known_from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Uuid {
        if let Some(existing) = &self.service_principal {
            return existing.object_id;
        }
        self.created += 1;
        let object_id = guid(world.seed, "service-principal", self.created);
        self.service_principal = Some(ServicePrincipal { object_id, known_from, enabled: true });
        for subscription in world.subscriptions.iter().filter(|one| one.part == Part::Inherited) {
            self.grant(object_id, BuiltInRole::Reader, Scope::GroupAbove(subscription.id), now);
        }
        object_id
    }

    pub(crate) fn overlay(&mut self, subscription: Uuid) -> &mut Overlay {
        self.overlays.entry(subscription).or_default()
    }

    pub(crate) fn is_disabled(&self, world: &World, subscription: Uuid) -> bool {
        let by_seed = world.subscription(subscription).is_some_and(|one| one.part == Part::Disabled);
        self.overlays.get(&subscription).and_then(|overlay| overlay.disabled).unwrap_or(by_seed)
    }

    /// Whether the subscription is there, and in the tenant of the seed.
    pub(crate) fn is_here(&self, subscription: Uuid) -> bool {
        self.overlays.get(&subscription).is_none_or(|overlay| !overlay.gone && overlay.moved_to.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::rbac::Moment;

    #[test]
    fn an_assignment_says_what_kind_of_principal_holds_it() {
        let world = World::new(&Config::default());
        let now = DateTime::UNIX_EPOCH;
        let permissions = Permissions::new(Vec::new());
        let mut directory = Directory::new(&world, String::new(), permissions, now);
        let ours = directory.ensure_service_principal(&world, now, now);
        let owner = directory.user("owner").map(|user| user.object_id).unwrap();
        let group = directory.groups.values().flatten().copied().last().unwrap();
        for (principal, wanted) in [
            (ours, "ServicePrincipal"),
            (directory.automation.1, "ServicePrincipal"),
            (owner, "User"),
            (group, "Group"),
        ] {
            let moment = Moment { now, token_issued_at: now.timestamp() };
            let principals = [principal];
            let mut held = directory.assignments.held_anywhere(&principals, moment).peekable();
            assert!(held.peek().is_some(), "{wanted} {principal} holds nothing");
            assert!(held.all(|held| held.principal_type == wanted), "{wanted} {principal}");
        }
    }
}
