//! What Azure Resource Manager checks of a token before it looks at the call.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::Config;

use crate::cloud::{ARM, Cloud, GRAPH, authorized, got};

const SUBSCRIPTIONS: &str = "/subscriptions?api-version=2022-12-01";

#[tokio::test]
async fn a_call_without_a_token_is_refused() {
    let cloud = Cloud::start();
    let refused = cloud.open(SUBSCRIPTIONS).await;
    assert_eq!(refused.error(), (401, "AuthenticationFailed"));
    assert_eq!(refused.header("x-ms-failure-cause"), Some("gateway"));
    let basic = authorized(cloud.request(Method::GET, SUBSCRIPTIONS), "Basic YTpi");
    assert_eq!(got(basic).await.error(), (401, "AuthenticationFailed"));
}

/// The token with other claims, and the signature it had.
fn with_claims(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("a token of ours"))
            .expect("a token of ours");
    change(&mut claims);
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "kid": "simulated-key-1" }).to_string());
    let keys = cloud.open("/organizations/discovery/v2.0/keys").await.json;
    let modulus = keys["keys"][0]["n"].as_str().unwrap();
    let header = Header { kid: Some("simulated-key-1".to_owned()), ..Header::new(Algorithm::HS256) };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let by_public_key = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(modulus).unwrap());
    for (what, forged) in [
        ("later expiry", with_claims(&token, |claims| claims["exp"] = json!(4_000_000_000_u64))),
        ("another principal", with_claims(&token, |claims| claims["oid"] = json!(cloud.user_id("owner")))),
        ("no algorithm", format!("{unsigned}.{}.", parts[1])),
        ("the public key as a secret", jsonwebtoken::encode(&header, &claims, &by_public_key).unwrap()),
        ("a cut signature", token[..token.len() - 8].to_owned()),
        ("no signature", format!("{}.{}", parts[0], parts[1])),
        ("no token", "token".to_owned()),
    ] {
        let refused = cloud.get(&forged, SUBSCRIPTIONS).await;
        assert_eq!(refused.error(), (401, "InvalidAuthenticationToken"), "{what}");
    }
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
}

#[tokio::test]
async fn a_token_for_graph_is_refused_at_resource_manager_and_the_other_way_round() {
    let cloud = Cloud::start();
    let graph = cloud.automation_token(GRAPH).await;
    let arm = cloud.automation_token(ARM).await;
    let refused = cloud.get(&graph, SUBSCRIPTIONS).await;
    assert_eq!(refused.error(), (401, "InvalidAuthenticationTokenAudience"));
    let refused = cloud.get(&arm, "/v1.0/organization").await;
    assert_eq!(refused.error(), (401, "InvalidAuthenticationToken"));
    assert_eq!(cloud.get(&graph, "/v1.0/organization").await.status, 200);
}

#[tokio::test]
async fn an_expired_token_is_refused_with_us_dates() {
    let cloud = Cloud::with(Config { token_lifetime: Some(Duration::from_mins(1)), ..Config::default() });
    let token = cloud.automation_token(ARM).await;
    cloud.pass(59);
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
    cloud.pass(12);
    let refused = cloud.get(&token, SUBSCRIPTIONS).await;
    assert_eq!(refused.error(), (401, "ExpiredAuthenticationToken"));
    assert_eq!(
        refused.message(),
        "The access token expiry UTC time '3/19/2023 8:55:46 AM' is earlier than current UTC time \
         '3/19/2023 8:55:57 AM'."
    );
}

