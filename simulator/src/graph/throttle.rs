//! <https://learn.microsoft.com/en-us/graph/throttling-limits>: resource units of the directory, and requests for
//! reports.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

use super::handles::RetryAfter;
use super::{Asked, error};
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::lock;

/// In how many seconds a bucket of resource units fills.
const FILLS_IN: f64 = 10.0;
/// From which part of a limit on an answer says how much of it was used.
const WARNS_AT: f64 = 0.8;
/// Who says that it can wait has to wait from here on. (Microsoft says that it has to wait first, not from when on.)
const LOW_PRIORITY_AT: f64 = 0.9;

/// For each report, in ten minutes: of one app, and of all.
const REPORTS: usize = 14;
const REPORTS_OF_ALL: usize = 40;
const REPORTS_WINDOW: TimeDelta = TimeDelta::minutes(10);

struct Bucket {
    left: f64,
    at: DateTime<Utc>,
}

/// When each was made.
type Requests = VecDeque<DateTime<Utc>>;

/// Who used how much.
#[derive(Default)]
pub(crate) struct Throttle {
    /// By app.
    buckets: Mutex<HashMap<String, Bucket>>,
    /// By report and app; none: all apps.
    reports: Mutex<HashMap<(String, Option<String>), Requests>>,
}

/// What a call costs.
pub(super) fn cost(incoming: &Incoming, segments: &[&str]) -> u32 {
    let base: i32 = match segments {
        ["groups", _, "transitivemembers", ..] => 5,
        ["groups", _, "members", ..] | ["subscribedskus"] => 3,
        ["users"] | ["users", _, "licensedetails"] => 2,
        _ => 1,
    };
    let top = incoming.parameter("$top").and_then(|top| top.parse::<u32>().ok());
    let less =
        i32::from(incoming.parameter("$select").is_some()) + i32::from(top.is_some_and(|top| top < 20));
    u32::try_from((base - less).max(1)).unwrap_or(1)
}

/// By how many users the tenant has.
fn limit(users: u64) -> f64 {
    match users {
        0..50 => 3_500.0,
        50..=500 => 5_000.0,
        _ => 8_000.0,
    }
}

impl Throttle {
    /// Takes the units that a call costs: the headers of its answer, or the refusal.
    pub(super) fn take(&self, asked: &Asked<'_>, units: u32) -> Result<Vec<(String, String)>, Reply> {
        let mut headers = vec![("x-ms-resource-unit".to_owned(), units.to_string())];
        if !asked.dials.throttle {
            return Ok(headers);
        }
        let limit = asked.dials.graph_units.map_or_else(|| limit(asked.office().count_users()), f64::from);
        let mut buckets = lock(&self.buckets);
        let full = Bucket { left: limit, at: asked.now };
        let bucket = buckets.entry(asked.bearer.client.clone()).or_insert(full);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
        let elapsed = (asked.now - bucket.at).num_milliseconds().max(0) as f64 / 1_000.0;
        bucket.left = (bucket.left + elapsed * limit / FILLS_IN).min(limit);
        bucket.at = asked.now;
        let wanted = f64::from(units);
        let is_low =
            asked.incoming.header("x-ms-throttle-priority").is_some_and(|it| it.eq_ignore_ascii_case("low"));
        let kept = if is_low { limit * (1.0 - LOW_PRIORITY_AT) } else { 0.0 };
        if bucket.left - kept < wanted {
            let wait = (wanted + kept - bucket.left) * FILLS_IN / limit;
            return Err(too_many_units(asked, wait));
        }
        bucket.left -= wanted;
        let used = 1.0 - bucket.left / limit;
        if used > WARNS_AT {
            headers.push(("x-ms-throttle-limit-percentage".to_owned(), format!("{used:.2}")));
        }
        Ok(headers)
    }

    /// Counts a request for a report; what is refused counts as well.
    pub(super) fn count_report(&self, asked: &Asked<'_>, report: &str) -> Result<(), Reply> {
        if !asked.dials.throttle {
            return Ok(());
        }
        let mut reports = lock(&self.reports);
        let mut wait = None;
        for (app, most) in [(Some(asked.bearer.client.clone()), REPORTS), (None, REPORTS_OF_ALL)] {
            let made = reports.entry((report.to_owned(), app)).or_default();
            made.retain(|at| asked.now - *at < REPORTS_WINDOW);
            made.push_back(asked.now);
            // The one that must be too long ago for the next to be let in.
            if let Some(in_the_way) =
                made.len().checked_sub(most + 1).and_then(|_| made.iter().nth_back(most - 1))
            {
                wait = wait.max(Some(*in_the_way + REPORTS_WINDOW - asked.now));
            }
        }
        wait.map_or(Ok(()), |wait| {
            #[expect(clippy::cast_precision_loss, reason = "at most ten minutes")]
            let seconds = wait.num_milliseconds() as f64 / 1_000.0;
            Err(retried_after(asked, seconds, too_many("Too many requests for this report.")))
        })
    }
}

fn too_many(message: &str) -> Reply {
    error::refusal(429, "TooManyRequests", message)
}

fn too_many_units(asked: &Asked<'_>, wait: f64) -> Reply {
    let scope = format!("Tenant_Application/ReadWrite/{}/{}", asked.bearer.client, asked.bearer.tenant_id);
    let reply = too_many("Too many requests. Please try again later.")
        .header("x-ms-throttle-scope", &scope)
        .header("x-ms-throttle-information", "ResourceUnitLimitExceeded");
    retried_after(asked, wait, reply)
}

/// <https://learn.microsoft.com/en-us/graph/throttling>: seconds, of which there may be a fraction; some services
/// do not say.
fn retried_after(asked: &Asked<'_>, seconds: f64, reply: Reply) -> Reply {
    match asked.dials.retry_after {
        RetryAfter::Seconds => reply.header("retry-after", &format!("{}", seconds.ceil().max(1.0))),
        RetryAfter::Fraction => {
            reply.header("retry-after", &format!("{:.3}", seconds.ceil().max(1.0) + 0.128))
        }
        RetryAfter::Missing => reply,
    }
}
