//! Office 365: users, groups, licences and how they are used, computed from the seed; only changes are kept.
//!
//! Every change has a number, by which a delta query knows what is new since it last asked.

pub(crate) mod account;
pub(crate) mod activity;
mod change;
pub(crate) mod group;
mod handles;
mod id;
mod people;
pub(crate) mod sku;
mod teams;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use account::Origin;
pub use change::UserChange;
pub(crate) use change::{AccountChanges, GroupChanges};
pub use handles::{GroupMember, OfficeUser};
pub(crate) use id::id_of;

use crate::config::Config;
use crate::world::{World, guid};

/// Everything of Office 365 that changes.
pub(crate) struct Office {
    pub(crate) origin: Origin,
    /// Key, name and object id of those who can sign in.
    named: Vec<(&'static str, &'static str, Uuid)>,
    /// Users and groups of the seed.
    users: u64,
    groups: u64,
    /// Those that came after them.
    added_users: u64,
    added_groups: u64,
    /// The number of the last change.
    changed: u64,
    accounts: BTreeMap<u64, AccountChanges>,
    teams: BTreeMap<u64, GroupChanges>,
    /// How often every delta token died.
    pub(crate) token_generation: u64,
    /// The other app registration's service principal.
    pub(crate) automation: Uuid,
}

impl Office {
    pub(crate) fn new(
        config: &Config,
        world: &World,
        named: Vec<(&'static str, &'static str, Uuid)>,
        automation: Uuid,
        now: DateTime<Utc>,
    ) -> Self {
        let origin = Origin { seed: world.seed, began: account::day(now), has_office: config.office365 };
        Self {
            origin,
            named,
            users: config.users.into(),
            groups: config.groups.into(),
            added_users: 0,
            added_groups: 0,
            changed: 0,
            accounts: BTreeMap::new(),
            teams: BTreeMap::new(),
            token_generation: 0,
            automation,
        }
    }

    /// The number of the last change.
    pub(crate) fn changed(&self) -> u64 {
        self.changed
    }

    fn next_change(&mut self) -> u64 {
        self.changed += 1;
        self.changed
    }

    /// The id of a device.
    pub(crate) fn device_id(&self, number: u64) -> Uuid {
        guid(self.origin.seed, "device", number)
    }
}
