use chrono::DateTime;
use proptest::prelude::*;
use sea_orm::Iterable;
use serde_json::json;

use super::super::{Action, Actor, ActorKind, Author, ObjectKind, Record};
use super::*;

fn key() -> ChainKey {
    ChainKey::of(&Keyring::new([1; 32], []))
}

fn author() -> Author {
    Author::unasked(Uuid::from_u128(1), Actor::Member(Uuid::from_u128(2)))
}

/// A chain of `length` events, and its head.
fn chain(length: usize) -> (Vec<Model>, audit_head::Model) {
    let (key, mut head) = (key(), audit_head::Model::new(&key(), author().organization_id));
    let now = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
    let events = (0..length).map(|index| {
        let record = Record::of(Action::ScanStarted, ObjectKind::Tenant, Uuid::from_u128(3));
        let event = Model::after(&key, &head, now, &author(), record.after(json!({ "index": index })));
        head = head.moved(&key, |head| {
            head.sequence = event.sequence;
            head.hash.clone_from(&event.hash);
        });
        event
    });
    (events.collect(), head)
}

fn walk(events: &[Model], head: &audit_head::Model) -> Result<(), Fault> {
    let key = key();
    let mut walk = Walk::begin(&key, head)?;
    events.iter().try_for_each(|event| walk.step(Some(event)))?;
    walk.end(head)
}

#[test]
fn each_kind_of_tampering_has_its_fault() {
    let (events, head) = chain(5);
    assert_eq!(walk(&events, &head), Ok(()));

    let mut altered = events.clone();
    altered[1].address = Some(String::new());
    assert_eq!(walk(&altered, &head), Err(Fault::Altered(2)));

    let mut gap = events.clone();
    gap.remove(2);
    assert_eq!(walk(&gap, &head), Err(Fault::Missing(3)));
    assert_eq!(walk(&events[1..], &head), Err(Fault::Missing(1)));

    let mut swapped = events.clone();
    swapped.swap(1, 2);
    (swapped[1].sequence, swapped[2].sequence) = (2, 3);
    assert_eq!(walk(&swapped, &head), Err(Fault::Altered(2)));

    assert_eq!(walk(&events[..3], &head), Err(Fault::Cut(4)));
    assert_eq!(walk(&[], &head), Err(Fault::Cut(1)));
    let (longer, _) = chain(6);
    let added = [&events[..], &longer[5..]].concat();
    assert!(matches!(walk(&added, &head), Err(Fault::Unlinked(6) | Fault::Added(6))));

    let before = head.moved(&key(), |head| (head.sequence, head.hash) = (4, events[3].hash.clone()));
    assert_eq!(walk(&events, &before), Err(Fault::Added(5)));

    // A real event of another line of history.
    let (other, _) = chain(5);
    let mut mixed = events.clone();
    mixed[3] = other[3].clone();
    assert_eq!(walk(&mixed, &head), Err(Fault::Unlinked(4)));
}

#[test]
fn a_head_that_was_moved_is_found_and_never_sealed_again() {
    let (events, head) = chain(3);
    let mut cut = head.clone();
    (cut.sequence, cut.hash) = (2, events[1].hash.clone());
    assert_eq!(walk(&events[..2], &cut), Err(Fault::HeadAltered));
    let mut begun_later = head.clone();
    (begun_later.pruned_sequence, begun_later.pruned_hash) = (1, events[0].hash.clone());
    assert_eq!(walk(&events[1..], &begun_later), Err(Fault::HeadAltered));

    let moved_on = cut.moved(&key(), |head| head.sequence = 3);

    assert!(!key().is_sealed(&moved_on));
    assert!(key().is_sealed(&head.moved(&key(), |head| head.sequence = 4)));
}

#[test]
fn another_key_knows_none_of_it() {
    let (events, head) = chain(1);
    let other = ChainKey::of(&Keyring::new([2; 32], []));
    assert!(!other.is_hashed(&events[0]) && !other.is_sealed(&head));
}

/// Reads back what [`Fields`] wrote. That this can be done shows that no two lists are written the same.
fn decode(mut encoded: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut fields = Vec::new();
    while let Some((present, rest)) = encoded.split_first() {
        encoded = rest;
        if *present == 0 {
            fields.push(None);
            continue;
        }
        let (length, rest) = encoded.split_first_chunk::<8>().unwrap();
        let (field, rest) = rest.split_at(usize::try_from(u64::from_be_bytes(*length)).unwrap());
        fields.push(Some(field.to_vec()));
        encoded = rest;
    }
    fields
}

fn text() -> impl Strategy<Value = Option<String>> {
    // Few letters, so that two events often differ only in where a field ends.
    prop::option::of("[a1\\x00]{0,3}")
}

fn event() -> impl Strategy<Value = Model> {
    let small = || (0..3_u128).prop_map(Uuid::from_u128);
    let kinds = (
        prop::sample::select(ActorKind::iter().collect::<Vec<_>>()),
        prop::sample::select(Action::iter().collect::<Vec<_>>()),
        prop::sample::select(ObjectKind::iter().collect::<Vec<_>>()),
    );
    let ids = (small(), small(), prop::option::of(small()), small());
    let numbers = (0..3_i64, 0..3_i64, 0..3_u32);
    let texts = (text(), text(), text(), text(), text());
    (kinds, ids, numbers, texts, prop::collection::vec(0..2_u8, 0..3)).prop_map(
        |(
            (actor_kind, action, object_kind),
            (id, organization_id, actor_id, object_id),
            (sequence, seconds, nanos),
            (before, after, address, request_id, microsoft_correlation_id),
            previous_hash,
        )| Model {
            id,
            organization_id,
            sequence,
            occurred_at: DateTime::from_timestamp(seconds, nanos).unwrap(),
            actor_kind,
            actor_id,
            action,
            object_kind,
            object_id,
            before,
            after,
            address,
            request_id,
            microsoft_correlation_id,
            previous_hash,
            hash: Vec::new(),
        },
    )
}

proptest! {
    #[test]
    fn no_two_events_are_written_the_same(one in event(), other in event()) {
        prop_assert_eq!(encode_event(&one) == encode_event(&other), one == other);
    }

    #[test]
    fn what_is_written_can_be_read_back(fields in prop::collection::vec(prop::option::of(any::<Vec<u8>>()), 0..20)) {
        let written = fields.iter().fold(Fields::default(), |written, field| written.with_option(field.as_ref()));
        prop_assert_eq!(decode(&written.0), fields);
    }

    #[test]
    fn every_field_of_an_event_is_written(event in event()) {
        let fields = decode(&encode_event(&event));
        // All columns but the hash, with the time in two fields, and the form.
        prop_assert_eq!(fields.len(), super::super::Column::iter().count() - 1 + 1 + 1);
    }
}
