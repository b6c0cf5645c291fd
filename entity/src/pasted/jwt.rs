//! A JWT that nobody has verified: whether nothing of it was cut off, and what it says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// How the base64 of every JSON object begins.
const OBJECT: &str = "eyJ";

/// What no algorithm that is known signs with fewer bytes than.
const SHORTEST_SIGNATURE: usize = 32;

/// A JWT that nobody has verified. It cannot be shown: claims name people.
pub struct Jwt(Map<String, Value>);

impl Jwt {
    /// Whether `text` is meant to be a JWT, or the rest of one.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(OBJECT) || text.contains(".eyJ")
    }

    /// Reads a whole one: three segments, the first two of them JSON objects, and a signature as long as its
    /// algorithm makes them. None: something of it is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let segments: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = segments[..] else { return None };
        let header = object(header)?;
        let claims = object(claims)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        is_whole(algorithm, signature.len()).then_some(Self(claims))
    }

    /// The claims of one that may be cut, if they are not.
    pub(super) fn claims_of(text: &str) -> Option<Self> {
        text.split('.').nth(1).and_then(object).map(Self)
    }

    /// A claim that is a text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim)?.as_str()
    }

    /// A claim that is a text or a whole number.
    pub fn text_or_number(&self, claim: &str) -> Option<String> {
        match self.0.get(claim)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => number.as_u64().map(|number| number.to_string()),
            _ => None,
        }
    }

    /// A claim that is a moment: seconds since 1970.
    pub fn moment(&self, claim: &str) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.0.get(claim)?.as_i64()?, 0)
    }
}

fn object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}

/// Whether a signature of this algorithm has so many bytes. RSA's are as long as the key: 2,048 bits at least.
fn is_whole(algorithm: &str, bytes: usize) -> bool {
    match algorithm {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => matches!(bytes, 256 | 384 | 512 | 1024),
        "HS256" => bytes == 32,
        "HS384" => bytes == 48,
        "HS512" | "ES256" | "ES256K" | "EdDSA" => bytes == 64,
        "ES384" => bytes == 96,
        "ES512" => bytes == 132,
        _ => bytes >= SHORTEST_SIGNATURE,
    }
}
