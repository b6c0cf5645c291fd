//! An issuer's metadata and signing keys: kept for a day, fetched again when a token names a key not among them.
//!
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>,
//! <https://learn.microsoft.com/en-us/entra/identity-platform/signing-key-rollover>.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;
use uuid::Uuid;

use crate::MicrosoftError;
use crate::error::codes;
use crate::http::{Http, decode};
use crate::login::request;

/// Microsoft's advice is to look once a day.
const MAX_AGE: Duration = Duration::from_hours(24);
/// Neither tokens with made-up key names nor an outage of the issuer must make us ask each time.
const SEARCH_INTERVAL: Duration = Duration::from_secs(30);
/// How soon an issuer that never answered is asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(3);
/// How long whoever presents a token is kept waiting for the issuer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One key, with the algorithm it is for: what a token's header claims does not count.
#[derive(Clone)]
pub(crate) struct Key {
    pub key: DecodingKey,
    pub algorithm: Algorithm,
    /// The issuer that may use it, as a template.
    pub issuer: Option<String>,
}

/// What an issuer says of itself, as far as it is used.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    /// For several of Entra's tenants a template, with `{tenantid}` in the tenant's place.
    pub issuer: String,
    pub jwks_uri: String,
    pub authorization_endpoint: Option<String>,
    pub token_endpoint: Option<String>,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

/// The metadata and the keys, as last published.
pub(crate) struct Published {
    pub metadata: Metadata,
    keys: HashMap<String, Key>,
    fetched_at: Instant,
}

impl Published {
    pub fn key(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }
}

/// An issuer as published at its address. The lock is held while it is asked, so that many who need a key ask
/// once.
pub(crate) struct Issuer {
    http: Http,
    address: Url,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    published: Option<Arc<Published>>,
    /// When newer keys were last looked for.
    searched_at: Option<Instant>,
}

impl Cache {
    /// Whether to ask the issuer before answering, for the key `id` if there is one.
    fn must_fetch(&mut self, id: Option<&str>, now: Instant) -> bool {
        let interval = match &self.published {
            None => RETRY_INTERVAL,
            Some(published) => {
                let old = now.duration_since(published.fetched_at) >= MAX_AGE;
                if !old && id.is_none_or(|id| published.keys.contains_key(id)) {
                    return false;
                }
                SEARCH_INTERVAL
            }
        };
        let searched_lately = self.searched_at.is_some_and(|at| now.duration_since(at) < interval);
        if !searched_lately {
            self.searched_at = Some(now);
        }
        !searched_lately
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Issuer {
    /// The issuer at `address`: what its tokens call it, or for Entra the address of several tenants.
    pub fn new(http: Http, address: Url) -> Self {
        Self { http, address, cache: Mutex::default() }
    }

    /// What the issuer publishes, with the key `id` in it if it is asked for and there is one.
    pub async fn published(&self, id: Option<&str>) -> Result<Arc<Published>, MicrosoftError> {
        let mut cache = self.cache.lock().await;
        let must_fetch = cache.must_fetch(id, Instant::now());
        match &cache.published {
            Some(known) if !must_fetch => return Ok(Arc::clone(known)),
            None if !must_fetch => return Err(unreachable("the issuer did not answer a moment ago")),
            _ => {}
        }
        let fetched = timeout(PATIENCE, self.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_| Err(unreachable("the issuer takes too long to answer")));
        match (fetched, &cache.published) {
            (Ok(fetched), known) => {
                if known.is_none() {
                    cache.searched_at = None;
                }
                Ok(Arc::clone(cache.published.insert(Arc::new(fetched))))
            }
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "an issuer's keys could not be fetched: the known ones are used");
                Ok(Arc::clone(known))
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<Published, MicrosoftError> {
        let mut address = self.address.clone();
        let path = format!("{}/.well-known/openid-configuration", address.path().trim_end_matches('/'));
        address.set_path(&path);
        let metadata: Metadata = self.get(address).await?;
        if !self.is_named(&metadata.issuer) {
            let message = format!("the issuer calls itself {}: configure it by that name", metadata.issuer);
            return Err(MicrosoftError::of(&codes::APPLICATION_MISCONFIGURED, message));
        }
        let set: KeySet = self.get(self.trusted(&metadata.jwks_uri)?).await?;
        let keys = set.keys.into_iter().filter_map(usable).collect();
        Ok(Published { metadata, keys, fetched_at: Instant::now() })
    }

    async fn get<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        url: Url,
    ) -> Result<T, MicrosoftError> {
        let lane = Uuid::new_v5(&Uuid::NAMESPACE_URL, self.address.as_str().as_bytes());
        decode(self.http.send(&request(Method::GET, url, lane)).await?.body).await
    }

    /// Whether `name` is the issuer that was configured, or Entra's template for several tenants.
    fn is_named(&self, name: &str) -> bool {
        let is_same = name.trim_end_matches('/') == self.address.as_str().trim_end_matches('/');
        let is_template = || {
            let name = Url::parse(&name.replace("{tenantid}", "any"));
            name.is_ok_and(|name| name.origin() == self.address.origin())
        };
        is_same || (name.contains("{tenantid}") && is_template())
    }

    /// An address that the issuer names: secrets are sent there, so it is one of https, or the issuer's own.
    pub fn trusted(&self, address: &str) -> Result<Url, MicrosoftError> {
        let url = Url::parse(address).ok();
        url.filter(|url| url.scheme() == "https" || url.origin() == self.address.origin()).ok_or_else(|| {
            MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the issuer names an unsafe address")
        })
    }
}

fn unreachable(message: &str) -> MicrosoftError {
    MicrosoftError::of(&codes::MICROSOFT_UNAVAILABLE, message)
}

/// Public keys for signatures; other kinds are for other purposes and no reason to refuse the set.
fn usable(published: Value) -> Option<(String, Key)> {
    let issuer = published["issuer"].as_str().map(str::to_owned);
    let jwk: Jwk = serde_json::from_value(published).ok()?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let algorithm = algorithm(&jwk)?;
    Some((jwk.common.key_id.clone()?, Key { key: DecodingKey::from_jwk(&jwk).ok()?, algorithm, issuer }))
}

/// The algorithm that a key is for; none: it is of no kind that is taken, or secret.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let named = match jwk.common.key_algorithm {
        None => None,
        Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
        Some(KeyAlgorithm::RS384) => Some(Algorithm::RS384),
        Some(KeyAlgorithm::RS512) => Some(Algorithm::RS512),
        Some(KeyAlgorithm::PS256) => Some(Algorithm::PS256),
        Some(KeyAlgorithm::ES256) => Some(Algorithm::ES256),
        Some(KeyAlgorithm::ES384) => Some(Algorithm::ES384),
        Some(KeyAlgorithm::EdDSA) => Some(Algorithm::EdDSA),
        Some(_) => return None,
    };
    let fitting = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => {
            vec![Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256]
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
        _ => return None,
    };
    named.map_or(fitting.first().copied(), |named| fitting.contains(&named).then_some(named))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A published set of one key.
    pub(crate) fn published(issuer: &str, jwk: Value) -> Published {
        let metadata = json!({ "issuer": issuer, "jwks_uri": "https://login.example/keys" });
        Published {
            metadata: serde_json::from_value(metadata).expect("metadata"),
            keys: [jwk].into_iter().filter_map(usable).collect(),
            fetched_at: Instant::now(),
        }
    }

