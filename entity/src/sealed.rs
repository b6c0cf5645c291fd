//! Secrets at rest: AES-256-GCM under a named key, bound to the row they belong to.
//!
//! A sealed value is `version (1) / key id (4) / nonce (12) / ciphertext and tag`. The row's identity is
//! part of the associated data, so a value copied to another row does not open.
//!
//! Secrets are sealed under data keys, which a rotation replaces; data keys are sealed under the encryption
//! key of the configuration, which never touches a secret.

mod column;
mod encryption_keys;
mod keyring;

use std::fmt;
use std::str::FromStr;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use column::SealedColumn;
pub use encryption_keys::EncryptionKeys;
pub use keyring::{Keyring, KeyringError};

const VERSION: u8 = 2;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const NAMED: usize = 1 + KEY_ID;
const HEADER: usize = NAMED + NONCE;

/// By what a key is told: eight hexadecimal digits that say nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KEY_ID]);

impl KeyId {
    /// Of the key that `sealed` was sealed under; none: it is not one of ours.
    pub fn of_sealed(sealed: &[u8]) -> Option<Self> {
        (sealed.len() >= HEADER && sealed[0] == VERSION).then(|| Self::from_bytes(&sealed[1..NAMED]))?
    }

    /// As it is stored.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As it is stored.
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        let whole = text.len() == 2 * KEY_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(text, 16).ok().filter(|_| whole);
        number.map(|number| Self(number.to_be_bytes())).ok_or(OpenError::Malformed)
    }
}

/// Why a sealed value did not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// The value is not one of ours, or was cut.
    #[error("the sealed value is malformed")]
    Malformed,
    /// It was sealed under a key that is not held.
    #[error("the sealed value needs the key {0}")]
    UnknownKey(KeyId),
    /// It was altered, or belongs to another row.
    #[error("the sealed value was altered or belongs to another row")]
    Rejected,
}

/// A key with its name. It is erased from memory when dropped.
struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    /// A key that is told by its digest: the same key has the same id everywhere.
    fn told_by_digest(bytes: [u8; 32]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self { id: KeyId(id), bytes: Zeroizing::new(bytes) }
    }

    fn random() -> Self {
        Self { id: KeyId(rand::random()), bytes: Zeroizing::new(rand::random()) }
    }

    fn seal(&self, secret: &[u8], row: &str) -> Vec<u8> {
        let named = [&[VERSION][..], &self.id.0].concat();
        let nonce: [u8; NONCE] = rand::random();
        let aad = [&named, row.as_bytes()].concat();
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: &aad })
            .expect("AES-GCM encrypts anything under 64 GiB");
        [&named[..], &nonce, &sealed].concat()
    }

    /// Opens what [`Key::seal`] made with this key, for the same row.
    fn open(&self, sealed: &[u8], row: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let id = KeyId::of_sealed(sealed).ok_or(OpenError::Malformed)?;
        if id != self.id {
            return Err(OpenError::UnknownKey(id));
        }
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&sealed[NAMED..HEADER]);
        let aad = [&sealed[..NAMED], row.as_bytes()].concat();
        let payload = Payload { msg: &sealed[HEADER..], aad: &aad };
        let opened = self.cipher().decrypt(&Nonce::from(nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| OpenError::Rejected)
    }

    /// A key for another purpose (HKDF-SHA256) under `label`.
    fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.bytes.as_slice())
            .expand(label.as_bytes(), derived.as_mut_slice())
            .expect("32 bytes are within HKDF's limit");
        derived
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&aes_gcm::Key::<Aes256Gcm>::from(*self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::told_by_digest([3; 32])
    }

    #[test]
    fn opens_only_for_its_own_row() {
        let sealed = key().seal(b"token", "consent:1");

        assert_eq!(key().open(&sealed, "consent:2"), Err(OpenError::Rejected));
        assert_eq!(key().open(&sealed, "consent:1").unwrap().as_slice(), b"token");
    }

    #[test]
    fn of_the_first_version_is_malformed() {
        let mut sealed = key().seal(b"token", "row");
        sealed[0] = 1;

        assert_eq!(key().open(&sealed, "row"), Err(OpenError::Malformed));
    }

    #[test]
    fn derived_keys_differ_by_label_and_by_key() {
        let derived = [key().derive("a"), key().derive("b"), Key::random().derive("a")];

        assert!(derived[0] != derived[1] && derived[0] != derived[2] && derived[1] != derived[2]);
        assert_eq!(derived[0], key().derive("a"));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_and_any_cut_is_refused(secret: Vec<u8>, at: prop::sample::Index, bit in 0..8u8) {
            let sealed = key().seal(&secret, "row");
            let mut flipped = sealed.clone();
            flipped[at.index(sealed.len())] ^= 1 << bit;
            prop_assert!(key().open(&flipped, "row").is_err());
            prop_assert!(key().open(&sealed[..at.index(sealed.len())], "row").is_err());
        }

        #[test]
        fn what_is_sealed_under_another_key_names_it(secret: Vec<u8>) {
            let other = Key::random();
            let sealed = other.seal(&secret, "row");
            prop_assert_eq!(KeyId::of_sealed(&sealed), Some(other.id));
            prop_assert_eq!(key().open(&sealed, "row"), Err(OpenError::UnknownKey(other.id)));
        }

        #[test]
        fn ids_are_written_and_read(id: [u8; 4], text in ".*") {
            prop_assert_eq!(KeyId(id).to_string().parse::<KeyId>(), Ok(KeyId(id)));
            let read = text.parse::<KeyId>().map(|id| id.to_string());
            prop_assert!(read.is_err() || read == Ok(text.to_lowercase()));
        }
    }
}
