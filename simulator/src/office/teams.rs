//! The groups of the directory and who is in them, with what was changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::change::{Change, GroupChanges, Presence, removal};
use super::group::{Group, Member, Roster};
use super::{Office, id, id_of};
use crate::world::guid;

/// The groups that role assignments know already.
const OF_ROLES: u64 = 2;

impl Office {
    /// How many numbers groups have, those of deleted ones included.
    pub(crate) fn group_numbers(&self) -> u64 {
        self.groups + self.added_groups
    }

    pub(crate) fn group_id(&self, number: u64) -> Uuid {
        if number < OF_ROLES {
            return guid(self.origin.seed, "group", number + 1);
        }
        id_of(self.origin.seed, "group", number)
    }

    pub(crate) fn group_number(&self, id: Uuid) -> Option<u64> {
        let known = (0..OF_ROLES).find(|&number| self.group_id(number) == id);
        let number = known.or_else(|| id::number_of(self.origin.seed, "group", id));
        number.filter(|&number| number < self.group_numbers() && self.group_id(number) == id)
    }

    /// The group of this number, deleted or not.
    pub(crate) fn any_group(&self, number: u64) -> Group {
        let mut group = Group::of(self.origin.seed, number, self.group_id(number));
        if let Some(changes) = self.teams.get(&number) {
            changes.apply(&mut group);
        }
        group
    }

    /// The group of this number, unless it was deleted.
    pub(crate) fn group(&self, number: u64) -> Option<Group> {
        self.is_group_here(number).then(|| self.any_group(number))
    }

    pub(crate) fn is_group_here(&self, number: u64) -> bool {
        number < self.group_numbers() && self.group_removal(number).is_none()
    }

    pub(crate) fn find_group(&self, id: &str) -> Option<u64> {
        let number = self.group_number(Uuid::try_parse(id).ok()?)?;
        self.is_group_here(number).then_some(number)
    }

    pub(crate) fn count_groups(&self) -> u64 {
        (0..self.group_numbers()).filter(|&number| self.is_group_here(number)).count() as u64
    }

    /// Why a group is not there; none: it is.
    pub(crate) fn group_removal(&self, number: u64) -> Option<&'static str> {
        removal(&self.teams.get(&number)?.presence)
    }

    /// Groups that were changed after a change, each by the number of its last one. Whoever is deleted leaves
    /// every group.
    pub(crate) fn groups_changed_since(&self, number: u64) -> Vec<(u64, u64)> {
        let own = self.teams.iter().map(|(group, changes)| (*group, changes.last()));
        let mut last: BTreeMap<u64, u64> = own.filter(|(_, last)| *last > number).collect();
        for (user, at) in self.came_or_went_since(number) {
            for group in (0..self.group_numbers()).filter(|&group| self.has_member(group, Member::User(user)))
            {
                let known = last.entry(group).or_default();
                *known = at.max(*known);
            }
        }
        let mut new: Vec<_> = last.into_iter().map(|(group, last)| (last, group)).collect();
        new.sort_unstable();
        new
    }

    /// Who came into a group after a change, or left it: true who is in it now.
    pub(crate) fn members_changed_since(&self, group: u64, number: u64) -> Vec<(Member, bool)> {
        let own = self.teams.get(&group).into_iter().flat_map(|changes| &changes.members);
        let new = own.filter(|(_, change)| change.number > number);
        let mut changed: BTreeMap<_, _> =
            new.map(|(member, change)| (*member, change.what && self.is_here(*member))).collect();
        for (user, _) in self.came_or_went_since(number) {
            if self.has_member(group, Member::User(user)) {
                changed.insert(Member::User(user), self.is_user_here(user));
            }
        }
        changed.into_iter().collect()
    }

    pub(crate) fn group_changes(&self, number: u64) -> Option<&GroupChanges> {
        self.teams.get(&number)
    }

    /// Who the seed put into a group.
    fn roster(&self, group: u64) -> Roster {
        if group < self.groups {
            Roster::of(self.origin.seed, group, self.users)
        } else {
            Roster::empty(self.origin.seed)
        }
    }

    /// Places of a group: those of the seed, then those of whoever was added.
    pub(crate) fn places(&self, group: u64) -> u64 {
        let changes = self.teams.get(&group).map_or(0, |changes| changes.members.len() as u64);
        self.roster(group).places() + changes
    }

    /// Who is at a place of a group, if anybody.
    pub(crate) fn member_at(&self, group: u64, place: u64) -> Option<Member> {
        let (roster, changes) = (self.roster(group), self.teams.get(&group));
        let member = if place < roster.places() {
            roster.at(place)?
        } else {
            let added = usize::try_from(place - roster.places()).ok()?;
            let member = changes?.members.keys().nth(added).copied()?;
            if roster.has(member) {
                return None;
            }
            member
        };
        let is_in = changes.and_then(|changes| changes.members.get(&member)).is_none_or(|change| change.what);
        (is_in && self.is_here(member)).then_some(member)
    }

    pub(crate) fn members(&self, group: u64) -> impl Iterator<Item = Member> {
        (0..self.places(group)).filter_map(move |place| self.member_at(group, place))
    }

    fn is_here(&self, member: Member) -> bool {
        match member {
            Member::User(number) => self.is_user_here(number),
            Member::Group(number) => self.is_group_here(number),
            Member::ServicePrincipal | Member::Device(_) => true,
        }
    }

    pub(crate) fn has_member(&self, group: u64, member: Member) -> bool {
        let changed = self.teams.get(&group).and_then(|changes| changes.members.get(&member));
        changed.map_or_else(|| self.roster(group).has(member), |change| change.what)
    }

    /// Everybody in a group, and in the groups in it, each once.
    pub(crate) fn transitive_members(&self, group: u64) -> Vec<Member> {
        let (mut found, mut groups, mut next) = (Vec::new(), vec![group], 0);
        while let Some(&group) = groups.get(next) {
            next += 1;
            for member in self.members(group) {
                if let Member::Group(inner) = member
                    && !groups.contains(&inner)
                {
                    groups.push(inner);
                }
                found.push(member);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(crate) fn member_id(&self, member: Member) -> Uuid {
        match member {
            Member::User(number) => self.user_id(number),
            Member::Group(number) => self.group_id(number),
            Member::ServicePrincipal => self.automation,
            Member::Device(number) => self.device_id(number),
        }
    }

    pub(super) fn add_group(&mut self, name: &str, now: DateTime<Utc>) -> u64 {
        let number = self.group_numbers();
        self.added_groups += 1;
        self.set_group_presence(number, Presence::Created(now));
        self.rename_group(number, name);
        number
    }

    pub(super) fn rename_group(&mut self, group: u64, name: &str) {
        let change = Change { number: self.next_change(), what: name.to_owned() };
        self.teams.entry(group).or_default().name = Some(change);
    }

    pub(super) fn set_group_presence(&mut self, group: u64, what: Presence) {
        let change = Change { number: self.next_change(), what };
        self.teams.entry(group).or_default().presence.push(change);
    }

    pub(super) fn set_member(&mut self, group: u64, member: Member, is_in: bool) {
        if self.has_member(group, member) != is_in {
            let change = Change { number: self.next_change(), what: is_in };
            self.teams.entry(group).or_default().members.insert(member, change);
        }
    }
}
