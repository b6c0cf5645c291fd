//! Reads the `tags` member, which Azure leaves out, sets to null, or fills with null values.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

/// For serde: absent and null are no tags, a null value is an empty one.
pub(super) fn lenient<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_any(Tags)
}

struct Tags;

impl<'de> Visitor<'de> for Tags {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tags or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut tags = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
            tags.insert(name, value.unwrap_or_default());
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_may_be_missing_in_three_ways() {
        #[derive(serde::Deserialize)]
        struct Row {
            #[serde(default, deserialize_with = "lenient")]
            tags: BTreeMap<String, String>,
        }
        let tags = |text: &str| serde_json::from_str::<Row>(text).map(|row| row.tags);
        for text in ["{}", r#"{"tags":null}"#, r#"{"tags":{}}"#] {
            assert!(tags(text).is_ok_and(|tags| tags.is_empty()), "{text}");
        }
        assert_eq!(
            tags(r#"{"tags":{"Env":"Prod","empty":null}}"#).expect("tags"),
            BTreeMap::from([("Env".into(), "Prod".into()), ("empty".into(), String::new())])
        );
        assert!(tags(r#"{"tags":[]}"#).is_err());
    }
}
