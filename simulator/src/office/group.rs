//! <https://learn.microsoft.com/en-us/graph/api/resources/group>: one group of the directory and who is in it,
//! computed from the seed and a number.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::account::is_guest;
use crate::login::HOME_DOMAIN;
use crate::world::mix;

/// What kind of group it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With a mailbox, a site, and perhaps a team.
    Microsoft365,
    Security,
    /// Whose members a rule names.
    Dynamic,
    MailSecurity,
}

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) created: DateTime<Utc>,
    pub(crate) luck: u64,
    pub(crate) deleted: Option<DateTime<Utc>>,
}

/// Who can be in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Member {
    User(u64),
    Group(u64),
    /// The other app registration's.
    ServicePrincipal,
    Device(u64),
}

/// The groups that are there for a purpose: two through which the group owner owns, everybody, nobody, and one of
/// every kind of member.
const KNOWN: [(&str, Kind); 5] = [
    ("Cloud owners", Kind::Security),
    ("Cloud owners and their groups", Kind::Security),
    ("All Company", Kind::Microsoft365),
    ("Nobody yet", Kind::Microsoft365),
    ("Automation and devices", Kind::Security),
];
pub(crate) const EVERYBODY: u64 = 2;
const NOBODY: u64 = 3;
const MIXED: u64 = 4;
/// The user who owns through a group in a group.
const GROUP_OWNER: u64 = 5;

const ABOUT: [&str; 8] =
    ["Budget", "Apollo", "Works Council", "Lunch", "Release", "Security", "Customers", "Facilities"];

impl Group {
    /// The group of this number, as the seed made it.
    pub(crate) fn of(seed: u64, number: u64, id: Uuid) -> Self {
        let luck = mix(seed ^ 0x6709, number);
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let (name, kind) = if let Some((name, kind)) = KNOWN.get(index) {
            ((*name).to_owned(), *kind)
        } else {
            let about = ABOUT[usize::try_from((luck >> 8) % 8).unwrap_or(0)];
            let kinds = [Kind::Microsoft365, Kind::Security, Kind::Microsoft365, Kind::Dynamic];
            let kind = [kinds[usize::try_from(luck % 4).unwrap_or(0)], Kind::MailSecurity]
                [usize::from((luck >> 4).is_multiple_of(9))];
            (format!("{about} {number}"), kind)
        };
        let days = i64::try_from((luck >> 16) % 1_800).unwrap_or(0);
        let created = DateTime::from_timestamp(1_451_606_400, 0).unwrap_or_default() + TimeDelta::days(days);
        Self { number, id, name, kind, created, luck, deleted: None }
    }

    pub(crate) fn has_mail(&self) -> bool {
        matches!(self.kind, Kind::Microsoft365 | Kind::MailSecurity)
    }

    pub(crate) fn alias(&self) -> String {
        let plain = |letter: &char| letter.is_ascii_alphanumeric();
        self.name.to_lowercase().chars().filter(plain).collect()
    }

    pub(crate) fn mail(&self) -> Option<String> {
        self.has_mail().then(|| format!("{}@{HOME_DOMAIN}", self.alias()))
    }
}

/// Who is in a group of the seed: a run of users, and before them at most four others.
#[derive(Clone, Copy)]
pub(crate) struct Roster {
    seed: u64,
    users: u64,
    first: u64,
    length: u64,
    others: [Option<Member>; 4],
    without_guests: bool,
}

impl Roster {
    pub(crate) fn of(seed: u64, number: u64, users: u64) -> Self {
        let luck = mix(seed ^ 0x6d62, number);
        let usual = if number.is_multiple_of(11) { 0 } else { (3 + luck % 38).min(users) };
        let inner = (number % 7 == 6).then_some(Member::Group(number / 2));
        let first = (luck >> 8).checked_rem(users).unwrap_or(0);
        let run = Self {
            seed,
            users,
            first,
            length: usual,
            others: [inner, None, None, None],
            without_guests: false,
        };
        match number {
            0 => Self { first: GROUP_OWNER, length: u64::from(users > GROUP_OWNER), ..run },
            1 => Self { length: 0, others: [Some(Member::Group(0)), None, None, None], ..run },
            EVERYBODY => Self { first: 0, length: users, without_guests: true, ..run },
            NOBODY => Self { length: 0, ..run },
            MIXED => Self {
                length: users.min(3),
                others: [
                    Some(Member::ServicePrincipal),
                    Some(Member::Device(0)),
                    Some(Member::Device(1)),
                    Some(Member::Group(0)),
                ],
                ..run
            },
            _ => run,
        }
    }

    /// Of a group that was added: nobody.
    pub(crate) fn empty(seed: u64) -> Self {
        Self { seed, users: 0, first: 0, length: 0, others: [None; 4], without_guests: false }
    }

    /// How many places there are; some are nobody's.
    pub(crate) fn places(&self) -> u64 {
        self.length + self.others.len() as u64
    }

    pub(crate) fn at(&self, place: u64) -> Option<Member> {
        let others = self.others.len() as u64;
        if place < others {
            return self.others[usize::try_from(place).ok()?];
        }
        let number = (self.first + (place - others)) % self.users.max(1);
        self.takes(number).then_some(Member::User(number))
    }

    pub(crate) fn has(&self, member: Member) -> bool {
        let Member::User(number) = member else { return self.others.contains(&Some(member)) };
        let place = (number + self.users).checked_sub(self.first).map(|place| place % self.users.max(1));
        number < self.users && place.is_some_and(|place| place < self.length) && self.takes(number)
    }

    fn takes(&self, number: u64) -> bool {
        !(self.without_guests && is_guest(self.seed, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_place_is_a_member_and_nobody_else() {
        for (number, users) in (0..40).flat_map(|number| [(number, 120), (number, 10), (number, 1)]) {
            let roster = Roster::of(7, number, users);
            let listed: Vec<_> = (0..roster.places()).filter_map(|place| roster.at(place)).collect();
            assert!(listed.iter().all(|&member| roster.has(member)), "group {number} of {users}");
            let counted = (0..users).filter(|&user| roster.has(Member::User(user))).count();
            let users_listed = listed.iter().filter(|member| matches!(member, Member::User(_))).count();
            assert_eq!(counted, users_listed, "group {number} of {users}");
        }
    }
}
