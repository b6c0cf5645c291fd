//! Secrets at rest: AES-256-GCM under a named key, bound to the row they belong to.
//!
//! A sealed value is `version (1) / key id (4) / nonce (12) / ciphertext and tag`. The row's identity is
//! the associated data, so a value copied to another row does not open.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const HEADER: usize = 1 + KEY_ID + NONCE;

/// Why a sealed value did not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// The value is not one of ours, or was cut.
    #[error("the sealed value is malformed")]
    Malformed,
    /// It was sealed under a key that this installation does not hold.
    #[error("the sealed value needs the encryption key {}", hex(.0))]
    UnknownKey([u8; KEY_ID]),
    /// It was altered, or belongs to another row.
    #[error("the sealed value was altered or belongs to another row")]
    Rejected,
}

/// The encryption keys of an installation: the first seals, all of them open.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<([u8; KEY_ID], Zeroizing<[u8; 32]>)>,
}

impl Keyring {
    /// A ring whose `current` key seals, and whose `former` keys still open.
    pub fn new(current: [u8; 32], former: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let keys = std::iter::once(current).chain(former).map(|key| (key_id(&key), Zeroizing::new(key)));
        Self { keys: keys.collect() }
    }

    /// Seals `secret` for the row named by `row`.
    pub fn seal(&self, secret: &[u8], row: &str) -> Vec<u8> {
        let (id, key) = &self.keys[0];
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret, aad: row.as_bytes() };
        let sealed = cipher(key)
            .encrypt(&Nonce::from(nonce), payload)
            .expect("AES-GCM encrypts anything under 64 GiB");
        [&[VERSION][..], id, &nonce, &sealed].concat()
    }

    /// Opens what [`Keyring::seal`] made for the same row.
    pub fn open(&self, sealed: &[u8], row: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if sealed.len() < HEADER || sealed[0] != VERSION {
            return Err(OpenError::Malformed);
        }
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&sealed[1..=KEY_ID]);
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&sealed[1 + KEY_ID..HEADER]);
        let (_, key) = self.keys.iter().find(|(known, _)| *known == id).ok_or(OpenError::UnknownKey(id))?;
        let payload = Payload { msg: &sealed[HEADER..], aad: row.as_bytes() };
        cipher(key).decrypt(&Nonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| OpenError::Rejected)
    }

    /// Opens a sealed text.
    pub fn open_text(&self, sealed: &[u8], row: &str) -> Result<SecretString, OpenError> {
        let bytes = self.open(sealed, row)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| OpenError::Malformed)?;
        Ok(SecretString::from(text.to_owned()))
    }

    /// A key for another purpose, derived from the current key (HKDF-SHA256) under `label`.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        let mut derived = [0; 32];
        Hkdf::<Sha256>::new(None, self.keys[0].1.as_slice())
            .expand(label.as_bytes(), &mut derived)
            .expect("32 bytes are within HKDF's limit");
        derived
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| hex(id))).finish()
    }
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key))
}

fn key_id(key: &[u8; 32]) -> [u8; KEY_ID] {
    let digest = Sha256::digest(key);
    let mut id = [0; KEY_ID];
    id.copy_from_slice(&digest[..KEY_ID]);
    id
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn opens_only_for_its_own_row() {
        let ring = Keyring::new([7; 32], []);
        let sealed = ring.seal(b"token", "consent:1");
        assert_eq!(ring.open(&sealed, "consent:2"), Err(OpenError::Rejected));
        assert_eq!(ring.open(&sealed, "consent:1").unwrap().as_slice(), b"token");
    }

    #[test]
    fn opens_with_a_former_key_and_names_an_unknown_one() {
        let sealed = Keyring::new([1; 32], []).seal(b"token", "row");
        assert!(Keyring::new([2; 32], [[1; 32]]).open(&sealed, "row").is_ok());
        assert!(matches!(Keyring::new([2; 32], []).open(&sealed, "row"), Err(OpenError::UnknownKey(_))));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_and_any_cut_is_refused(secret: Vec<u8>, at: prop::sample::Index, bit in 0..8u8) {
            let ring = Keyring::new([3; 32], []);
            let sealed = ring.seal(&secret, "row");
            let mut flipped = sealed.clone();
            flipped[at.index(sealed.len())] ^= 1 << bit;
            prop_assert!(ring.open(&flipped, "row").is_err());
            prop_assert!(ring.open(&sealed[..at.index(sealed.len())], "row").is_err());
        }
    }
}
