//! The users of the directory, with what was changed of them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::account::{self, Account, NAMED};
use super::activity::Day;
use super::change::{Change, Presence, UserChange, removal};
use super::sku::{Licences, SKUS};
use super::{AccountChanges, Office, id, id_of};
use crate::world::mix;

impl Office {
    /// How many numbers users have, those of deleted ones included.
    pub(crate) fn user_numbers(&self) -> u64 {
        self.users + self.added_users
    }

    pub(crate) fn user_id(&self, number: u64) -> Uuid {
        let named = usize::try_from(number).ok().and_then(|index| self.named.get(index));
        named.map_or_else(|| id_of(self.origin.seed, "user", number), |(_, _, id)| *id)
    }

    pub(crate) fn user_number(&self, id: Uuid) -> Option<u64> {
        let named = self.named.iter().position(|(_, _, known)| *known == id).map(|index| index as u64);
        let number = named.or_else(|| id::number_of(self.origin.seed, "user", id));
        number.filter(|&number| number < self.user_numbers() && self.user_id(number) == id)
    }

    /// The user of this number, deleted or not.
    pub(crate) fn account(&self, number: u64) -> Account {
        let mut account = Account::of(self.origin, number, self.user_id(number));
        let named = usize::try_from(number).ok().filter(|_| number < NAMED);
        if let Some((key, name, _)) = named.and_then(|index| self.named.get(index)) {
            account = account.named(key, name);
        }
        if let Some(changes) = self.accounts.get(&number) {
            apply(changes, &mut account);
        }
        account
    }

    /// The user of this number, unless it was deleted.
    pub(crate) fn user(&self, number: u64) -> Option<Account> {
        self.is_user_here(number).then(|| self.account(number))
    }

    pub(crate) fn is_user_here(&self, number: u64) -> bool {
        let changes = self.accounts.get(&number);
        number < self.user_numbers() && changes.is_none_or(|changes| removal(&changes.presence).is_none())
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = Account> {
        (0..self.user_numbers()).filter_map(|number| self.user(number))
    }

    pub(crate) fn count_users(&self) -> u64 {
        let gone = self.accounts.values().filter(|changes| removal(&changes.presence).is_some());
        self.user_numbers() - gone.count() as u64
    }

    /// The user whom an id or a principal name names.
    pub(crate) fn find_user(&self, name: &str) -> Option<u64> {
        if let Ok(id) = Uuid::try_parse(name) {
            return self.user_number(id).filter(|&number| self.is_user_here(number));
        }
        self.users().find(|user| user.principal_name.eq_ignore_ascii_case(name)).map(|user| user.number)
    }

    /// Users that were changed after a change, each by the number of its last one.
    pub(crate) fn users_changed_since(&self, number: u64) -> Vec<(u64, u64)> {
        let all = self.accounts.iter().map(|(user, changes)| (changes.last(), *user));
        let mut new: Vec<_> = all.filter(|(last, _)| *last > number).collect();
        new.sort_unstable();
        new
    }

    pub(crate) fn account_changes(&self, number: u64) -> Option<&AccountChanges> {
        self.accounts.get(&number)
    }

    /// Why a user is not there; none: it is.
    pub(crate) fn user_removal(&self, number: u64) -> Option<&'static str> {
        removal(&self.accounts.get(&number)?.presence)
    }

    /// How many have each product.
    pub(crate) fn consumed_units(&self) -> [u64; SKUS.len()] {
        let mut consumed = [0; SKUS.len()];
        for number in (0..self.user_numbers()).filter(|&number| self.is_user_here(number)) {
            let licences = self.licences(number);
            for (index, count) in consumed.iter_mut().enumerate() {
                *count += u64::from(licences.has(index));
            }
        }
        consumed
    }

    fn licences(&self, number: u64) -> Licences {
        if self.accounts.contains_key(&number) {
            return self.account(number).licences;
        }
        account::licences(self.origin, number, mix(self.origin.seed ^ 0xacc0, number))
    }

    pub(super) fn add_user(&mut self, now: DateTime<Utc>) -> u64 {
        let number = self.user_numbers();
        self.added_users += 1;
        self.set_user_presence(number, Presence::Created(now));
        number
    }

    pub(super) fn change_user(&mut self, number: u64, what: UserChange) {
        let change = Change { number: self.next_change(), what };
        self.accounts.entry(number).or_default().properties.push(change);
    }

    pub(super) fn set_user_presence(&mut self, user: u64, what: Presence) {
        let change = Change { number: self.next_change(), what };
        self.accounts.entry(user).or_default().presence.push(change);
    }

    /// Users who came or went after a change, and the number of the change.
    pub(super) fn came_or_went_since(&self, number: u64) -> impl Iterator<Item = (u64, u64)> {
        let last = |changes: &AccountChanges| changes.presence.last().map(|change| change.number);
        let all = self.accounts.iter().filter_map(move |(user, changes)| Some((*user, last(changes)?)));
        all.filter(move |(_, at)| *at > number)
    }
}

fn apply(changes: &AccountChanges, account: &mut Account) {
    for change in &changes.properties {
        change.what.apply(account);
    }
    for change in &changes.presence {
        match change.what {
            Presence::Created(at) => {
                account.created = at;
                let today: Day = account::day(at);
                (account.activity.first, account.activity.last) = (today, None);
            }
            Presence::Deleted(at) | Presence::Purged(at) => account.deleted = Some(at),
            Presence::Restored => account.deleted = None,
        }
    }
    if let Some(deleted) = account.deleted {
        let last = account::day(deleted);
        account.activity.last = Some(account.activity.last.map_or(last, |known| known.min(last)));
    }
}
