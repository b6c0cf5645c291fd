//! The keys that sign tokens.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/signing-key-rollover>

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use crate::state::lock;

struct Key {
    id: String,
    sign: EncodingKey,
    verify: DecodingKey,
    modulus: String,
    exponent: String,
}

impl Key {
    fn generate(number: usize) -> Result<Self, StartKeysError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| StartKeysError)?;
        let der = pair.as_der().map_err(|_| StartKeysError)?;
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let public = pair.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero();
        let exponent = public.exponent().big_endian_without_leading_zero();
        Ok(Self {
            id: format!("simulated-key-{number}"),
            sign: EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| StartKeysError)?,
            verify: DecodingKey::from_rsa_raw_components(modulus, exponent),
            modulus: URL_SAFE_NO_PAD.encode(modulus),
            exponent: URL_SAFE_NO_PAD.encode(exponent),
        })
    }
}

impl Key {
    fn published(&self, issuer: &str) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "x5t": self.id,
            "n": self.modulus, "e": self.exponent, "issuer": issuer,
        })
    }
}

/// No key could be made.
#[derive(Debug)]
pub(crate) struct StartKeysError;

/// The keys: the last one signs, the one before it still verifies.
pub(crate) struct Keys {
    known: Mutex<Vec<Arc<Key>>>,
    made: AtomicUsize,
}

impl Keys {
    pub(crate) fn generate() -> Result<Self, StartKeysError> {
        Ok(Self { known: Mutex::new(vec![Arc::new(Key::generate(1)?)]), made: AtomicUsize::new(1) })
    }

    /// Signs with a new key from now on; the one before stays published, those before that do not.
    pub(crate) fn rotate(&self) -> Result<(), StartKeysError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let key = Arc::new(Key::generate(number)?);
        let mut known = lock(&self.known);
        known.push(key);
        let published = known.len().min(2);
        let forgotten = known.len() - published;
        known.drain(..forgotten);
        Ok(())
    }

    fn current(&self) -> Option<Arc<Key>> {
        lock(&self.known).last().cloned()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let Some(key) = self.current() else { return String::new() };
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, &key.sign).unwrap_or_default()
    }

    /// The claims of a token that we signed; times and audience are the caller's to check.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = lock(&self.known).iter().find(|key| key.id == id).cloned()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<Value>(token, &key.verify, &validation).ok().map(|token| token.claims)
    }

    /// The published key set.
    pub(crate) fn published(&self, issuer: &str) -> Value {
        let keys = lock(&self.known).iter().map(|key| key.published(issuer)).collect::<Vec<_>>();
        json!({ "keys": keys })
    }
}
