//! Which key seals and opens, and what is said when none does.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;

use super::*;

const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn keys(current: [u8; 32]) -> EncryptionKeys {
    EncryptionKeys::new(current, [])
}

/// Root and one data key.
fn rows() -> Vec<data_key::Model> {
    let keys = keys(FIRST);
    let made = |purpose| keys.new_data_key(purpose, time(0), time(0));
    vec![made(Purpose::Root), made(Purpose::Secrets)]
}

/// A clock that the test moves.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let seconds = Arc::new(AtomicI64::new(0));
    let same = Arc::clone(&seconds);
    (Clock::from_fn(move || time(same.load(Ordering::SeqCst))), seconds)
}

fn ring(rows: &[data_key::Model]) -> Keyring {
    Keyring::holding(keys(FIRST), clock().0, rows).unwrap()
}

#[test]
fn a_wrong_encryption_key_is_told_by_the_ids_and_never_by_the_keys() {
    let refused = Keyring::holding(keys(SECOND), clock().0, &rows()).unwrap_err();

    let needed = keys(FIRST).current();
    assert!(matches!(refused, KeyringError::WrongEncryptionKey { needed: id, .. } if id == needed));
    let told = refused.to_string();
    assert!(told.contains(&needed.to_string()) && told.contains(&keys(SECOND).current().to_string()));
    assert!(!told.contains("01010101") && !told.contains("02020202"), "{told}");
}

#[test]
fn an_altered_row_is_told() {
    let alterations: [fn(&mut data_key::Model); 6] = [
        |row| row.id[0] ^= 1,
        |row| row.id.truncate(3),
        |row| *row.sealed_key.last_mut().unwrap() ^= 1,
        |row| row.sealed_key.truncate(8),
        |row| row.created_at += TimeDelta::microseconds(1),
        |row| row.active_from -= TimeDelta::microseconds(1),
    ];
    for (place, alter) in alterations.into_iter().enumerate() {
        let mut rows = rows();
        alter(&mut rows[1]);
        let refused = Keyring::holding(keys(FIRST), clock().0, &rows).unwrap_err();
        assert!(matches!(refused, KeyringError::Altered(_)), "{place}: {refused}");
    }
}

#[test]
fn a_row_of_another_purpose_or_two_rows_exchanged_are_told() {
    let (mut made_root, mut exchanged) = (rows(), rows());
    made_root[1].purpose = Purpose::Root;
    let sealed = exchanged[0].sealed_key.clone();
    exchanged[0].sealed_key = std::mem::replace(&mut exchanged[1].sealed_key, sealed);

    for rows in [made_root, exchanged] {
        let refused = Keyring::holding(keys(FIRST), clock().0, &rows).unwrap_err();
        assert!(matches!(refused, KeyringError::Altered(_)), "{refused}");
    }
}

#[test]
fn a_missing_row_is_told() {
    for rows in [&rows()[..1], &rows()[1..], &[]] {
        let refused = Keyring::holding(keys(FIRST), clock().0, rows).unwrap_err();
        assert_eq!(refused, KeyringError::Missing);
    }
}

#[test]
fn a_former_encryption_key_opens_and_the_current_one_takes_over() {
    let both = EncryptionKeys::new(SECOND, [FIRST]);
    let mut rows = rows();
    let sealed = ring(&rows).seal(b"token", "row");
    assert!(Keyring::holding(both.clone(), clock().0, &rows).unwrap().open(&sealed, "row").is_ok());

    for row in &mut rows {
        row.sealed_key = both.seal_again(row).unwrap().unwrap();
        assert_eq!(both.seal_again(row), Ok(None));
    }

    let ring = Keyring::holding(keys(SECOND), clock().0, &rows).unwrap();
    assert_eq!(ring.open(&sealed, "row").unwrap().as_slice(), b"token");
    assert!(Keyring::holding(keys(FIRST), clock().0, &rows).is_err());
}

#[test]
fn the_newest_key_seals_when_its_time_has_come_and_clones_know_it() {
    let (clock, seconds) = clock();
    let mut rows = rows();
    let ring = Keyring::holding(keys(FIRST), clock, &rows).unwrap();
    let clone = ring.clone();
    rows.push(keys(FIRST).new_data_key(Purpose::Secrets, time(0), time(10)));
    ring.renew(&rows).unwrap();

    let before = clone.current_id();
    seconds.store(10, Ordering::SeqCst);

    assert_eq!(Some(before), rows[1].key_id());
    assert_eq!(Some(clone.current_id()), rows[2].key_id());
    seconds.store(-100, Ordering::SeqCst);
    assert_eq!(clone.current_id(), before);
}

#[test]
fn a_retired_key_neither_opens_nor_derives_and_the_root_stays() {
    let mut rows = rows();
    let ring = ring(&rows);
    let (sealed, derived) = (ring.seal(b"token", "row"), ring.derive("audit"));
    let (former, signing) = ring.derive_current("sign");
    assert_eq!(ring.derive_of(former, "sign"), Some(signing));

    rows[1] = keys(FIRST).new_data_key(Purpose::Secrets, time(0), time(0));
    ring.renew(&rows).unwrap();

    assert_eq!(ring.open(&sealed, "row"), Err(OpenError::UnknownKey(former)));
    assert_eq!(ring.derive_of(former, "sign"), None);
    assert_eq!(ring.derive("audit"), derived);
    assert_ne!(ring.derive_current("audit").1.as_slice(), derived.as_slice());
}

#[test]
fn a_key_sealed_again_under_an_unknown_encryption_key_is_kept_and_a_new_one_is_told() {
    let mut rows = rows();
    let ring = ring(&rows);
    let sealed = ring.seal(b"token", "row");
    let both = EncryptionKeys::new(SECOND, [FIRST]);
    for row in &mut rows {
        row.sealed_key = both.seal_again(row).unwrap().unwrap();
    }
    ring.renew(&rows).unwrap();

    rows.push(both.new_data_key(Purpose::Secrets, time(0), time(0)));

    assert!(matches!(ring.renew(&rows), Err(KeyringError::WrongEncryptionKey { .. })));
    assert!(ring.open(&sealed, "row").is_ok());
}

#[test]
fn without_a_database_the_same_keys_make_the_same_ring() {
    let sealed = Keyring::new(FIRST, []).seal(b"token", "row");

    assert!(Keyring::new(SECOND, [FIRST]).open_text(&sealed, "row").is_ok());
    assert!(matches!(Keyring::new(SECOND, []).open_text(&sealed, "row"), Err(OpenError::UnknownKey(_))));
    assert_eq!(Keyring::new(FIRST, []).derive("audit"), Keyring::new(FIRST, [SECOND]).derive("audit"));
    assert!(!format!("{:?}", Keyring::new(FIRST, [])).contains("1, 1"));
}
