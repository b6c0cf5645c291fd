//! Receipts that were altered, cut, or signed by somebody else.

use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assume, proptest};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::Keyring;
use crate::receipt::Tally;
use crate::receipt::line::example;

fn key(byte: u8) -> ReceiptKey {
    ReceiptKey::of(&Keyring::new([byte; 32], []))
}

fn lines() -> Vec<Line> {
    (0..3).map(|index| Line { path: format!("/subscriptions/{index}"), ..example() }).collect()
}

fn statement() -> Statement {
    let text = |text: &str| Some(text.to_owned());
    let (calls_sha256, csv_sha256) = Tally::of(&lines()).hashes();
    Statement {
        iss: "https://tenantry.example".to_owned(),
        sub: format!("consent:{}", Uuid::from_u128(1)),
        iat: 1_764_000_000,
        organization: format!("organization:{}", Uuid::from_u128(2)),
        entra_tenant_id: Uuid::from_u128(3),
        consenting_user_id: Some(Uuid::from_u128(4)),
        granted_at: text("2026-11-24T09:30:00.000000Z"),
        window_closes_at: text("2026-11-24T10:30:00.000000Z"),
        erased_at: text("2026-11-24T09:40:00.000000Z"),
        closed_because: text("WORK_DONE"),
        is_final: true,
        call_count: 3,
        calls_sha256,
        csv_sha256,
    }
}

fn export(lines: &[Line], receipt: &str) -> String {
    json!({ "calls": lines, "receipt": receipt }).to_string()
}

fn sound() -> String {
    export(&lines(), &statement().sign(&key(1)))
}

#[test]
fn calls_that_were_altered_removed_doubled_or_moved_are_noticed() {
    let receipt = statement().sign(&key(1));
    let mut other = lines();
    other[1].status = Some(403);
    let swapped = [1, 0, 2].map(|index| lines()[index].clone());
    let doubled = [0, 0, 1, 2].map(|index| lines()[index].clone());
    for calls in [&other[..], &lines()[..2], &lines()[1..], &swapped, &doubled, &[]] {
        assert_eq!(read(&export(calls, &receipt), &key(1)), Err(Unsound::Altered), "{calls:?}");
    }
}

#[test]
fn another_key_cut_off_and_something_else_are_told_apart() {
    let (whole, jws) = (sound(), statement().sign(&key(1)));
    let other_kind = key(1).sign(b"{}");
    for (text, unsound) in [
        (export(&lines(), &statement().sign(&key(2))), Unsound::OtherKey),
        (whole[..whole.len() - 1].to_owned(), Unsound::Incomplete),
        (whole[..whole.len() / 2].to_owned(), Unsound::Incomplete),
        (jws[..jws.len() - 1].to_owned(), Unsound::Incomplete),
        (jws.rsplit_once('.').unwrap().0.to_owned(), Unsound::Incomplete),
        (other_kind, Unsound::NotRecognized),
        (String::new(), Unsound::NotRecognized),
        ("{}".to_owned(), Unsound::NotRecognized),
        ("tnt_nonsense".to_owned(), Unsound::NotRecognized),
        (json!({ "calls": lines() }).to_string(), Unsound::Altered),
    ] {
        assert_eq!(read(&text, &key(1)), Err(unsound), "{text}");
    }
}

#[test]
fn what_was_signed_is_read_with_its_calls_and_without_however_it_is_laid_out() {
    let jws = statement().sign(&key(1));
    let laid_out = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&sound()).unwrap()).unwrap();
    for (text, includes_calls) in [(sound(), true), (laid_out, true), (format!(" {jws}\n"), false)] {
        let receipt = read(&text, &key(1)).unwrap();
        assert_eq!(receipt, Receipt { statement: statement(), includes_calls });
    }
}

/// Every place in `value` that is no list and no object.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            (0..).zip(items).for_each(|(index, item)| leaves(item, &format!("{at}/{index}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| leaves(member, &format!("{at}/{name}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

proptest! {
    #[test]
    fn no_single_change_of_a_value_is_taken(which in any::<proptest::sample::Index>(), text in "[ -~]{0,12}", number in any::<i32>(), kind in 0..4) {
        let mut value: Value = serde_json::from_str(&sound()).unwrap();
        let mut places = Vec::new();
        leaves(&value, "", &mut places);
        let place = value.pointer_mut(which.get::<String>(&places)).unwrap();
        let new = match kind {
            0 => json!(text),
            1 => json!(number),
            2 => Value::Null,
            _ => json!(format!("{}{text}", place.as_str().unwrap_or_default())),
        };
        prop_assume!(*place != new);
        *place = new;
        // White space around the signed statement is nothing that it says.
        prop_assume!(value["receipt"].as_str().map(str::trim) != Some(statement().sign(&key(1)).as_str()) || value["calls"] != json!(lines()));
        prop_assert!(read(&value.to_string(), &key(1)).is_err());
    }

    #[test]
    fn no_single_changed_character_of_the_statement_is_taken(at in any::<proptest::sample::Index>(), new in "[A-Za-z0-9_.-]") {
        let jws = statement().sign(&key(1));
        let at = at.index(jws.len());
        prop_assume!(jws[at..=at] != new);
        let altered = format!("{}{new}{}", &jws[..at], &jws[at + 1..]);
        prop_assert!(read(&altered, &key(1)).is_err());
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        prop_assert_eq!(read(&text, &key(1)).ok(), None);
        let _ = read(&format!("{{\"calls\":[{text}"), &key(1));
    }
}
