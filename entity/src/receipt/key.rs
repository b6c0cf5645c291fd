//! The key that receipts are signed with.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Keyring;

const LABEL: &str = "tenantry receipt signing key";

/// What the header of a signed statement says it is: nothing else of ours is taken for one.
pub const TYPE: &str = "tenantry-receipt+jwt";

/// The key of an installation. It is derived from the root key and stays the same for good, so that a receipt can be
/// checked years later.
pub struct ReceiptKey {
    pair: Ed25519KeyPair,
    public: Vec<u8>,
    id: String,
}

impl ReceiptKey {
    /// The key of the installation that has this keyring.
    pub fn of(keyring: &Keyring) -> Self {
        let seed = Zeroizing::new(keyring.derive(LABEL));
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).expect("any 32 bytes are a seed");
        let public = pair.public_key().as_ref().to_vec();
        // The thumbprint of RFC 7638: the members in this order, without white space.
        let x = URL_SAFE_NO_PAD.encode(&public);
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self { pair, public, id: URL_SAFE_NO_PAD.encode(thumbprint) }
    }

    /// By what the key is told: its thumbprint.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, as a JWK set (RFC 7517).
    pub fn public_set(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(&self.public);
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": x }] })
    }

    /// The payload and its signature, as a compact JWS (RFC 7515).
    pub(super) fn sign(&self, payload: &[u8]) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.id, "typ": TYPE }).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Whether `signature` is this key's. What the header says of the algorithm is not asked.
    pub(super) fn has_signed(&self, signed: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(signed.as_bytes(), signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_the_same_and_is_each_installations_own() {
        let (before, after) = (Keyring::new([1; 32], []), Keyring::new([1; 32], [[2; 32]]));
        let other = Keyring::new([2; 32], []);

        assert_eq!(ReceiptKey::of(&before).public_set(), ReceiptKey::of(&after).public_set());
        assert_ne!(ReceiptKey::of(&before).id(), ReceiptKey::of(&other).id());
    }
}
