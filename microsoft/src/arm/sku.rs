//! Reads the `sku` member: an object with a name, and in old providers' rows a bare text.

use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

/// For serde: the SKU's name, if it has one.
pub(super) fn lenient_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Sku)
}

struct Sku;

impl<'de> Visitor<'de> for Sku {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SKU or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Some(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut name = None;
        while let Some(member) = map.next_key::<&str>()? {
            if member == "name" {
                name = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_known_by_its_name() {
        let name = |text: &str| lenient_name(&mut serde_json::Deserializer::from_str(text)).expect("a SKU");
        assert_eq!(
            name(r#"{"tier":"Premium","name":"Premium_LRS","capacity":2}"#).as_deref(),
            Some("Premium_LRS")
        );
        assert_eq!(name(r#"{"tier":"Free"}"#), None);
        assert_eq!(name(r#"{"name":null}"#), None);
        assert_eq!(name("null"), None);
        assert_eq!(name(r#""Basic""#).as_deref(), Some("Basic"));
    }
}
