//! Entra's signing keys: kept for a day, fetched again when a token names a key not among them.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/signing-key-rollover>.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::request;
use crate::http::decode;
use crate::{Login, MicrosoftError};

/// Microsoft's advice is to look once a day.
const MAX_AGE: Duration = Duration::from_hours(24);
/// Neither tokens with made-up key names nor an outage of Entra must make us ask each time.
const SEARCH_INTERVAL: Duration = Duration::from_secs(30);

/// One key, with the algorithm it is for: what a token's header claims does not count.
#[derive(Clone)]
pub(super) struct Key {
    pub key: DecodingKey,
    pub algorithm: Algorithm,
    /// The issuer that may use it, as a template.
    pub issuer: Option<String>,
}

/// The keys and the issuer, as last published.
pub(super) struct Published {
    pub issuer: String,
    keys: HashMap<String, Key>,
    fetched_at: Instant,
}

impl Published {
    pub fn key(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }
}

/// The cache. Its lock is held while Entra is asked, so that many who need a key ask once.
#[derive(Default)]
pub(super) struct Keys {
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    published: Option<Arc<Published>>,
    /// When newer keys were last looked for.
    searched_at: Option<Instant>,
}

impl Cache {
    /// Whether to ask Entra before answering for the key `id`.
    fn must_fetch(&mut self, id: &str, now: Instant) -> bool {
        let Some(published) = &self.published else {
            return true;
        };
        let old = now.duration_since(published.fetched_at) >= MAX_AGE;
        if !old && published.keys.contains_key(id) {
            return false;
        }
        let searched_lately = self.searched_at.is_some_and(|at| now.duration_since(at) < SEARCH_INTERVAL);
        if !searched_lately {
            self.searched_at = Some(now);
        }
        !searched_lately
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<PublishedKey>,
}

#[derive(Deserialize)]
struct PublishedKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    issuer: Option<String>,
}

impl Login {
    /// What Entra publishes, with the key `id` in it if there is one.
    pub(super) async fn published_keys(&self, id: &str) -> Result<Arc<Published>, MicrosoftError> {
        let mut cache = self.inner.keys.cache.lock().await;
        let must_fetch = cache.must_fetch(id, Instant::now());
        if let Some(known) = &cache.published
            && !must_fetch
        {
            return Ok(Arc::clone(known));
        }
        match (self.fetch_keys().await, &cache.published) {
            (Ok(fetched), _) => Ok(Arc::clone(cache.published.insert(Arc::new(fetched)))),
            (Err(error), Some(known)) => {
                tracing::warn!(error = %error, "Entra's keys could not be fetched: the known ones are used");
                Ok(Arc::clone(known))
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch_keys(&self) -> Result<Published, MicrosoftError> {
        let discovery = self.discover("organizations").await?;
        let url = self.inner.base.follow(&discovery.jwks_uri)?;
        let reply = self.inner.http.send(&request(Method::GET, url, Uuid::nil())).await?;
        let set: KeySet = decode(reply.body).await?;
        let keys = set.keys.into_iter().filter_map(usable).collect();
        Ok(Published { issuer: discovery.issuer, keys, fetched_at: Instant::now() })
    }
}

/// RSA keys for signatures; other kinds are for other purposes and no reason to refuse the set.
fn usable(published: PublishedKey) -> Option<(String, Key)> {
    if published.kty != "RSA" || published.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let algorithm = match published.alg.as_deref() {
        None | Some("RS256") => Algorithm::RS256,
        Some("RS384") => Algorithm::RS384,
        Some("RS512") => Algorithm::RS512,
        Some(_) => return None,
    };
    let key = DecodingKey::from_rsa_components(&published.n?, &published.e?).ok()?;
    Some((published.kid?, Key { key, algorithm, issuer: published.issuer }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A published set of one key.
    pub(in crate::login) fn published(issuer: &str, jwk: &str) -> Published {
        let keys = serde_json::from_str::<KeySet>(&format!(r#"{{"keys":[{jwk}]}}"#)).expect("a key set").keys;
        Published {
            issuer: issuer.to_owned(),
            keys: keys.into_iter().filter_map(usable).collect(),
            fetched_at: Instant::now(),
        }
    }

    #[test]
    fn only_rsa_keys_for_signatures_are_used() {
        let set = |jwk: &str| published("", jwk).keys.len();
        assert_eq!(set(r#"{"kty":"RSA","use":"sig","kid":"a","n":"AQAB","e":"AQAB"}"#), 1);
        assert_eq!(set(r#"{"kty":"RSA","use":"enc","kid":"a","n":"AQAB","e":"AQAB"}"#), 0);
        assert_eq!(set(r#"{"kty":"RSA","alg":"HS256","kid":"a","n":"AQAB","e":"AQAB"}"#), 0);
        assert_eq!(set(r#"{"kty":"oct","kid":"a","k":"AQAB"}"#), 0);
    }

    #[test]
    fn an_unknown_key_is_looked_for_once_in_a_while() {
        let known = published("", r#"{"kty":"RSA","kid":"known","n":"AQAB","e":"AQAB"}"#);
        let now = known.fetched_at;
        let mut cache = Cache { published: Some(Arc::new(known)), searched_at: None };
        assert!(!cache.must_fetch("known", now));
        assert!(cache.must_fetch("new", now));
        assert!(!cache.must_fetch("newer", now + SEARCH_INTERVAL / 2));
        assert!(cache.must_fetch("newer", now + SEARCH_INTERVAL));
        assert!(cache.must_fetch("known", now + MAX_AGE));
        assert!(Cache::default().must_fetch("known", now));
    }
}
