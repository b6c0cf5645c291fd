//! What happens in the directory while the cloud runs, as an administrator there or a test wishes.

use uuid::Uuid;

use super::Office;
use super::account::Account;
use super::change::{Presence, UserChange};
use super::group::Member;
use crate::server::Simulator;
use crate::state::lock;

/// What a test may know of a user of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficeUser {
    /// The object id.
    pub id: Uuid,
    /// The name to sign in with.
    pub principal_name: String,
    /// The name that people see.
    pub display_name: String,
    /// The department.
    pub department: Option<String>,
    /// Whether the user may sign in.
    pub is_enabled: bool,
    /// Whether the user is at home elsewhere.
    pub is_guest: bool,
    /// The licences, by part number: `SPE_E3`, …
    pub licences: Vec<&'static str>,
}

impl OfficeUser {
    fn of(account: Account) -> Self {
        Self {
            id: account.id,
            licences: account.licences.skus().map(|sku| sku.part_number).collect(),
            principal_name: account.principal_name,
            display_name: account.display_name,
            department: account.department,
            is_enabled: account.is_enabled,
            is_guest: account.is_guest,
        }
    }
}

/// Who is put into a group, or taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupMember {
    /// A user, by object id.
    User(Uuid),
    /// Another group, by object id.
    Group(Uuid),
}

impl GroupMember {
    fn found(self, office: &Office) -> Option<Member> {
        match self {
            Self::User(id) => office.user_number(id).map(Member::User),
            Self::Group(id) => office.group_number(id).map(Member::Group),
        }
    }
}

impl Simulator {
    /// The user of the directory at this place, unless there is none or it was deleted. Those who can sign in come
    /// first.
    pub fn office_user(&self, number: u64) -> Option<OfficeUser> {
        lock(&self.state.office).user(number).map(OfficeUser::of)
    }

    /// Every user of the directory.
    pub fn office_users(&self) -> Vec<OfficeUser> {
        lock(&self.state.office).users().map(OfficeUser::of).collect()
    }

    /// The object id of the group at this place, unless there is none or it was deleted.
    pub fn office_group(&self, number: u64) -> Option<Uuid> {
        lock(&self.state.office).group(number).map(|group| group.id)
    }

    /// Adds a user, who has no group, and is in no report until it covers today.
    pub fn add_user(&self) -> Uuid {
        let mut office = lock(&self.state.office);
        let number = office.add_user(self.state.now());
        office.user_id(number)
    }

    /// Changes a user.
    pub fn change_user(&self, id: Uuid, change: UserChange) {
        let mut office = lock(&self.state.office);
        if let Some(number) = office.user_number(id) {
            office.change_user(number, change);
        }
    }

    /// Deletes a user, who can be had back.
    pub fn delete_user(&self, id: Uuid) {
        self.set_user_presence(id, Presence::Deleted(self.state.now()));
    }

    /// Deletes a user for good.
    pub fn purge_user(&self, id: Uuid) {
        self.set_user_presence(id, Presence::Purged(self.state.now()));
    }

    /// Has a deleted user back.
    pub fn restore_user(&self, id: Uuid) {
        self.set_user_presence(id, Presence::Restored);
    }

    fn set_user_presence(&self, id: Uuid, presence: Presence) {
        let mut office = lock(&self.state.office);
        if let Some(number) = office.user_number(id) {
            office.set_user_presence(number, presence);
        }
    }

    /// Adds a group, in which nobody is.
    pub fn add_group(&self, name: &str) -> Uuid {
        let mut office = lock(&self.state.office);
        let number = office.add_group(name, self.state.now());
        office.group_id(number)
    }

    /// Gives a group another name.
    pub fn rename_group(&self, id: Uuid, name: &str) {
        let mut office = lock(&self.state.office);
        if let Some(number) = office.group_number(id) {
            office.rename_group(number, name);
        }
    }

    /// Deletes a group, which can be had back.
    pub fn delete_group(&self, id: Uuid) {
        let mut office = lock(&self.state.office);
        if let Some(number) = office.group_number(id) {
            office.set_group_presence(number, Presence::Deleted(self.state.now()));
        }
    }

    /// Puts somebody into a group.
    pub fn add_member(&self, group: Uuid, member: GroupMember) {
        self.set_member(group, member, true);
    }

    /// Takes somebody out of a group.
    pub fn remove_member(&self, group: Uuid, member: GroupMember) {
        self.set_member(group, member, false);
    }

    fn set_member(&self, group: Uuid, member: GroupMember, is_in: bool) {
        let mut office = lock(&self.state.office);
        if let Some((group, member)) = office.group_number(group).zip(member.found(&office)) {
            office.set_member(group, member, is_in);
        }
    }

    /// Lets every delta token die that was issued so far.
    pub fn expire_delta_tokens(&self) {
        lock(&self.state.office).token_generation += 1;
    }
}
