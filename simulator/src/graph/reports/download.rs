//! Where a report's redirect leads: a link that needs no token, and takes none.
//!
//! The page of each report says that the link is pre-authorised, needs no `Authorization` header and is valid for a
//! few minutes. What a link answers that is dead, unknown, or called with a token is not documented: here it is
//! 403, 404, and the 400 of Azure's storage to a signed address with a token.

use chrono::{DateTime, TimeDelta, Utc};

use super::view::View;
use super::{Report, ReportMode, Reporting, Span, csv};
use crate::office::account;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{State, lock};
use crate::world::mix;

/// How the path of every link begins.
pub(crate) const DOWNLOADS: &str = "/data/download/";

const LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// For how long a dead link is known to have been one.
const MEMORY: TimeDelta = TimeDelta::hours(1);

/// A link to a report.
#[derive(Clone)]
pub(crate) struct Link {
    report: &'static Report,
    span: Span,
    mode: ReportMode,
    made: DateTime<Utc>,
    tag: String,
}

impl Link {
    pub(super) fn new(
        state: &State,
        reporting: &Reporting,
        report: &'static Report,
        span: Span,
        now: DateTime<Utc>,
    ) -> Self {
        // Whatever the file is made from.
        let refreshed = account::day(now) - reporting.lateness;
        let (from, until) = match span {
            Span::Period(days) => (0, days),
            Span::Day(day) => (1, day),
        };
        let about = format!(
            "{} {refreshed} {from} {until} {} {:?} {}",
            report.name,
            reporting.is_concealed,
            reporting.mode,
            lock(&state.office).changed()
        );
        let hash = about.bytes().fold(state.world.seed, |sum, byte| mix(sum, byte.into()));
        let mode = reporting.mode.clone();
        Self { report, span, mode, made: now, tag: format!("\"{hash:016x}\"") }
    }

    /// Whether one of the tags of `If-None-Match` is this file's.
    pub(super) fn is_among(&self, tags: &str) -> bool {
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.tag)
    }

    pub(super) fn is_forgotten(&self, now: DateTime<Utc>) -> bool {
        now - self.made > MEMORY
    }
}

pub(crate) fn download(state: &State, incoming: &Incoming) -> Reply {
    let refuse = |status, message: &str| Reply::raw(status, "text/plain", message.as_bytes().to_vec());
    if incoming.authorization.is_some() {
        return refuse(400, "The address is signed: an Authorization header is not allowed with it.");
    }
    let reporting = lock(&state.reporting);
    let place = &incoming.path[DOWNLOADS.len().min(incoming.path.len())..];
    let Some(link) = reporting.links.get(place).filter(|_| incoming.method == "GET") else {
        return refuse(404, "There is no such file.");
    };
    if state.now() - link.made > LIFETIME {
        return refuse(403, "The address has expired.");
    }
    let view = View::of(state, &reporting, link.span, account::day(link.made));
    let body = csv::written(link.report, &view, &link.mode);
    Reply::raw(200, "application/octet-stream", body).header("etag", &link.tag)
}