    fn issuer(address: &str) -> Issuer {
        let clock: crate::Clock = Arc::new(|| chrono::DateTime::UNIX_EPOCH);
        Issuer::new(Http::new(clock).expect("a client"), Url::parse(address).expect("an address"))
    }

    #[test]
    fn only_public_keys_for_signatures_are_used() {
        let rsa = |changes: Value| {
            let mut jwk = json!({"kty":"RSA","use":"sig","kid":"a","n":"AQAB","e":"AQAB"});
            jwk.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            jwk
        };
        let point = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let good = [
            rsa(json!({})),
            rsa(json!({"alg":"RS512"})),
            json!({"kty":"EC","kid":"a","crv":"P-256","x":point,"y":point}),
        ];
        for jwk in good {
            assert_eq!(published("", jwk.clone()).keys.len(), 1, "{jwk}");
        }
        let bad = [
            rsa(json!({"use":"enc"})),
            rsa(json!({"alg":"HS256"})),
            rsa(json!({"alg":"ES256"})),
            rsa(json!({"kid":null})),
            json!({"kty":"oct","kid":"a","k":"AQAB"}),
            json!({"kty":"oct","kid":"a","k":"AQAB","alg":"HS256"}),
            json!({"kty":"new","kid":"a"}),
        ];
        for jwk in bad {
            assert_eq!(published("", jwk.clone()).keys.len(), 0, "{jwk}");
        }
    }

    #[test]
    fn an_unknown_key_is_looked_for_once_in_a_while() {
        let known = published("", json!({"kty":"RSA","kid":"known","n":"AQAB","e":"AQAB"}));
        let now = known.fetched_at;
        let mut cache = Cache { published: Some(Arc::new(known)), searched_at: None };
        assert!(!cache.must_fetch(Some("known"), now));
        assert!(!cache.must_fetch(None, now));
        assert!(cache.must_fetch(Some("new"), now));
        assert!(!cache.must_fetch(Some("newer"), now + SEARCH_INTERVAL / 2));
        assert!(cache.must_fetch(Some("newer"), now + SEARCH_INTERVAL));
        assert!(cache.must_fetch(Some("known"), now + MAX_AGE));
    }

    #[test]
    fn an_issuer_that_never_answered_is_not_asked_each_time() {
        let mut cache = Cache::default();
        let now = Instant::now();
        assert!(cache.must_fetch(None, now));
        assert!(!cache.must_fetch(None, now + RETRY_INTERVAL / 2));
        assert!(cache.must_fetch(None, now + RETRY_INTERVAL));
    }

    #[tokio::test]
    async fn an_issuer_goes_by_the_name_that_was_configured() {
        let entra = issuer("https://login.example/organizations/v2.0");
        assert!(entra.is_named("https://login.example/{tenantid}/v2.0"));
        assert!(!entra.is_named("https://login.example.evil/{tenantid}/v2.0"));
        assert!(!entra.is_named("https://login.example/other/v2.0"));
        let other = issuer("https://accounts.example");
        assert!(other.is_named("https://accounts.example"));
        assert!(other.is_named("https://accounts.example/"));
        assert!(!other.is_named("https://accounts.example/more"));
    }

    #[tokio::test]
    async fn secrets_are_sent_to_safe_addresses_only() {
        let issuer = issuer("http://127.0.0.1:8080/");
        assert!(issuer.trusted("https://keys.example/").is_ok());
        assert!(issuer.trusted("http://127.0.0.1:8080/keys").is_ok());
        for unsafe_address in ["http://127.0.0.1:8081/", "http://keys.example/", "file:///etc/passwd", "keys"]
        {
            assert!(issuer.trusted(unsafe_address).is_err(), "{unsafe_address}");
        }
    }
}
