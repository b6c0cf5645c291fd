//! The keys that sign tokens.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/signing-key-rollover>

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

/// No key could be made.
#[derive(Debug)]
pub(crate) struct StartKeysError;

/// The key that signs now; keys from before a rotation verify nothing any more.
pub(crate) struct Keys {
    current: Mutex<(usize, Arc<Key>)>,
}

impl Keys {
    pub(crate) fn generate() -> Result<Self, StartKeysError> {
        Ok(Self { current: Mutex::new((1, Arc::new(Key::generate(1)?))) })
    }

    /// Signs with a new key from now on, and publishes only that one.
    pub(crate) fn rotate(&self) -> Result<(), StartKeysError> {
        let mut current = lock(&self.current);
        let number = current.0 + 1;
        *current = (number, Arc::new(Key::generate(number)?));
        Ok(())
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let key = Arc::clone(&lock(&self.current).1);
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, &key.sign).unwrap_or_default()
    }

    /// The claims of a token that we signed; times and audience are the caller's to check.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let key = Arc::clone(&lock(&self.current).1);
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<Value>(token, &key.verify, &validation).ok().map(|token| token.claims)
    }

    /// The published key set.
    pub(crate) fn published(&self, issuer: &str) -> Value {
        let key = Arc::clone(&lock(&self.current).1);
        json!({ "keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.id, "x5t": key.id,
            "n": key.modulus, "e": key.exponent, "issuer": issuer,
        }] })
    }
}
