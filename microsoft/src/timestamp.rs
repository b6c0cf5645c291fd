//! Reads Microsoft's timestamps: up to seven digits of a second, sometimes no zone, sometimes a space.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer};

/// The time, or nothing if it is none: a timestamp is never worth a resource.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let text = text.trim_end_matches(['Z', 'z']);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| time.and_utc())
}

/// For serde: absent, null and unreadable are all `None`.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| parse(&text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_spellings_seen() {
        let expected = parse("2026-03-16T18:13:07Z");
        assert!(expected.is_some());
        for text in ["2026-03-16T18:13:07", "2026-03-16 18:13:07Z", "2026-03-16T19:13:07+01:00"] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(
            parse("2026-03-16T18:13:07.5523873Z").map(|time| time.timestamp_subsec_nanos()),
            Some(552_387_300)
        );
        assert_eq!(parse("3/19/2023 8:55:46 AM"), None);
    }

    proptest! {
        #[test]
        fn any_fraction_is_read(digits in "[0-9]{1,9}") {
            let text = format!("2026-03-16T18:13:07.{digits}Z");
            prop_assert!(parse(&text).is_some());
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,40}") {
            parse(&text);
        }
    }
}
