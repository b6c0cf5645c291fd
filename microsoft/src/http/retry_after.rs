//! Reads `Retry-After`: seconds, seconds with a fraction (Graph), or an HTTP date.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The least wait: Microsoft sometimes writes `0` and then refuses again.
pub(super) const LEAST: Duration = Duration::from_secs(1);
/// The longest wait that is believed; beyond it somebody's clock is wrong.
const LONGEST: Duration = Duration::from_hours(1);

/// How the EA reporting service says it when it throttles.
const OF_CONSUMPTION: &str = "x-ms-ratelimit-microsoft.consumption-retry-after";

/// How long the answer asks to wait.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER).or_else(|| headers.get(OF_CONSUMPTION));
    parse(asked?.to_str().ok()?, now)
}

fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse::<f64>() {
        // Negative, infinite and NaN are no durations.
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let until = DateTime::<Utc>::from(httpdate::parse_http_date(value).ok()?);
        (until - now).to_std().unwrap_or_default()
    };
    Some(wait.clamp(LEAST, LONGEST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-01-09T12:00:00Z").expect("a date").to_utc()
    }

    #[test]
    fn three_spellings() {
        assert_eq!(parse("17", noon()), Some(Duration::from_secs(17)));
        assert_eq!(parse(" 2.128 ", noon()), Some(Duration::from_millis(2128)));
        assert_eq!(parse("Fri, 09 Jan 2026 12:00:30 GMT", noon()), Some(Duration::from_secs(30)));
    }

    #[test]
    fn zero_past_and_absurd_are_bounded() {
        assert_eq!(parse("0", noon()), Some(LEAST));
        assert_eq!(parse("Fri, 09 Jan 2026 11:00:00 GMT", noon()), Some(LEAST));
        assert_eq!(parse("1e300", noon()).unwrap_or(LONGEST), LONGEST);
        assert_eq!(parse("-5", noon()), None);
        assert_eq!(parse("soon", noon()), None);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_the_wait_is_bounded(value in "\\PC{0,40}") {
            if let Some(wait) = parse(&value, noon()) {
                prop_assert!((LEAST..=LONGEST).contains(&wait));
            }
        }
    }
}
