//! Token buckets with Microsoft's numbers, and the Resource Graph quota.
//!
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling>
//! <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/guidance-for-throttled-requests>

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::reply::Reply;
use crate::state::lock;

/// Kinds of calls that have a bucket of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Read,
    Write,
    Delete,
}

impl Operation {
    pub(crate) fn of(method: &str) -> Self {
        match method {
            "GET" | "HEAD" => Self::Read,
            "DELETE" => Self::Delete,
            _ => Self::Write,
        }
    }

    fn size(self) -> f64 {
        if self == Self::Read { 250.0 } else { 200.0 }
    }

    fn refill(self) -> f64 {
        if self == Self::Read { 25.0 } else { 10.0 }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Delete => "deletes",
        }
    }
}

struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
    /// A call before this is not processed, whatever the bucket holds, and is told how long it still is. Microsoft
    /// says of such a call only that "a new retry value is returned": that it prolongs the wait is not documented,
    /// and would hurt clients with many threads, so it is not imitated.
    closed_until: Option<DateTime<Utc>>,
}

impl Bucket {
    /// Takes a token, or answers how many seconds to wait.
    fn take(&mut self, operation: Operation, factor: f64, now: DateTime<Utc>) -> Result<f64, f64> {
        let elapsed = (now - self.at).num_milliseconds().max(0);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
        let refilled = self.tokens + factor * operation.refill() * (elapsed as f64) / 1_000.0;
        self.tokens = refilled.min(factor * operation.size());
        self.at = now;
        if let Some(until) = self.closed_until.filter(|until| now < *until) {
            return Err(seconds(until - now));
        }
        if self.tokens < 1.0 {
            let wait = ((1.0 - self.tokens) / (factor * operation.refill())).ceil().max(1.0);
            #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
            let until = now + TimeDelta::seconds(wait as i64);
            self.closed_until = Some(until);
            return Err(wait);
        }
        self.tokens -= 1.0;
        Ok(self.tokens.floor())
    }
}

/// Whole seconds, as `Retry-After` counts.
fn seconds(left: TimeDelta) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
    let left = left.num_milliseconds() as f64;
    (left / 1_000.0).ceil().max(1.0)
}

/// How much larger the bucket of all principals together is.
const GLOBAL: f64 = 15.0;

struct Window {
    begun: DateTime<Utc>,
    used: u32,
}

/// Queries in one quota window, and how long it lasts.
const QUOTA: u32 = 15;
const QUOTA_WINDOW: TimeDelta = TimeDelta::seconds(5);

/// Who calls, at which subscription, and for what.
type Key = (Uuid, Option<Uuid>, Operation);

/// Every bucket, by who calls, where, and for what.
#[derive(Default)]
pub(crate) struct Throttle {
    buckets: Mutex<HashMap<Key, Bucket>>,
    windows: Mutex<HashMap<Uuid, Window>>,
}

impl Throttle {
    /// Takes a token for a call to Azure Resource Manager: the headers of its answer, or the refusal.
    pub(crate) fn take(
        &self,
        principal: Uuid,
        subscription: Option<Uuid>,
        operation: Operation,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, String)>, Reply> {
        let mut buckets = lock(&self.buckets);
        let mut take = |who, factor: f64| {
            let full = Bucket { tokens: factor * operation.size(), at: now, closed_until: None };
            buckets.entry((who, subscription, operation)).or_insert(full).take(operation, factor, now)
        };
        let global = subscription.map(|_| take(Uuid::nil(), GLOBAL)).transpose();
        let taken = global.and_then(|global| Ok((global, take(principal, 1.0)?)));
        let (global, left) = taken.map_err(|wait| throttled(subscription, operation, wait))?;
        let scope = if subscription.is_some() { "subscription" } else { "tenant" };
        let mut headers =
            vec![(format!("x-ms-ratelimit-remaining-{scope}-{}", operation.plural()), format!("{left}"))];
        if let Some(global) = global {
            let name = format!("x-ms-ratelimit-remaining-subscription-global-{}", operation.plural());
            headers.push((name, format!("{global}")));
        }
        Ok(headers)
    }

    /// Counts a Resource Graph query: the headers of its answer, or the refusal.
    pub(crate) fn query(&self, principal: Uuid, now: DateTime<Utc>) -> Result<Vec<(String, String)>, Reply> {
        let mut windows = lock(&self.windows);
        let window = windows.entry(principal).or_insert(Window { begun: now, used: 0 });
        if now - window.begun >= QUOTA_WINDOW {
            *window = Window { begun: now, used: 0 };
        }
        let left = QUOTA_WINDOW - (now - window.begun);
        let resets = format!("00:00:{:02}", (left.num_milliseconds() + 999) / 1_000);
        if window.used == QUOTA {
            return Err(rate_limited(now)
                .header("x-ms-user-quota-remaining", "0")
                .header("x-ms-user-quota-resets-after", &resets));
        }
        window.used += 1;
        let remaining = (QUOTA - window.used).to_string();
        Ok(vec![
            ("x-ms-user-quota-remaining".to_owned(), remaining.clone()),
            ("x-ms-user-quota-resets-after".to_owned(), resets),
            ("x-ms-ratelimit-remaining-tenant-resource-requests".to_owned(), remaining),
        ])
    }
}

fn throttled(subscription: Option<Uuid>, operation: Operation, wait: f64) -> Reply {
    let (code, scope) = match subscription {
        Some(id) => ("SubscriptionRequestsThrottled", format!("subscription '{id}'")),
        None => ("TenantRequestsThrottled", "the tenant".to_owned()),
    };
    let message = format!(
        "Number of requests for {scope} and operation '{}' exceeded the backend storage limit. Please try again \
         after '{wait}' seconds.",
        operation.plural().to_uppercase()
    );
    Reply::error(429, code, &message).header("retry-after", &format!("{wait}"))
}

fn rate_limited(now: DateTime<Utc>) -> Reply {
    let body = serde_json::json!({ "error": {
        "code": "RateLimiting",
        "message": format!("Please provide below info when asking for support: timestamp = {}", now.to_rfc3339()),
        "details": [{
            "code": "RateLimiting",
            "message": "Client application has been throttled and should not attempt to repeat the request \
                        until an amount of time has elapsed.",
        }],
    } });
    Reply::json(429, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let throttle = Throttle::default();
        let now = DateTime::UNIX_EPOCH;
        let take = |at| throttle.take(Uuid::nil(), None, Operation::Read, at);
        assert_eq!((0..300).filter(|_| take(now).is_ok()).count(), 250);
        assert!(take(now + TimeDelta::milliseconds(80)).is_err(), "before Retry-After has passed");
        assert!(take(now + TimeDelta::milliseconds(900)).is_err(), "it still has not");
        assert!(
            take(now + TimeDelta::milliseconds(1_000)).is_ok(),
            "who asked too early does not wait longer"
        );
    }

    #[test]
    fn fifteen_queries_in_five_seconds() {
        let throttle = Throttle::default();
        let now = DateTime::UNIX_EPOCH;
        assert_eq!((0..20).filter(|_| throttle.query(Uuid::nil(), now).is_ok()).count(), 15);
        assert!(throttle.query(Uuid::nil(), now + QUOTA_WINDOW).is_ok());
    }
}
