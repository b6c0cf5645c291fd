//! What a report sees: the users and groups as they were on its last day, by name or concealed.

use uuid::Uuid;

use super::{Reporting, Span};
use crate::office::Office;
use crate::office::account::{self, Account};
use crate::office::activity::Day;
use crate::office::group::{Group, Kind};
use crate::state::{State, lock};
use crate::world::mix;

/// For how many days a deleted user is still in reports.
/// <https://learn.microsoft.com/en-us/microsoft-365/admin/activity-reports/activity-reports>
const REMEMBERED: Day = 30;

/// What a report sees.
pub(super) struct View<'a> {
    pub(super) office: std::sync::MutexGuard<'a, Office>,
    /// The last day that the report knows of.
    pub(super) refreshed: Day,
    pub(super) from: Day,
    pub(super) until: Day,
    /// As the column says it. (What it says of a single day is not documented.)
    pub(super) period: String,
    is_concealed: bool,
    /// Who alone is in it: those who were active on the one day that was asked for.
    pub(super) only_active: bool,
}

impl<'a> View<'a> {
    pub(super) fn of(state: &'a State, reporting: &Reporting, span: Span, today: Day) -> Self {
        let refreshed = today - reporting.lateness;
        let (from, until, period) = match span {
            Span::Period(days) => (refreshed - days + 1, refreshed, days),
            Span::Day(day) => (day, day.min(refreshed), 1),
        };
        Self {
            office: lock(&state.office),
            refreshed,
            from,
            until,
            period: period.to_string(),
            is_concealed: reporting.is_concealed,
            only_active: matches!(span, Span::Day(_)),
        }
    }

    /// Whoever has an Office 365 licence, since before the last day of the report.
    pub(super) fn users(&self) -> impl Iterator<Item = Account> {
        let all = (0..self.office.user_numbers()).map(|number| self.office.account(number));
        all.filter(|user| {
            let is_known = account::day(user.created) <= self.refreshed;
            let is_forgotten = user.deleted.is_some_and(|at| self.refreshed - account::day(at) > REMEMBERED);
            is_known && !is_forgotten && user.licences.are_reported()
        })
    }

    /// The groups that have a site.
    pub(super) fn sites(&self) -> impl Iterator<Item = Group> {
        let all = (0..self.office.group_numbers()).map(|number| self.office.any_group(number));
        all.filter(|group| group.kind == Kind::Microsoft365 && account::day(group.created) <= self.refreshed)
    }

    /// `Is Deleted` and `Deleted Date`.
    pub(super) fn deletion(&self, user: &Account) -> (String, String) {
        let deleted = user.deleted.map(account::day).filter(|&day| day <= self.refreshed);
        (truth(deleted.is_some()), deleted.map(account::date).unwrap_or_default())
    }

    pub(super) fn refresh_date(&self) -> String {
        account::date(self.refreshed)
    }

    /// A name, or what stands for it: the same in every report, and in no list of users. (That it has 32
    /// hexadecimal digits is what is seen, and not documented.)
    pub(super) fn name(&self, name: &str) -> String {
        if !self.is_concealed {
            return name.to_owned();
        }
        let hash =
            |salt| name.bytes().fold(mix(self.office.origin.seed, salt), |sum, byte| mix(sum, byte.into()));
        format!("{:016X}{:016X}", hash(0xc0), hash(0xc1))
    }

    pub(super) fn id(&self, id: Uuid) -> String {
        let id = id.to_string();
        if self.is_concealed { self.name(&id) } else { id }
    }

    /// An address, of which nothing is left where names are concealed.
    pub(super) fn address(&self, address: String) -> String {
        if self.is_concealed { String::new() } else { address }
    }
}

/// As most reports write it.
pub(super) fn truth(is_true: bool) -> String {
    if is_true { "True" } else { "False" }.to_owned()
}

/// As the reports of Teams and of Microsoft 365 Apps write it.
pub(super) fn yes(is_true: bool) -> String {
    if is_true { "Yes" } else { "No" }.to_owned()
}

/// Empty if there was none.
pub(super) fn date(day: Option<Day>) -> String {
    day.map(account::date).unwrap_or_default()
}
