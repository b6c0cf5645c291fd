//! <https://learn.microsoft.com/en-us/graph/api/resources/report>: how Office 365 is used, as CSV behind a redirect.

mod active_users;
mod apps;
mod csv;
mod download;
mod handles;
mod json;
mod mailbox;
mod onedrive;
mod sharepoint;
mod teams;
mod view;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

pub(crate) use download::{DOWNLOADS, download};
pub use handles::ReportMode;
use view::View;

use super::{Asked, error};
use crate::office::account;
use crate::office::activity::Day;
use crate::reply::Reply;
use crate::state::lock;

/// How many days a report is behind, usually.
const LATENESS: Day = 2;
/// From how many days ago on a single day can be asked for.
/// <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365activeuserdetail>
const DAYS: Day = 30;

/// How reports are made, and the links that lead to them.
pub(crate) struct Reporting {
    is_concealed: bool,
    mode: ReportMode,
    lateness: Day,
    /// How many requests are still to be refused for an incident.
    failures: u32,
    links: HashMap<String, download::Link>,
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            is_concealed: false,
            mode: ReportMode::Usual,
            lateness: LATENESS,
            failures: 0,
            links: HashMap::new(),
        }
    }
}

/// A row, by its columns; what there is of it depends on the report.
type Row = Vec<String>;

/// A report: its name, its columns as Microsoft's page lists them, and what its rows are.
struct Report {
    /// In lower case.
    name: &'static str,
    header: &'static str,
    /// Whether one day of it can be asked for.
    has_days: bool,
    rows: fn(&View<'_>, &mut dyn FnMut(Row)),
}

/// In the order of the navigation of Microsoft's pages.
static REPORTS: [Report; 8] = [
    active_users::DETAIL,
    active_users::COUNTS,
    active_users::SERVICES,
    mailbox::REPORT,
    onedrive::REPORT,
    sharepoint::REPORT,
    teams::REPORT,
    apps::REPORT,
];

/// What a report is about.
#[derive(Clone, Copy)]
enum Span {
    /// So many days until the last one that is known.
    Period(Day),
    Day(Day),
}

pub(super) fn answer(asked: &Asked<'_>, call: &str) -> Result<Reply, Reply> {
    if !asked.may(&["Reports.Read.All"]) {
        // <https://github.com/SharePoint/sp-dev-docs/issues/5845>
        return Err(error::refusal(403, "S2SUnauthorized", "Invalid permission."));
    }
    let (name, argument) = call.split_once('(').unwrap_or((call, ""));
    let name = name.to_lowercase();
    let report = REPORTS.iter().find(|report| report.name == name).ok_or_else(|| {
        error::refusal(400, "BadRequest", &format!("Resource not found for the segment '{call}'."))
    })?;
    asked.state.graph_throttle.count_report(asked, report.name)?;
    let mut reporting = lock(&asked.state.reporting);
    if reporting.failures > 0 {
        reporting.failures -= 1;
        return Err(error::incident());
    }
    let today = account::day(asked.now);
    let span = span(report, argument, today)?;
    let wants_json = asked.incoming.parameter("$format") == Some("application/json");
    if wants_json {
        let view = View::of(asked.state, &reporting, span, today);
        return json::answer(asked, report, &view);
    }
    let link = download::Link::new(asked.state, &reporting, report, span, asked.now);
    if asked.incoming.header("if-none-match").is_some_and(|tags| link.is_among(tags)) {
        return Ok(Reply::empty(304));
    }
    let place = reporting.keep(link, asked.now);
    let reply = Reply::raw(302, "text/plain", Vec::new());
    Ok(reply.header("location", &format!("{}{DOWNLOADS}{place}", asked.state.reports_url())))
}

impl Reporting {
    /// Keeps a link, and forgets those that are long dead; answers where it leads.
    fn keep(&mut self, link: download::Link, now: DateTime<Utc>) -> String {
        self.links.retain(|_, link| !link.is_forgotten(now));
        let place = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        self.links.insert(place.clone(), link);
        place
    }
}

/// `period='D7'` or `date=2026-01-31`.
fn span(report: &Report, argument: &str, today: Day) -> Result<Span, Reply> {
    let invalid = |message: &str| error::refusal(400, "BadRequest", message);
    let argument = argument.strip_suffix(')').unwrap_or_default();
    let (name, value) = argument.split_once('=').unwrap_or_default();
    let value = value.trim_matches('\'');
    if name.eq_ignore_ascii_case("period") {
        let days = [("D7", 7), ("D30", 30), ("D90", 90), ("D180", 180)];
        let found = days.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(value));
        return found.map(|(_, days)| Span::Period(days)).ok_or_else(|| {
            invalid("The value of the parameter 'period' is not valid. It is D7, D30, D90 or D180.")
        });
    }
    if name.eq_ignore_ascii_case("date") && report.has_days {
        let day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok().map(|date| {
            use chrono::Datelike;
            date.num_days_from_ce()
        });
        let is_recent = |day: &Day| (today - DAYS..=today).contains(day);
        return day.filter(is_recent).map(Span::Day).ok_or_else(|| {
            invalid("The value of the parameter 'date' is not valid. It is one of the last 30 days.")
        });
    }
    Err(invalid("The function takes other parameters."))
}

/// <https://learn.microsoft.com/en-us/graph/api/adminreportsettings-get>: in the envelope of its example, though
/// the entity alone is what others answer. The name says it: true means that names are concealed.
pub(super) fn settings(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&["ReportSettings.Read.All", "ReportSettings.ReadWrite.All"])?;
    let is_concealed = lock(&asked.state.reporting).is_concealed;
    Ok(Reply::json(
        200,
        &json!({ "value": {
        "@odata.type": "#microsoft.graph.adminReportSettings", "displayConcealedNames": is_concealed,
    } }),
    ))
}
