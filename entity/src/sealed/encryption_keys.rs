//! The encryption keys of the configuration: what data keys are sealed under.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use zeroize::Zeroizing;

use super::{Key, KeyId, KeyringError, OpenError};
use crate::data_key::{self, Purpose};

/// As exactly as both databases keep it.
const DIGITS: u16 = 6;

/// The encryption keys of the configuration: the first seals data keys, all of them open.
#[derive(Clone)]
pub struct EncryptionKeys {
    keys: Arc<[Key]>,
}

impl EncryptionKeys {
    /// `current` seals, and `former` ones still open.
    pub fn new(current: [u8; 32], former: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self { keys: std::iter::once(current).chain(former).map(Key::told_by_digest).collect() }
    }

    /// The id of the key that seals.
    pub fn current(&self) -> KeyId {
        self.keys[0].id
    }

    /// The ids of all of them.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|key| key.id)
    }

    /// A new data key, which seals from `active_from` on.
    pub fn new_data_key(
        &self,
        purpose: Purpose,
        now: DateTime<Utc>,
        active_from: DateTime<Utc>,
    ) -> data_key::Model {
        let key = Key::random();
        let mut row = data_key::Model {
            id: key.id.to_vec(),
            purpose,
            sealed_key: Vec::new(),
            created_at: now.trunc_subsecs(DIGITS),
            active_from: active_from.trunc_subsecs(DIGITS),
        };
        row.sealed_key = self.keys[0].seal(key.bytes.as_slice(), &row.row());
        row
    }

    /// The data key of `row` sealed under the current key; none if it is already.
    pub fn seal_again(&self, row: &data_key::Model) -> Result<Option<Vec<u8>>, KeyringError> {
        if row.sealed_under() == Some(self.current()) {
            return Ok(None);
        }
        let key = self.open(row)?;
        Ok(Some(self.keys[0].seal(key.bytes.as_slice(), &row.row())))
    }

    /// The data key of `row`.
    pub(super) fn open(&self, row: &data_key::Model) -> Result<Key, KeyringError> {
        let altered = || KeyringError::Altered(row.name());
        let id = row.key_id().ok_or_else(altered)?;
        let needed = row.sealed_under().ok_or_else(altered)?;
        let mut opened = Err(OpenError::UnknownKey(needed));
        for key in self.keys.iter().filter(|key| key.id == needed) {
            opened = opened.or_else(|_| key.open(&row.sealed_key, &row.row()));
        }
        let bytes = opened.map_err(|error| match error {
            OpenError::UnknownKey(needed) => KeyringError::WrongEncryptionKey {
                data_key: row.name(),
                needed,
                configured: self.to_string(),
            },
            OpenError::Malformed | OpenError::Rejected => altered(),
        })?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| altered())?;
        Ok(Key { id, bytes: Zeroizing::new(bytes) })
    }
}

impl std::fmt::Display for EncryptionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.ids().map(|id| id.to_string()).collect::<Vec<_>>().join(", "))
    }
}

impl std::fmt::Debug for EncryptionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}
