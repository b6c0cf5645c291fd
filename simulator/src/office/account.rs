//! <https://learn.microsoft.com/en-us/graph/api/resources/user>: one user of the directory, computed from the seed
//! and a number.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::activity::{Activity, Day};
use super::sku::{Licences, Service};
use crate::login::{HOME_DOMAIN, HOME_INITIAL_DOMAIN};
use crate::world::mix;

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) number: u64,
    pub(crate) id: Uuid,
    pub(crate) given_name: String,
    pub(crate) surname: String,
    pub(crate) display_name: String,
    pub(crate) principal_name: String,
    pub(crate) mail: Option<String>,
    pub(crate) is_enabled: bool,
    pub(crate) is_guest: bool,
    pub(crate) department: Option<String>,
    pub(crate) job_title: Option<&'static str>,
    pub(crate) office: Option<&'static str>,
    pub(crate) usage_location: Option<&'static str>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) licences: Licences,
    pub(crate) activity: Activity,
    pub(crate) luck: u64,
    /// When it was deleted.
    pub(crate) deleted: Option<DateTime<Utc>>,
}

/// From what accounts are computed.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) seed: u64,
    /// The day on which the cloud began: some had stopped working by then.
    pub(crate) began: Day,
    /// Whether anybody has a licence.
    pub(crate) has_office: bool,
}

/// How many users can sign in; they are the first.
pub(crate) const NAMED: u64 = 9;

const GIVEN_NAMES: [&str; 20] = [
    "Ada",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hiro",
    "Ines",
    "Jos\u{e9}",
    "Karin",
    "Liam",
    "Maya",
    "Nils",
    "Oksana",
    "Priya",
    "Quentin",
    "Rosa",
    "S\u{f8}ren",
    "Thandi",
];
const SURNAMES: [&str; 20] = [
    "Adeyemi",
    "Bergstr\u{f6}m",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kim",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "O'Brien",
    "Papadakis",
    "Quist",
    "Rossi",
    "Smith",
    "Tanaka",
];
const DEPARTMENTS: [&str; 8] =
    ["Sales", "Engineering", "Finance", "HR", "IT", "Legal", "Operations", "Research & Development"];
const JOBS: [&str; 6] = ["Analyst", "Engineer", "Manager", "Director", "Consultant", "Assistant"];
const OFFICES: [&str; 4] = ["Amsterdam", "Berlin", "Chicago", "Dublin"];
const LOCATIONS: [&str; 4] = ["NL", "DE", "US", "IE"];

fn pick(luck: u64, shift: u32, from: &[&'static str]) -> &'static str {
    from[usize::try_from((luck >> shift) % from.len() as u64).unwrap_or(0)]
}

impl Account {
    /// The user of this number, as the seed made it.
    pub(crate) fn of(origin: Origin, number: u64, id: Uuid) -> Self {
        let luck = mix(origin.seed ^ 0xacc0, number);
        let (given_name, surname) = (pick(luck, 0, &GIVEN_NAMES), pick(luck, 8, &SURNAMES));
        let is_guest = is_guest(origin.seed, number);
        let is_enabled = !(luck >> 20).is_multiple_of(24);
        let created = created(luck);
        let mut account = Self {
            number,
            id,
            given_name: given_name.to_owned(),
            surname: surname.to_owned(),
            display_name: format!("{given_name} {surname}"),
            principal_name: String::new(),
            mail: None,
            is_enabled,
            is_guest,
            department: (!(luck >> 24).is_multiple_of(20)).then(|| pick(luck, 28, &DEPARTMENTS).to_owned()),
            job_title: Some(pick(luck, 32, &JOBS)),
            office: Some(pick(luck, 36, &OFFICES)),
            usage_location: Some(pick(luck, 36, &LOCATIONS)),
            created,
            licences: licences(origin, number, luck),
            activity: Activity::of(mix(luck, 1), day(created) + 1, last_day(origin, luck)),
            luck,
            deleted: None,
        };
        account.take_addresses(number);
        account
    }

    fn take_addresses(&mut self, number: u64) {
        let name = ascii(&format!("{}.{}{number}", self.given_name, self.surname));
        if self.is_guest {
            let mail = format!("{name}@fabrikam.example");
            self.principal_name = format!("{}#EXT#@{HOME_INITIAL_DOMAIN}", mail.replace('@', "_"));
            self.mail = Some(mail);
            (self.department, self.job_title, self.office) = (None, None, None);
            self.usage_location = None;
        } else {
            self.principal_name = format!("{name}@{HOME_DOMAIN}");
            let has_mailbox = self.licences.includes(Service::Exchange);
            self.mail = has_mailbox.then(|| self.principal_name.clone());
        }
    }

    /// Whose name people know, as those who can sign in.
    pub(crate) fn named(mut self, key: &str, name: &str) -> Self {
        let (given_name, surname) = name.split_once(' ').unwrap_or((name, ""));
        (self.given_name, self.surname) = (given_name.to_owned(), surname.to_owned());
        name.clone_into(&mut self.display_name);
        self.is_enabled = true;
        self.take_addresses(self.number);
        if !self.is_guest {
            self.principal_name = format!("{key}@{HOME_DOMAIN}");
            self.mail = self.mail.is_some().then(|| self.principal_name.clone());
        }
        self
    }

    pub(crate) fn uses(&self, service: Service) -> bool {
        self.licences.includes(service)
    }

    /// The last day of use of a service until a day, for which a licence is needed.
    pub(crate) fn last_use(&self, service: Service, until: Day) -> Option<Day> {
        self.activity.last_until(service, until).filter(|_| self.uses(service))
    }
}

/// The licences of a user of the seed; nothing else need be computed for them.
pub(crate) fn licences(origin: Origin, number: u64, luck: u64) -> Licences {
    if is_guest(origin.seed, number) || !origin.has_office {
        return Licences::default();
    }
    Licences::of(mix(luck, 2 ^ number))
}

/// Whether the seed made the user of this number a guest; of those who can sign in the last one is.
pub(crate) fn is_guest(seed: u64, number: u64) -> bool {
    if number < NAMED {
        return number + 1 == NAMED;
    }
    (mix(seed ^ 0xacc0, number) >> 16).is_multiple_of(15)
}

/// Some left, or forgot: between a week and fourteen months before the cloud began.
fn last_day(origin: Origin, luck: u64) -> Option<Day> {
    let has_left = (luck >> 44).is_multiple_of(7) || (luck >> 20).is_multiple_of(24);
    has_left.then(|| origin.began - 7 - Day::try_from((luck >> 48) % 410).unwrap_or(0))
}

/// In the five years from 2016 on.
fn created(luck: u64) -> DateTime<Utc> {
    let minutes = i64::try_from((luck >> 12) % (5 * 365 * 24 * 60)).unwrap_or(0);
    DateTime::from_timestamp(1_451_606_400, 0).unwrap_or_default() + TimeDelta::minutes(minutes)
}

/// The day of a moment.
pub(crate) fn day(at: DateTime<Utc>) -> Day {
    at.date_naive().num_days_from_ce()
}

/// `2026-01-31`.
pub(crate) fn date(day: Day) -> String {
    NaiveDate::from_num_days_from_ce_opt(day).map(|date| date.to_string()).unwrap_or_default()
}

/// A name as it is in an address.
fn ascii(name: &str) -> String {
    let plain = name.to_lowercase().replace(['\u{f6}', '\u{f8}'], "o").replace('\u{e9}', "e");
    plain.replace([' ', '\''], "")
}