#[tokio::test]
async fn a_new_key_keeps_the_previous_one_and_no_older_one() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let keys = async || {
        let keys = cloud.open("/organizations/discovery/v2.0/keys").await;
        keys.json["keys"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(keys().await, 1);

    cloud.simulator.rotate_keys().unwrap();
    let newer = cloud.automation_token(ARM).await;
    assert_eq!(keys().await, 2);
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
    assert_eq!(cloud.get(&newer, SUBSCRIPTIONS).await.status, 200);

    cloud.simulator.rotate_keys().unwrap();
    assert_eq!(keys().await, 2);
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.error(), (401, "InvalidAuthenticationToken"));
    assert_eq!(cloud.get(&newer, SUBSCRIPTIONS).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_works_until_it_expires_without_continuous_access() {
    let cloud = Cloud::start();
    let token = cloud.user_token("owner").await;
    cloud.simulator.revoke_sessions("owner");
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_is_challenged_with_continuous_access() {
    let cloud = Cloud::start();
    cloud.simulator.set_continuous_access(true);
    let (token, other) = (cloud.user_token("owner").await, cloud.user_token("reader").await);
    cloud.pass(5);
    cloud.simulator.revoke_sessions("owner");
    let revoked_at = cloud.now();
    cloud.pass(1);

    let refused = cloud.get(&token, SUBSCRIPTIONS).await;

    assert_eq!(refused.error(), (401, "InvalidAuthenticationToken"));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_claims\""), "{challenge}");
    let claims = challenge.split_once("claims=\"").unwrap().1.trim_end_matches('"');
    let claims: Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"], json!({ "essential": true, "value": revoked_at.to_string() }));
    assert_eq!(cloud.get(&other, SUBSCRIPTIONS).await.status, 200, "somebody else's");
    let newer = cloud.user_token("owner").await;
    assert_eq!(cloud.get(&newer, SUBSCRIPTIONS).await.status, 200, "from after the revocation");
}

#[tokio::test]
async fn a_policy_that_changes_challenges_the_users_tokens_until_a_newer_one_comes() {
    let cloud = Cloud::start();
    let (token, other) = (cloud.user_token("owner").await, cloud.user_token("reader").await);
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 200);
    cloud.pass(5);
    cloud.simulator.challenge("owner");

    for _ in 0..2 {
        let refused = cloud.get(&token, SUBSCRIPTIONS).await;
        assert_eq!(refused.error(), (401, "InvalidAuthenticationToken"));
        let challenge = refused.header("www-authenticate").unwrap();
        let (before, claims) = challenge.split_once("claims=\"").unwrap();
        assert!(before.starts_with("Bearer realm=\"\", authorization_uri=\""), "{challenge}");
        assert!(before.contains("error=\"insufficient_claims\""), "{challenge}");
        let claims: Value =
            serde_json::from_slice(&STANDARD.decode(claims.trim_end_matches('"')).unwrap()).unwrap();
        let wanted = json!({ "access_token": { "acrs": { "essential": true, "values": ["p1"] } } });
        assert_eq!(claims, wanted);
    }
    assert_eq!(cloud.get(&other, SUBSCRIPTIONS).await.status, 200, "somebody else's");

    cloud.pass(1);
    let newer = cloud.user_token("owner").await;
    assert_eq!(cloud.get(&newer, SUBSCRIPTIONS).await.status, 200);
    assert_eq!(cloud.get(&token, SUBSCRIPTIONS).await.status, 401, "the old one stays as it is");
}

#[tokio::test]
async fn a_call_names_its_version() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let first = cloud.subscription(0);
    for path in ["/subscriptions".to_owned(), format!("/subscriptions/{first}/resources?$top=1")] {
        let refused = cloud.get(&token, &path).await;
        assert_eq!(refused.error(), (400, "MissingApiVersionParameter"), "{path}");
    }
    for version in ["latest", "2022-13-01", "2022-12-01-beta"] {
        let refused = cloud.get(&token, &format!("/subscriptions?api-version={version}")).await;
        assert_eq!(refused.error(), (400, "InvalidApiVersionParameter"), "{version}");
    }
    assert_eq!(cloud.get(&token, "/subscriptions?api-version=2022-12-01-preview").await.status, 200);
}

#[tokio::test]
async fn an_answer_carries_the_ids_that_were_sent() {
    let cloud = Cloud::start();
    let request = cloud.request(Method::GET, SUBSCRIPTIONS);
    let request =
        request.header("x-ms-client-request-id", "call").header("x-ms-correlation-request-id", "job");
    let refused = got(request).await;
    assert_eq!(refused.header("x-ms-client-request-id"), Some("call"));
    assert_eq!(refused.header("x-ms-correlation-request-id"), Some("job"));
    assert!(refused.header("x-ms-request-id").is_some());
}

#[tokio::test]
async fn a_token_of_graphs_is_verified_by_graph_alone() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(GRAPH).await;
    let keys = cloud.open("/organizations/discovery/v2.0/keys").await.json;
    let text = |name: &str| keys["keys"][0][name].as_str().unwrap().to_owned();
    let key = DecodingKey::from_rsa_components(&text("n"), &text("e")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    validation.validate_exp = false;

    let verified = jsonwebtoken::decode::<Value>(&token, &key, &validation);

    assert!(verified.is_err(), "its signature is over something else than what it shows");
    assert!(jsonwebtoken::decode_header(&token).unwrap().nonce.is_some());
    assert_eq!(cloud.get(&token, "/v1.0/organization").await.status, 200);
    let arm = cloud.automation_token(ARM).await;
    assert!(jsonwebtoken::decode::<Value>(&arm, &key, &validation).is_ok());
}
