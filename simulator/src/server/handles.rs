//! What happens in the cloud while it runs, as a test or an administrator there wishes.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Simulator, StartError};
use crate::arm;
use crate::directory::TagPolicy;
use crate::rbac::{Assignment, BuiltInRole, Propagation, Scope};
use crate::state::lock;
use crate::world::{Item, guid};

/// A role assignment of Tenantry's service principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its name.
    pub name: Uuid,
    /// The role.
    pub role: BuiltInRole,
    /// Who made it by a call; none: [`Simulator::grant`] did, or the seed.
    pub assigned_by: Option<Uuid>,
    /// From when a fresh token shows it, by Microsoft's clock.
    pub works_from: DateTime<Utc>,
}

impl Holding {
    fn of(one: &Assignment) -> Self {
        let works_from = one.created.at + one.created.takes;
        Self { name: one.name, role: one.role, assigned_by: one.created_by, works_from }
    }
}

impl Simulator {
    /// Gives a role that works at once.
    pub fn grant(&self, principal: Uuid, role: BuiltInRole, scope: Scope) {
        lock(&self.state.directory).grant(principal, role, scope, self.state.now());
    }

    /// Takes away every assignment of the role that the principal has at exactly this scope. What it allowed
    /// works on until that has propagated.
    pub fn revoke(&self, principal: Uuid, role: BuiltInRole, scope: Scope) {
        let (dials, now) = (self.state.dials(), self.state.now());
        let mut directory = lock(&self.state.directory);
        let all = directory.assignments.of(principal, scope).filter(|one| one.role == role);
        let names: Vec<_> = all.map(|one| one.name).collect();
        for name in names {
            let change = dials.propagation.change(now, self.state.world.seed, name);
            directory.assignments.remove(name, change);
        }
    }

    /// Gives a role at the subscription to `count` others whom nobody knows, to come near the limit of 4,000.
    pub fn fill_assignments(&self, subscription: Uuid, count: u32) {
        let (now, scope) = (self.state.now(), Scope::Subscription(subscription));
        let mut directory = lock(&self.state.directory);
        for number in 0..count {
            let somebody = guid(self.state.world.seed, "somebody", number.into());
            directory.grant(somebody, BuiltInRole::Reader, scope, now);
        }
    }

    /// How many role assignments the service principal has at the subscription itself.
    pub fn assignments_at(&self, subscription: Uuid) -> usize {
        let directory = lock(&self.state.directory);
        let Some(principal) = &directory.service_principal else { return 0 };
        directory.assignments.of(principal.object_id, Scope::Subscription(subscription)).count()
    }

    /// The role assignments that the service principal has at the subscription itself, as they were made.
    pub fn holdings(&self, subscription: Uuid) -> Vec<Holding> {
        let directory = lock(&self.state.directory);
        let Some(principal) = &directory.service_principal else { return Vec::new() };
        let held = directory.assignments.of(principal.object_id, Scope::Subscription(subscription));
        held.map(Holding::of).collect()
    }

    /// Deletes Tenantry's service principal, as an administrator who removes the enterprise application does.
    pub fn delete_service_principal(&self) {
        let mut directory = lock(&self.state.directory);
        if let Some(gone) = directory.service_principal.take() {
            directory.assignments.orphan(gone.object_id);
            directory.permissions.clear();
        }
    }

    /// Disables Tenantry's service principal, or enables it.
    pub fn set_service_principal_enabled(&self, enabled: bool) {
        if let Some(principal) = &mut lock(&self.state.directory).service_principal {
            principal.enabled = enabled;
        }
    }

    /// Identity tokens do not say any more which roles people have in the whole tenant: the app registration does not ask
    /// for it.
    pub fn tell_no_roles(&self) {
        lock(&self.state.directory).tells_roles = false;
    }

    /// Lets people sign in with an account of the other tenant, whichever one was asked for.
    pub fn sign_in_elsewhere(&self) {
        lock(&self.state.directory).signs_in_at = Some(self.state.world.other_tenant_id);
    }

    /// Makes revoked tokens stop working at once, as continuous access evaluation does; they work until they
    /// expire otherwise.
    pub fn set_continuous_access(&self, on: bool) {
        lock(&self.state.dials).continuous_access = on;
    }

    /// Revokes every token that the user has, and every code that was not redeemed.
    pub fn revoke_sessions(&self, user: &str) {
        let now = self.state.now();
        let mut directory = lock(&self.state.directory);
        if let Some(id) = directory.user(user).map(|user| user.object_id) {
            directory.revoked.insert(id, now);
        }
    }

    /// From now on Azure Resource Manager challenges the tokens that the user has, as when a Conditional Access
    /// policy begins to ask for more. A token that is issued in a later second satisfies it.
    pub fn challenge(&self, user: &str) {
        let now = self.state.now();
        let mut directory = lock(&self.state.directory);
        if let Some(id) = directory.user(user).map(|user| user.object_id) {
            directory.challenged.insert(id, now);
        }
    }

    /// Sets Microsoft's clock ahead of the configuration's, or behind it: the date of answers, the times in tokens
    /// that are issued from now on, and the time at which tokens and codes expire.
    pub fn set_clock_skew(&self, skew: TimeDelta) {
        lock(&self.state.dials).clock_skew = skew;
    }

