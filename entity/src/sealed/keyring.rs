//! The data keys as a process holds them: what secrets are sealed and opened with.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{EncryptionKeys, Key, KeyId, OpenError};
use crate::Clock;
use crate::data_key::{self, Purpose};

/// Why the data keys of a database cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyringError {
    /// None of the configured encryption keys is the one that a data key is sealed under.
    #[error(
        "the data key {data_key} is sealed under the encryption key {needed}, which is not configured; \
         configured: {configured}. Set TENANTRY_ENCRYPTION_KEY to the key with the id {needed}; or, if it \
         was replaced, add it to TENANTRY_FORMER_ENCRYPTION_KEYS until `tenantry keys rotate` has run"
    )]
    WrongEncryptionKey {
        /// The data key.
        data_key: String,
        /// The encryption key that opens it.
        needed: KeyId,
        /// The encryption keys that there are.
        configured: String,
    },
    /// A row of the table was altered.
    #[error(
        "the data key {0} was altered, or belongs to another database. Restore the table data_key from the \
         backup that belongs to this database"
    )]
    Altered(String),
    /// Rows of the table were deleted.
    #[error(
        "data keys of this database are missing: it holds what needs them, but not all of their rows. \
         Restore the table data_key from the backup that belongs to this database"
    )]
    Missing,
}

/// The data keys of an installation: the newest active one seals, all of them open. Cheap to clone; clones
/// share the keys, and see them renewed.
#[derive(Clone)]
pub struct Keyring {
    shared: Arc<Shared>,
}

struct Shared {
    encryption_keys: EncryptionKeys,
    clock: Clock,
    held: RwLock<Arc<Held>>,
}

/// At least one data key beside the root key, the newest last.
struct Held {
    root: Arc<Key>,
    data: Vec<DataKey>,
}

#[derive(Clone)]
struct DataKey {
    active_from: DateTime<Utc>,
    key: Arc<Key>,
}

impl Keyring {
    /// A ring without a database, whose data keys are derived from the keys given: the current one's seals,
    /// the former ones' still open.
    pub fn new(current: [u8; 32], former: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let encryption_keys = EncryptionKeys::new(current, []);
        let derived = |key: [u8; 32]| {
            let key = Key::told_by_digest(*Key::told_by_digest(key).derive("tenantry data key"));
            DataKey { active_from: DateTime::UNIX_EPOCH, key: Arc::new(key) }
        };
        let root = Key::told_by_digest(*Key::told_by_digest(current).derive("tenantry root key"));
        let mut data: Vec<_> = former.into_iter().map(derived).collect();
        data.push(derived(current));
        Self::assemble(encryption_keys, Clock::system(), Held { root: Arc::new(root), data })
    }

    /// The ring of the data keys in `rows`, as [`data_key::Entity::in_order`] finds them.
    pub fn holding(
        encryption_keys: EncryptionKeys,
        clock: Clock,
        rows: &[data_key::Model],
    ) -> Result<Self, KeyringError> {
        let held = Held::of(rows, &encryption_keys, None)?;
        Ok(Self::assemble(encryption_keys, clock, held))
    }

    fn assemble(encryption_keys: EncryptionKeys, clock: Clock, held: Held) -> Self {
        let held = RwLock::new(Arc::new(held));
        Self { shared: Arc::new(Shared { encryption_keys, clock, held }) }
    }

    /// Holds the data keys in `rows` from now on. Those that it held before need not be opened again, so a
    /// process goes on when a key was sealed again under an encryption key that it does not have.
    pub fn renew(&self, rows: &[data_key::Model]) -> Result<(), KeyringError> {
        let held = Held::of(rows, &self.shared.encryption_keys, Some(&self.held()))?;
        *self.shared.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
        Ok(())
    }

    /// Seals `secret` for the row named by `row`.
    pub fn seal(&self, secret: &[u8], row: &str) -> Vec<u8> {
        self.current().seal(secret, row)
    }

    /// Opens what [`Keyring::seal`] made for the same row.
    pub fn open(&self, sealed: &[u8], row: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let id = KeyId::of_sealed(sealed).ok_or(OpenError::Malformed)?;
        self.held().data_key(id).ok_or(OpenError::UnknownKey(id))?.open(sealed, row)
    }

    /// Opens a sealed text.
    pub fn open_text(&self, sealed: &[u8], row: &str) -> Result<SecretString, OpenError> {
        let bytes = self.open(sealed, row)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| OpenError::Malformed)?;
        Ok(SecretString::from(text.to_owned()))
    }

    /// What is sealed in `sealed`, sealed under the current data key.
    pub fn seal_again(&self, sealed: &[u8], row: &str) -> Result<Vec<u8>, OpenError> {
        Ok(self.seal(&self.open(sealed, row)?, row))
    }

    /// A key for another purpose, derived under `label` from the root key: it stays the same for good.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        *self.held().root.derive(label)
    }

    /// A key for another purpose, derived under `label` from the current data key, and that key's id: it ends
    /// with that key.
    pub fn derive_current(&self, label: &str) -> (KeyId, Zeroizing<[u8; 32]>) {
        let current = self.current();
        (current.id, current.derive(label))
    }

    /// What [`Keyring::derive_current`] answered while the data key `id` was current; none if that has been
    /// retired, or never was.
    pub fn derive_of(&self, id: KeyId, label: &str) -> Option<Zeroizing<[u8; 32]>> {
        self.held().data_key(id).map(|key| key.derive(label))
    }

    /// The id of the data key that seals now.
    pub fn current_id(&self) -> KeyId {
        self.current().id
    }

    /// The encryption keys of the configuration.
    pub fn encryption_keys(&self) -> &EncryptionKeys {
        &self.shared.encryption_keys
    }

    /// By a clock that is behind, no key may be active yet: then it is the oldest.
    fn current(&self) -> Arc<Key> {
        let (held, now) = (self.held(), self.shared.clock.now());
        let active = held.data.iter().rfind(|data| data.active_from <= now);
        Arc::clone(&active.unwrap_or(&held.data[0]).key)
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.shared.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn of(
        rows: &[data_key::Model],
        encryption_keys: &EncryptionKeys,
        before: Option<&Self>,
    ) -> Result<Self, KeyringError> {
        let known = |row: &data_key::Model| {
            let (before, id) = (before?, row.key_id()?);
            match row.purpose {
                Purpose::Root => Some(&before.root).filter(|root| root.id == id),
                Purpose::Secrets => before.data_key(id),
            }
        };
        let (mut root, mut data) = (None, Vec::new());
        for row in rows {
            let key = match known(row) {
                Some(key) => Arc::clone(key),
                None => Arc::new(encryption_keys.open(row)?),
            };
            match row.purpose {
                Purpose::Root => root = Some(key),
                Purpose::Secrets => data.push(DataKey { active_from: row.active_from, key }),
            }
        }
        let root = root.filter(|_| !data.is_empty()).ok_or(KeyringError::Missing)?;
        Ok(Self { root, data })
    }

    fn data_key(&self, id: KeyId) -> Option<&Arc<Key>> {
        self.data.iter().map(|data| &data.key).find(|key| key.id == id)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.held().data.iter().map(|data| data.key.id)).finish()
    }
}

#[cfg(test)]
mod tests;
