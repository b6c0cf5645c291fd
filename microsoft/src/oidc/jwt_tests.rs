//! Tokens that must not be believed, and some that must.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::oidc::keys::tests::published;

const TENANT: Uuid = Uuid::from_u128(1);
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
const ISSUER: &str = "https://login.example/{tenantid}/v2.0";
const NOW: i64 = 1_800_000_000;

struct Entra {
    keys: KeyPair,
}

impl Entra {
    fn new() -> Self {
        Self { keys: KeyPair::generate(KeySize::Rsa2048).expect("a key") }
    }

    fn published(&self) -> Published {
        let public = self.keys.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let jwk = json!({"kty":"RSA","use":"sig","kid":"k1","x5c":["x"],"n":n,"e":e,"issuer":ISSUER});
        published(ISSUER, jwk)
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.keys.public_modulus_len()];
        self.keys
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn header() -> Value {
    json!({"typ":"JWT","alg":"RS256","kid":"k1"})
}

/// Good claims, with these members replaced or, when null, removed.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER.replace("{tenantid}", &TENANT.to_string()), "aud": CLIENT, "tid": TENANT,
        "oid": Uuid::from_u128(2), "sub": "subject", "nonce": "n", "iat": NOW, "nbf": NOW, "exp": NOW + 3600,
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

fn check_for(entra: &Entra, token: &str, nonce: Option<&str>) -> Result<Identity, JwtError> {
    let audiences = [CLIENT.to_owned()];
    let now = DateTime::from_timestamp(NOW + 60, 0).expect("a time");
    verify(token, &entra.published(), "k1", &Expected { audiences: &audiences, nonce, now })
}

fn check(entra: &Entra, token: &str) -> Result<Identity, JwtError> {
    check_for(entra, token, Some("n"))
}

#[test]
fn a_good_token_says_who_consented() {
    let entra = Entra::new();
    let identity = check(&entra, &entra.sign(&header(), &claims(&json!({})))).expect("an identity");
    assert_eq!(identity.tenant_id, Some(TENANT));
    assert_eq!(identity.object_id, Some(Uuid::from_u128(2)));
    assert_eq!(identity.subject, Uuid::from_u128(2).to_string());
    let guest = check(&entra, &entra.sign(&header(), &claims(&json!({"oid":null})))).expect("an identity");
    assert_eq!((guest.object_id, guest.subject.as_str()), (None, "subject"));
}

#[test]
fn each_wrong_claim_is_named() {
    let entra = Entra::new();
    let personal = PERSONAL_ACCOUNTS.to_string();
    let cases = [
        (json!({"iss":"https://evil.example/v2.0"}), JwtError::WrongIssuer),
        (json!({"tid":Uuid::from_u128(9)}), JwtError::WrongIssuer),
        (json!({"aud":"another"}), JwtError::WrongAudience),
        (json!({"nonce":"other"}), JwtError::WrongNonce),
        (json!({"nonce":null}), JwtError::WrongNonce),
        (json!({"exp":NOW - 300}), JwtError::Expired(DateTime::from_timestamp(NOW - 300, 0).unwrap())),
        (json!({"nbf":NOW + 600}), JwtError::NotYetValid),
        (json!({"exp":null}), JwtError::Malformed),
        (json!({"aud":[CLIENT, "another"],"azp":"another"}), JwtError::WrongAudience),
        (json!({"aud":[]}), JwtError::WrongAudience),
        (json!({"aud":7}), JwtError::Malformed),
        (json!({"exp":i64::MAX}), JwtError::Malformed),
        (json!({"tid":personal,"iss":ISSUER.replace("{tenantid}", &personal)}), JwtError::PersonalAccount),
    ];
    for (changes, expected) in cases {
        assert_eq!(check(&entra, &entra.sign(&header(), &claims(&changes))), Err(expected), "{changes}");
    }
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let entra = Entra::new();
    for changes in [json!({"exp":NOW - 200}), json!({"nbf":NOW + 300})] {
        assert!(check(&entra, &entra.sign(&header(), &claims(&changes))).is_ok(), "{changes}");
    }
}

#[test]
fn forgeries_are_refused() {
    let (entra, other) = (Entra::new(), Entra::new());
    let good = claims(&json!({}));
    assert_eq!(check(&entra, &other.sign(&header(), &good)), Err(JwtError::BadSignature));
    for algorithm in ["HS256", "RS512"] {
        let header = json!({"alg":algorithm,"kid":"k1"});
        assert_eq!(check(&entra, &entra.sign(&header, &good)), Err(JwtError::BadSignature), "{algorithm}");
    }
    let unsigned = entra.sign(&json!({"alg":"none","kid":"k1"}), &good);
    assert_eq!(check(&entra, &unsigned), Err(JwtError::Malformed));
    assert_eq!(check(&entra, "a.b"), Err(JwtError::Malformed));
}

#[test]
fn a_key_that_is_not_published_is_unknown() {
    let entra = Entra::new();
    let audiences = [CLIENT.to_owned()];
    let expected = Expected { audiences: &audiences, nonce: Some("n"), now: DateTime::UNIX_EPOCH };
    let token = entra.sign(&header(), &claims(&json!({})));
    assert_eq!(verify(&token, &entra.published(), "k2", &expected), Err(JwtError::UnknownKey));
}

#[test]
fn an_identity_token_is_no_access_token() {
    let entra = Entra::new();
    let identity_token = entra.sign(&header(), &claims(&json!({})));
    assert_eq!(check_for(&entra, &identity_token, None), Err(JwtError::WrongNonce));
    let access_token = entra.sign(&header(), &claims(&json!({"nonce":null,"aud":[CLIENT, "another"]})));
    assert_eq!(check_for(&entra, &access_token, None).expect("an identity").tenant_id, Some(TENANT));
}