    /// Signs with a new key from now on.
    pub fn rotate_keys(&self) -> Result<(), StartError> {
        self.state.keys.rotate().map_err(|_| StartError::Keys)
    }

    /// Replaces the client secret of Tenantry's app registration.
    pub fn set_client_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.state.directory).client_secret);
    }

    /// Lets the client secret expire.
    pub fn expire_client_secret(&self) {
        lock(&self.state.directory).client_secret_expired = true;
    }

    /// Disables a subscription, or enables it.
    pub fn set_disabled(&self, subscription: Uuid, disabled: bool) {
        lock(&self.state.directory).overlay(subscription).disabled = Some(disabled);
    }

    /// Locks a subscription against deletion of anything in it, or unlocks it.
    pub fn set_locked(&self, subscription: Uuid, locked: bool) {
        lock(&self.state.directory).overlay(subscription).locked = locked;
    }

    /// Deletes a subscription.
    pub fn remove_subscription(&self, subscription: Uuid) {
        lock(&self.state.directory).overlay(subscription).gone = true;
    }

    /// Moves a subscription to the other tenant.
    pub fn move_subscription(&self, subscription: Uuid) {
        let other = self.state.world.other_tenant_id;
        lock(&self.state.directory).overlay(subscription).moved_to = Some(other);
    }

    /// Deletes the resource of this number.
    pub fn remove_resource(&self, subscription: Uuid, number: u64) {
        lock(&self.state.directory).overlay(subscription).removed.insert(number);
    }

    /// Adds resources after those that are there.
    pub fn add_resources(&self, subscription: Uuid, count: u64) {
        lock(&self.state.directory).overlay(subscription).added += count;
    }

    /// Replaces the tags of the resource of this number.
    pub fn set_tags(&self, subscription: Uuid, number: u64, tags: &[(&str, &str)]) {
        let tags: BTreeMap<_, _> =
            tags.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        lock(&self.state.directory).overlay(subscription).tags.insert(number, tags);
    }

    /// The id of the resource of this number.
    pub fn resource_id(&self, subscription: Uuid, number: u64) -> Option<String> {
        let found = self.state.world.subscription(subscription)?;
        Some(Item::of(found.id, found.salt, number).id)
    }

    /// The tags of what an id names: a subscription, a resource group or a resource.
    pub fn tags(&self, arm_id: &str) -> Option<BTreeMap<String, String>> {
        let directory = lock(&self.state.directory);
        arm::tags_of(&self.state.world, &directory, arm_id)
    }

    /// Gives what an id names these tags and no others, as somebody else would.
    pub fn replace_tags(&self, arm_id: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        arm::put_tags(&self.state.world, &mut lock(&self.state.directory), arm_id, tags);
    }

    /// Locks an id, and everything below it, against every change; or unlocks it.
    pub fn set_read_only(&self, subscription: Uuid, arm_id: &str, locked: bool) {
        let mut directory = lock(&self.state.directory);
        let locks = &mut directory.overlay(subscription).read_only;
        if locked {
            locks.insert(arm_id.to_lowercase());
        } else {
            locks.remove(&arm_id.to_lowercase());
        }
    }

    /// Assigns a policy about tags to a subscription.
    pub fn add_tag_policy(&self, subscription: Uuid, policy: TagPolicy) {
        lock(&self.state.directory).overlay(subscription).tag_policies.push(policy);
    }

    /// Takes every policy about tags away from a subscription.
    pub fn clear_tag_policies(&self, subscription: Uuid) {
        lock(&self.state.directory).overlay(subscription).tag_policies.clear();
    }

    /// Lets changes of tags be answered before they are done: so often they are looked at in vain.
    pub fn set_tags_later(&self, looks: Option<u32>) {
        lock(&self.state.dials).tags_later = looks;
    }

    /// How long changes of role assignments take from now on until they show.
    pub fn set_propagation(&self, propagation: TimeDelta) {
        self.set_propagation_between(propagation, propagation);
    }

    /// The same: each its own time between these two.
    pub fn set_propagation_between(&self, at_least: TimeDelta, at_most: TimeDelta) {
        lock(&self.state.dials).propagation = Propagation { at_least, at_most };
    }

    /// How long access tokens last that are issued from now on; none: 60 to 90 minutes.
    pub fn set_token_lifetime(&self, lifetime: Option<Duration>) {
        lock(&self.state.dials).token_lifetime = lifetime;
    }

    /// How long each answer takes at least.
    pub fn set_latency(&self, latency: Duration) {
        lock(&self.state.dials).latency = latency;
    }

    /// The most rows on a page of Azure Resource Manager's lists.
    pub fn set_page_size(&self, rows: usize) {
        lock(&self.state.dials).page_size = rows.clamp(1, 1_000);
    }

    /// Switches throttling.
    pub fn set_throttle(&self, throttle: bool) {
        lock(&self.state.dials).throttle = throttle;
    }

    /// Whether a refused second assignment names the one in its way (newer) or does not (older).
    pub fn set_conflict_names_id(&self, names: bool) {
        lock(&self.state.directory).conflict_text_names_id = names;
    }
}
