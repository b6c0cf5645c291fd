//! A position in an ordered list, and the cursor that carries it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sea_orm::sea_query::Expr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Written into every cursor, so that a later form can be told from this one.
const VERSION: u8 = 1;

/// The last moment that both databases can tell.
const LAST_MOMENT: i64 = 253_402_300_799;

/// What rows are ordered by, before their ids decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A text.
    Text(String),
    /// A moment.
    Moment(DateTime<Utc>),
    /// A day.
    Day(NaiveDate),
    /// A number.
    Number(i64),
    /// An id.
    Id(Uuid),
}

impl Key {
    /// Whether a database can compare with it: a cursor comes back from outside, and may be anything.
    fn is_sound(&self) -> bool {
        match self {
            Self::Text(text) => !text.contains('\0'),
            Self::Moment(moment) => (0..=LAST_MOMENT).contains(&moment.timestamp()),
            Self::Day(day) => (1..=9999).contains(&day.year()),
            Self::Number(_) | Self::Id(_) => true,
        }
    }
}

impl From<Key> for Expr {
    fn from(key: Key) -> Self {
        match key {
            Key::Text(text) => Self::val(text),
            Key::Moment(moment) => Self::val(moment),
            Key::Day(day) => Self::val(day),
            Key::Number(number) => Self::val(number),
            Key::Id(id) => Self::val(id),
        }
    }
}

/// A position in a list: it outlives the row that it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The row's key.
    pub key: Key,
    /// The row's id.
    pub id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Cursor<'a> {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "o")]
    order: &'a str,
    #[serde(rename = "k")]
    key: Key,
    #[serde(rename = "i")]
    id: Uuid,
}

impl Position {
    /// The cursor of this position in the order of that name.
    pub fn write(&self, order: &str) -> String {
        let cursor = Cursor { version: VERSION, order, key: self.key.clone(), id: self.id };
        let json = serde_json::to_vec(&cursor).expect("texts, numbers and ids serialize");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// The position that `cursor` carries, if it is one in the order of that name.
    pub fn read(cursor: &str, order: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let cursor: Cursor<'_> = serde_json::from_slice(&json).ok()?;
        let fits = cursor.version == VERSION && cursor.order == order && cursor.key.is_sound();
        fits.then_some(Self { key: cursor.key, id: cursor.id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            "[^\\x00]{0,40}".prop_map(Key::Text),
            (0..=LAST_MOMENT, 0_u32..1_000_000_000)
                .prop_map(|(seconds, nanos)| Key::Moment(DateTime::from_timestamp(seconds, nanos).unwrap())),
            (0..=2_000_000_u32)
                .prop_map(|days| Key::Day(NaiveDate::default() + chrono::Days::new(days.into()))),
            any::<i64>().prop_map(Key::Number),
            any::<u128>().prop_map(|id| Key::Id(Uuid::from_u128(id))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_its_own_order_only(key in key(), id in any::<u128>()) {
            let position = Position { key, id: Uuid::from_u128(id) };
            let cursor = position.write("name");
            prop_assert_eq!(Position::read(&cursor, "name"), Some(position));
            prop_assert_eq!(Position::read(&cursor, "changed_at"), None);
        }

        #[test]
        fn anything_else_is_no_position(text in ".{0,80}") {
            prop_assert_eq!(Position::read(&text, "name"), None);
            prop_assert_eq!(Position::read(&URL_SAFE_NO_PAD.encode(text), "name"), None);
        }
    }

    #[test]
    fn what_a_database_would_choke_on_is_no_position() {
        let id = Uuid::from_u128(1);
        let never = DateTime::<Utc>::MAX_UTC;
        let moments = [Key::Moment(never), Key::Moment(DateTime::<Utc>::MIN_UTC)];
        let days = [Key::Day(NaiveDate::MAX), Key::Day(NaiveDate::MIN)];
        for key in [Key::Text("a\0b".to_owned())].into_iter().chain(moments).chain(days) {
            assert_eq!(Position::read(&Position { key, id }.write("name"), "name"), None);
        }
    }
}
