//! What Microsoft's answers say of the budgets that are left.

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::{Budget, Lane};

/// A quota that claims to hold for longer is not believed: the published window lasts five seconds.
const LONGEST_WINDOW: Duration = Duration::from_mins(5);

/// What an answer says of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// So many calls are left.
    pub remaining: u32,
    /// For so long that count holds, where there are windows.
    pub resets_after: Option<Duration>,
}

/// What the answer says of the lane, if anything.
pub(super) fn reading(lane: Lane, headers: &HeaderMap) -> Option<Reading> {
    if lane.budget == Budget::ResourceGraph {
        let remaining = number(headers, "x-ms-user-quota-remaining")?;
        return Some(Reading { remaining, resets_after: resets_after(headers) });
    }
    let remaining = bucket_remaining(lane, headers)?;
    Some(Reading { remaining, resets_after: None })
}

/// The smallest of the remaining counts that bind this lane.
fn bucket_remaining(lane: Lane, headers: &HeaderMap) -> Option<u32> {
    let scope = if lane.subscription.is_some() { "subscription" } else { "tenant" };
    let names: &[&str] = match lane.budget {
        Budget::ArmReads => &["reads", "global-reads", "resource-requests"],
        Budget::ArmWrites => &["writes", "global-writes"],
        Budget::ArmDeletes => &["deletes", "global-deletes"],
        Budget::Login | Budget::Graph | Budget::Report(_) | Budget::ResourceGraph | Budget::Consumption => {
            &[]
        }
    };
    names.iter().filter_map(|name| number(headers, &format!("x-ms-ratelimit-remaining-{scope}-{name}"))).min()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `x-ms-user-quota-resets-after`, as `hh:mm:ss`.
pub(crate) fn resets_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("x-ms-user-quota-resets-after")?.to_str().ok()?;
    let mut seconds = 0.0_f64;
    for part in text.trim().split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= LONGEST_WINDOW)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};
    use uuid::Uuid;

    use super::super::Principal;
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn lane(budget: Budget, subscription: Option<Uuid>) -> Lane {
        Lane { tenant: Uuid::nil(), subscription, budget, principal: Principal::App }
    }

    #[test]
    fn the_smallest_binding_budget_counts() {
        let answer = headers(&[
            ("x-ms-ratelimit-remaining-subscription-reads", "200"),
            ("x-ms-ratelimit-remaining-subscription-global-reads", "12"),
            ("x-ms-ratelimit-remaining-subscription-writes", "3"),
            ("x-ms-ratelimit-remaining-subscription-deletes", "150"),
            ("x-ms-ratelimit-remaining-subscription-global-deletes", "2999"),
            ("x-ms-ratelimit-remaining-tenant-reads", "1"),
        ]);
        let here = Some(Uuid::nil());
        let left = |budget, subscription| reading(lane(budget, subscription), &answer).map(|it| it.remaining);
        assert_eq!(left(Budget::ArmReads, here), Some(12));
        assert_eq!(left(Budget::ArmReads, None), Some(1));
        assert_eq!(left(Budget::ArmWrites, here), Some(3));
        assert_eq!(left(Budget::ArmDeletes, here), Some(150));
        assert_eq!(left(Budget::ArmDeletes, None), None);
        assert_eq!(left(Budget::Graph, None), None);
    }

    #[test]
    fn quotas_are_read() {
        let answer =
            headers(&[("x-ms-user-quota-remaining", "14"), ("x-ms-user-quota-resets-after", "00:00:05")]);
        let said = Reading { remaining: 14, resets_after: Some(Duration::from_secs(5)) };
        assert_eq!(reading(lane(Budget::ResourceGraph, None), &answer), Some(said));
        assert_eq!(reading(lane(Budget::ArmReads, None), &answer), None);
    }

    #[test]
    fn quota_times_are_read() {
        let time = |text| resets_after(&headers(&[("x-ms-user-quota-resets-after", text)]));
        assert_eq!(time("00:00:05"), Some(Duration::from_secs(5)));
        assert_eq!(time("00:02:03"), Some(Duration::from_secs(123)));
        assert_eq!(time("99999999:00:00"), None);
        assert_eq!(time("soon"), None);
        assert_eq!(time("-1"), None);
    }
}
