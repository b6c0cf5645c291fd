//! What was changed of the users and groups of the seed, and when.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::account::Account;
use super::group::{Group, Member};
use super::sku::Licences;

/// What somebody changes of a user.
#[derive(Clone, Debug)]
pub enum UserChange {
    /// The name that people see.
    DisplayName(String),
    /// The name to sign in with; the mail address follows it.
    PrincipalName(String),
    /// The department.
    Department(Option<String>),
    /// Whether the user may sign in.
    Enabled(bool),
    /// Exactly these licences, by part number: `SPE_E3`, …
    Licences(Vec<String>),
}

impl UserChange {
    /// The properties that it changes.
    pub(crate) fn properties(&self) -> &'static [&'static str] {
        match self {
            Self::DisplayName(_) => &["displayName"],
            Self::PrincipalName(_) => &["userPrincipalName", "mail", "mailNickname"],
            Self::Department(_) => &["department"],
            Self::Enabled(_) => &["accountEnabled"],
            Self::Licences(_) => &["assignedLicenses"],
        }
    }

    pub(crate) fn apply(&self, account: &mut Account) {
        match self {
            Self::DisplayName(name) => name.clone_into(&mut account.display_name),
            Self::PrincipalName(name) => {
                name.clone_into(&mut account.principal_name);
                account.mail = account.mail.is_some().then(|| name.clone());
            }
            Self::Department(department) => department.clone_into(&mut account.department),
            Self::Enabled(is_enabled) => account.is_enabled = *is_enabled,
            Self::Licences(part_numbers) => {
                let part_numbers: Vec<_> = part_numbers.iter().map(String::as_str).collect();
                account.licences = Licences::named(&part_numbers);
            }
        }
    }
}

/// Whether an object is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Presence {
    Created(DateTime<Utc>),
    Deleted(DateTime<Utc>),
    /// Deleted, and not to be had back.
    Purged(DateTime<Utc>),
    Restored,
}

/// A change, and its number.
#[derive(Clone, Debug)]
pub(crate) struct Change<T> {
    pub(crate) number: u64,
    pub(crate) what: T,
}

/// What was changed of a user.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountChanges {
    pub(crate) presence: Vec<Change<Presence>>,
    pub(crate) properties: Vec<Change<UserChange>>,
}

impl AccountChanges {
    /// The number of the last change.
    pub(crate) fn last(&self) -> u64 {
        last(&self.presence).max(last(&self.properties))
    }

    /// The properties that were changed after a change; none: the user came or went since.
    pub(crate) fn since(&self, number: u64) -> Option<Vec<&'static str>> {
        if last(&self.presence) > number {
            return None;
        }
        let new = self.properties.iter().filter(|change| change.number > number);
        Some(new.flat_map(|change| change.what.properties()).copied().collect())
    }
}

/// What was changed of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupChanges {
    pub(crate) presence: Vec<Change<Presence>>,
    pub(crate) name: Option<Change<String>>,
    /// Whether somebody is in it now.
    pub(crate) members: BTreeMap<Member, Change<bool>>,
}

impl GroupChanges {
    /// The number of the last change.
    pub(crate) fn last(&self) -> u64 {
        let name = self.name.as_ref().map_or(0, |change| change.number);
        let members = self.members.values().map(|change| change.number).max().unwrap_or(0);
        last(&self.presence).max(name).max(members)
    }

    /// Whether the group came, went or was renamed after a change.
    pub(crate) fn is_itself_new_since(&self, number: u64) -> bool {
        let name = self.name.as_ref().map_or(0, |change| change.number);
        last(&self.presence).max(name) > number
    }

    pub(crate) fn was_created_since(&self, number: u64) -> bool {
        let came = |change: &Change<Presence>| {
            change.number > number && matches!(change.what, Presence::Created(_) | Presence::Restored)
        };
        self.presence.iter().any(came)
    }

    pub(crate) fn apply(&self, group: &mut Group) {
        if let Some(name) = &self.name {
            name.what.clone_into(&mut group.name);
        }
        for change in &self.presence {
            match change.what {
                Presence::Created(at) => group.created = at,
                Presence::Deleted(at) | Presence::Purged(at) => group.deleted = Some(at),
                Presence::Restored => group.deleted = None,
            }
        }
    }
}

fn last<T>(changes: &[Change<T>]) -> u64 {
    changes.last().map_or(0, |change| change.number)
}

/// Whether it can be had back; none: it is there.
pub(crate) fn removal(presence: &[Change<Presence>]) -> Option<&'static str> {
    match presence.last()?.what {
        Presence::Deleted(_) => Some("changed"),
        Presence::Purged(_) => Some("deleted"),
        Presence::Created(_) | Presence::Restored => None,
    }
}
