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
use sha2::{Digest, Sha256};

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

    /// The same in the form of Microsoft Graph's tokens: what is signed has the hash of the header's nonce in its
    /// place, so that nobody but Graph can verify them.
    pub(crate) fn sign_for_graph(&self, claims: &Value) -> String {
        let Some(key) = self.current() else { return String::new() };
        let nonce = URL_SAFE_NO_PAD.encode(Sha256::digest(claims.to_string()));
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let header =
            |nonce: &str| part(&json!({ "typ": "JWT", "nonce": nonce, "alg": "RS256", "kid": key.id }));
        let claims = part(claims);
        let signed = format!("{}.{claims}", header(&hashed(&nonce)));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key.sign, Algorithm::RS256);
        format!("{}.{claims}.{}", header(&nonce), signature.unwrap_or_default())
    }

    /// The same in the form of enrollment keys, whose header names the signing key by its thumbprint alone.
    pub(crate) fn sign_by_thumbprint(&self, claims: &Value) -> String {
        let Some(key) = self.current() else { return String::new() };
        let mut header = Header::new(Algorithm::RS256);
        header.x5t = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, &key.sign).unwrap_or_default()
    }

    /// The claims of a token that we signed; times and audience are the caller's to check.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let id = header.kid.or(header.x5t)?;
        let key = lock(&self.known).iter().find(|key| key.id == id).cloned()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let token = if header.nonce.is_some() { &as_signed(token)? } else { token };
        jsonwebtoken::decode::<Value>(token, &key.verify, &validation).ok().map(|token| token.claims)
    }

    /// The published key set.
    pub(crate) fn published(&self, issuer: &str) -> Value {
        let keys = lock(&self.known).iter().map(|key| key.published(issuer)).collect::<Vec<_>>();
        json!({ "keys": keys })
    }
}

fn hashed(nonce: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(nonce))
}

/// A token of Graph's as it was signed.
fn as_signed(token: &str) -> Option<String> {
    let (header, rest) = token.split_once('.')?;
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let nonce = hashed(header["nonce"].as_str()?);
    header["nonce"] = json!(nonce);
    Some(format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string())))
}
