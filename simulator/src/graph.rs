//! Microsoft Graph: what an app may read of the tenant itself, permission by permission.
//!
//! <https://learn.microsoft.com/en-us/graph/api/overview>

mod batch;
mod delta;
mod error;
mod filter;
mod groups;
mod handles;
mod members;
mod organization;
mod query;
mod reports;
mod subscribed_skus;
mod throttle;
mod users;

use std::sync::MutexGuard;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use handles::RetryAfter;
pub use reports::ReportMode;
pub(crate) use reports::{DOWNLOADS, Reporting, download};
pub(crate) use throttle::Throttle;

use crate::office::Office;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{Dials, State, lock};
use crate::tokens::{Audience, Bearer, authenticate};

/// A call whose token is valid.
pub(super) struct Asked<'a> {
    state: &'a State,
    incoming: &'a Incoming,
    bearer: &'a Bearer,
    dials: Dials,
    now: DateTime<Utc>,
}

impl Asked<'_> {
    /// Whether the token has one of these application permissions.
    fn may(&self, wanted: &[&str]) -> bool {
        self.bearer.roles.iter().any(|role| wanted.contains(&role.as_str()))
    }

    fn must(&self, wanted: &[&str]) -> Result<(), Reply> {
        if self.may(wanted) { Ok(()) } else { Err(error::denied()) }
    }

    fn office(&self) -> MutexGuard<'_, Office> {
        lock(&self.state.office)
    }

    fn context(&self, what: &str) -> Value {
        json!(format!("{}/v1.0/$metadata#{what}", self.state.base_url()))
    }
}

pub(crate) fn answer(state: &State, incoming: &Incoming) -> Reply {
    let reply = match authenticate(state, incoming, Audience::Graph) {
        Ok(bearer) if incoming.method == "POST" && decoded(&incoming.path) == "/v1.0/$batch" => {
            batch::answer(state, incoming, &bearer)
        }
        Ok(bearer) => one(state, incoming, &bearer),
        Err(refusal) => refusal,
    };
    error::complete(state, incoming, reply)
}

/// Answers a call, or one of a batch.
fn one(state: &State, incoming: &Incoming, bearer: &Bearer) -> Reply {
    let asked = Asked { state, incoming, bearer, dials: state.dials(), now: state.now() };
    let path = decoded(&incoming.path);
    let segments: Vec<_> = path.trim_start_matches("/v1.0").trim_matches('/').split('/').map(plain).collect();
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    if let ["reports", report] = segments.as_slice() {
        return reports::answer(&asked, report).unwrap_or_else(|refusal| refusal);
    }
    let units = throttle::cost(incoming, &segments);
    let headers = match state.graph_throttle.take(&asked, units) {
        Ok(headers) => headers,
        Err(refusal) => return refusal,
    };
    let mut reply = route(&asked, &segments).unwrap_or_else(|refusal| refusal);
    reply.headers.extend(headers);
    reply
}

fn route(asked: &Asked<'_>, segments: &[&str]) -> Result<Reply, Reply> {
    if asked.incoming.method != "GET" {
        return Err(error::refusal(405, "Request_BadRequest", "Specified HTTP method is not allowed."));
    }
    match segments {
        ["organization"] => organization::list(asked),
        ["serviceprincipals", ..] => organization::service_principals(asked, segments),
        [name, ..] if name.starts_with("serviceprincipals(") => {
            organization::service_principals(asked, segments)
        }
        ["subscribedskus"] => subscribed_skus::list(asked),
        ["admin", "reportsettings"] => reports::settings(asked),
        ["users"] => users::list(asked),
        ["users", "$count"] => users::count(asked),
        ["users", "delta"] => delta::users(asked),
        ["users", user] => users::get(asked, user),
        ["users", user, "licensedetails"] => users::licence_details(asked, user),
        ["groups"] => groups::list(asked),
        ["groups", "$count"] => groups::count(asked),
        ["groups", "delta"] => delta::groups(asked),
        ["groups", group] => groups::get(asked, group),
        ["groups", group, kind @ ("members" | "transitivemembers"), rest @ ..] => {
            members::answer(asked, group, *kind == "transitivemembers", rest)
        }
        _ => {
            let segment = segments.first().copied().unwrap_or_default();
            let message = format!("Resource not found for the segment '{segment}'.");
            Err(error::refusal(400, "BadRequest", &message))
        }
    }
}

/// A path without its percent signs.
fn decoded(path: &str) -> String {
    let pair = format!("v={}", path.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A segment in one of its spellings: a function may be called with its namespace and with parentheses.
fn plain(segment: &str) -> String {
    let segment = segment.strip_suffix("()").unwrap_or(segment);
    let is_name = !segment.contains(['\'', '@']);
    let name = segment.strip_prefix("microsoft.graph.").or_else(|| segment.strip_prefix("graph."));
    match name {
        Some(name) if is_name => name.to_lowercase(),
        _ if is_name => segment.to_lowercase(),
        _ => segment.to_owned(),
    }
}
