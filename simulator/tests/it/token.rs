//! The token endpoint.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use simulator::{Config, Decision, Opened, Person};

use crate::cloud::{ARM, Cloud, GRAPH, REDIRECT_URI, authorized, got, value};

#[tokio::test]
async fn a_code_is_refused_with_the_wrong_verifier_and_stays_good() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    let refused = cloud.redeem("organizations", &code, &[("code_verifier", Some("another"))]).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant", 501_481));
    assert_eq!(cloud.redeem("organizations", &code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_code_is_redeemed_once() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    assert_eq!(cloud.redeem("organizations", &code, &[]).await.status, 200);
    let again = cloud.redeem("organizations", &code, &[]).await;
    assert_eq!(again.refusal(), (400, "invalid_grant", 54_005));
}

#[tokio::test]
async fn a_code_lasts_ten_minutes() {
    let cloud = Cloud::start();
    let (early, late) = (cloud.code("owner").await, cloud.code("owner").await);
    cloud.pass(599);
    assert_eq!(cloud.redeem("organizations", &early, &[]).await.status, 200);
    cloud.pass(1);
    let refused = cloud.redeem("organizations", &late, &[]).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant", 70_008));
}

#[tokio::test]
async fn a_code_of_one_tenant_is_refused_at_another() {
    let cloud = Cloud::start();
    let link = cloud.authorize_link(&cloud.tenant(), &[]);
    let opened = Person::new("owner").decide(&link, Decision::Accept).await.unwrap();
    let Opened::Passed { to, .. } = opened else { panic!("stayed") };
    let code = value(&to.parse().unwrap(), "code").unwrap();

    let refused = cloud.redeem(&cloud.simulator.other_tenant_id().to_string(), &code, &[]).await;

    assert_eq!(refused.refusal(), (400, "invalid_grant", 700_005));
    assert_eq!(cloud.redeem("contoso.example", &code, &[]).await.status, 200, "the tenant by its domain");
}

#[tokio::test]
async fn a_tenant_that_is_not_there_is_said_to_be_unknown() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    let refused = cloud.redeem("nobody.example", &code, &[]).await;
    assert_eq!(refused.refusal(), (400, "invalid_tenant", 90_002));
    let discovery = cloud.open("/nobody.example/v2.0/.well-known/openid-configuration").await;
    assert_eq!(discovery.refusal(), (400, "invalid_tenant", 90_002));
    assert_eq!(cloud.open("/nobody.example/discovery/v2.0/keys").await.status, 400);
}

#[tokio::test]
async fn an_invented_code_and_another_redirect_uri_are_refused() {
    let cloud = Cloud::start();
    let invented = cloud.redeem("organizations", "1.invented", &[]).await;
    assert_eq!(invented.refusal(), (400, "invalid_grant", 70_000));
    let code = cloud.code("owner").await;
    let other = REDIRECT_URI.replace("8080", "8081");
    let refused = cloud.redeem("organizations", &code, &[("redirect_uri", Some(&other))]).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant", 70_000));
}

#[tokio::test]
async fn a_code_from_before_a_revocation_is_refused() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    cloud.simulator.revoke_sessions("owner");
    let refused = cloud.redeem("organizations", &code, &[]).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant", 50_173));
    cloud.pass(1);
    let code = cloud.code("owner").await;
    assert_eq!(cloud.redeem("organizations", &code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_missing_parameter_is_named() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    for name in ["grant_type", "client_id", "code", "redirect_uri", "code_verifier"] {
        let refused = cloud.redeem("organizations", &code, &[(name, None)]).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", 900_144), "{name}");
        assert!(refused.text.contains(&format!("'{name}'")), "{}", refused.text);
    }
    let (id, secret) = (cloud.simulator.client_id().to_string(), cloud.simulator.client_secret());
    let fields = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
    let refused = cloud.ask_token(&cloud.tenant(), &fields).await;
    assert_eq!(refused.refusal(), (400, "invalid_request", 900_144));
}

#[tokio::test]
async fn a_secret_that_is_wrong_missing_or_expired_is_our_fault() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    let wrong = cloud.redeem("organizations", &code, &[("client_secret", Some("wrong"))]).await;
    assert_eq!(wrong.refusal(), (401, "invalid_client", 7_000_215));
    let missing = cloud.redeem("organizations", &code, &[("client_secret", None)]).await;
    assert_eq!(missing.refusal(), (401, "invalid_client", 7_000_218));
    cloud.simulator.expire_client_secret();
    let expired = cloud.redeem("organizations", &code, &[]).await;
    assert_eq!(expired.refusal(), (401, "invalid_client", 7_000_222));
    assert_eq!(cloud.ask_app_token(ARM).await.refusal(), (401, "invalid_client", 7_000_222));
}

#[tokio::test]
async fn a_replaced_secret_is_refused() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    cloud.simulator.set_client_secret("another");
    assert_eq!(cloud.ask_app_token(ARM).await.refusal(), (401, "invalid_client", 7_000_215));
}

#[tokio::test]
async fn an_app_or_a_grant_that_is_unknown_is_refused() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    let unknown = "11111111-2222-4333-8444-555555555555";
    let refused = cloud.redeem("organizations", &code, &[("client_id", Some(unknown))]).await;
    assert_eq!(refused.refusal(), (400, "unauthorized_client", 700_016));
    let refused = cloud.redeem("organizations", &code, &[("grant_type", Some("password"))]).await;
    assert_eq!(refused.refusal(), (400, "unsupported_grant_type", 70_003));
}

#[tokio::test]
async fn an_app_cannot_ask_for_a_token_of_any_tenant() {
    let cloud = Cloud::start();
    let (id, secret) = (cloud.simulator.client_id().to_string(), cloud.simulator.client_secret());
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", ARM),
    ];
    for tenant in ["common", "organizations"] {
        let refused = cloud.ask_token(tenant, &fields).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", 9_001_023), "{tenant}");
    }
    let refused = cloud.ask_token("nobody.example", &fields).await;
    assert_eq!(refused.refusal(), (400, "invalid_tenant", 90_002));
    let elsewhere = cloud.ask_token("fabrikam.example", &fields).await;
    assert_eq!(elsewhere.refusal(), (401, "invalid_client", 7_000_229));
}

#[tokio::test]
async fn scopes_are_of_one_resource() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    for (scope, number) in [
        ("https://management.azure.com/user_impersonation https://graph.microsoft.com/User.Read", 700_022),
        ("https://vault.azure.net/.default", 70_011),
        ("profile", 70_011),
    ] {
        let refused = cloud.redeem("organizations", &code, &[("scope", Some(scope))]).await;
        assert_eq!((refused.status, refused.refusal().2), (400, number), "{scope}");
    }
    let sign_in = cloud.code("owner").await;
    let signed_in = cloud.redeem("organizations", &sign_in, &[("scope", Some("openid profile"))]).await;
    assert_eq!(signed_in.status, 200, "who only signs in names no resource");
    let same = "https://management.azure.com/user_impersonation https://management.azure.com/.default openid";
    assert_eq!(cloud.redeem("organizations", &code, &[("scope", Some(same))]).await.status, 200);
}

#[tokio::test]
async fn a_service_principal_is_unknown_before_the_consent_and_gone_after_its_deletion() {
    let cloud = Cloud::start();
    assert_eq!(cloud.ask_app_token(ARM).await.refusal(), (401, "invalid_client", 7_000_229));

    cloud.code("owner").await;
    let first = cloud.simulator.service_principal_id();
    assert_eq!(cloud.ask_app_token(ARM).await.status, 200);

    cloud.simulator.delete_service_principal();
    assert_eq!(cloud.ask_app_token(ARM).await.refusal(), (400, "unauthorized_client", 700_016));

    cloud.code("owner").await;
    assert_eq!(cloud.ask_app_token(ARM).await.status, 200);
    assert_ne!(cloud.simulator.service_principal_id(), first, "another object id");
}

#[tokio::test]
async fn a_disabled_service_principal_is_refused_until_it_is_enabled() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    cloud.simulator.set_service_principal_enabled(false);
    assert_eq!(cloud.ask_app_token(ARM).await.refusal(), (400, "unauthorized_client", 7_000_112));
    cloud.simulator.set_service_principal_enabled(true);
    assert_eq!(cloud.ask_app_token(ARM).await.status, 200);
}

#[tokio::test]
async fn a_new_service_principal_is_unknown_until_it_is_replicated() {
    let cloud = Cloud::with(Config { replication: Duration::from_secs(30), ..Config::default() });
    cloud.code("owner").await;
    cloud.pass(29);
    assert_eq!(cloud.ask_app_token(ARM).await.refusal(), (401, "invalid_client", 7_000_229));
    cloud.pass(1);
    assert_eq!(cloud.ask_app_token(ARM).await.status, 200);
}

#[tokio::test]
async fn a_refusal_has_every_member_that_support_asks_for() {
    let cloud = Cloud::start();
    let refused = cloud.ask_app_token(ARM).await;
    assert!(refused.json["error_description"].as_str().unwrap().starts_with("AADSTS7000229: "));
    assert_eq!(refused.json["timestamp"], "2023-03-19 08:54:46Z");
    for name in ["trace_id", "correlation_id", "error_uri"] {
        assert!(refused.json[name].is_string(), "{name}");
    }
    assert_eq!(refused.json["suberror"], Value::Null);
}

#[tokio::test]
async fn the_secret_may_come_in_the_header() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    let ask = async |secret: &str| {
        use base64::Engine;
        let pair = format!("{}:{secret}", cloud.simulator.client_id());
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        let path = format!("/{}/oauth2/v2.0/token", cloud.tenant());
        let fields = [("grant_type", "client_credentials"), ("scope", ARM)];
        let request = cloud.request(reqwest::Method::POST, &path).form(&fields);
        got(authorized(request, &format!("Basic {pair}"))).await
    };
    assert_eq!(ask(&cloud.simulator.client_secret()).await.status, 200);
    assert_eq!(ask("wrong").await.refusal(), (401, "invalid_client", 7_000_215));
}

/// The claims of a token, once its signature is checked with the published key it names; that of Graph's tokens
/// only Graph can check.
async fn claims(cloud: &Cloud, token: &str) -> Value {
    let keys = cloud.open("/organizations/discovery/v2.0/keys").await.json;
    let header = jsonwebtoken::decode_header(token).expect("as published");
    if header.nonce.is_some() {
        return jsonwebtoken::dangerous::insecure_decode(token).expect("claims").claims;
    }
    let id = header.kid.expect("a key id");
    let key = keys["keys"]
        .as_array()
        .expect("as published")
        .iter()
        .find(|key| key["kid"] == id.as_str())
        .expect("as published");
    let (modulus, exponent) =
        (key["n"].as_str().expect("as published"), key["e"].as_str().expect("as published"));
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_rsa_components(modulus, exponent).expect("as published");
    jsonwebtoken::decode(token, &key, &validation).expect("as published").claims
}

#[tokio::test]
async fn a_code_gives_a_delegated_token_and_an_identity_and_no_refresh_token() {
    let cloud = Cloud::start();
    let code = cloud.code("owner").await;
    let got = cloud.redeem("organizations", &code, &[]).await;

    let expires_in = got.json["expires_in"].as_i64().unwrap();
    assert!((3_600..=5_400).contains(&expires_in), "{expires_in}");
    assert!(got.json["scope"].as_str().unwrap().contains("//user_impersonation"));
    assert_eq!(got.json["refresh_token"], Value::Null);

    let (owner, tenant) = (cloud.user_id("owner").to_string(), cloud.tenant());
    let access = claims(&cloud, &got.token()).await;
    assert_eq!(access["iss"], format!("https://sts.windows.net/{tenant}/"));
    assert_eq!((&access["oid"], &access["tid"]), (&Value::from(owner.clone()), &Value::from(tenant.clone())));
    assert_eq!((&access["scp"], &access["idtyp"]), (&Value::from("user_impersonation"), &Value::Null));
    assert_eq!(access["exp"].as_i64(), Some(cloud.now() + expires_in));

    let identity = claims(&cloud, got.json["id_token"].as_str().unwrap()).await;
    assert_eq!(identity["iss"], format!("{}/{tenant}/v2.0", cloud.simulator.base_url()));
    assert_eq!(identity["aud"], cloud.simulator.client_id().to_string());
    assert_eq!((&identity["nonce"], &identity["oid"]), (&Value::from("nonce-1"), &Value::from(owner)));
}

#[tokio::test]
async fn an_identity_from_elsewhere_names_the_other_tenant() {
    let cloud = Cloud::start();
    cloud.simulator.sign_in_elsewhere();
    let code = cloud.code("owner").await;
    let got = cloud.redeem("organizations", &code, &[]).await;
    let identity = claims(&cloud, got.json["id_token"].as_str().unwrap()).await;
    assert_eq!(identity["tid"], cloud.simulator.other_tenant_id().to_string());
}

#[tokio::test]
async fn an_app_token_names_the_service_principal_and_only_granted_roles() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    for scope in [ARM, GRAPH] {
        let ours = claims(&cloud, &cloud.ask_app_token(scope).await.token()).await;
        assert_eq!(ours["oid"], cloud.simulator.service_principal_id().unwrap().to_string());
        assert_eq!((&ours["idtyp"], &ours["roles"]), (&Value::from("app"), &Value::Null), "{scope}");
    }
    let automation = claims(&cloud, &cloud.automation_token(GRAPH).await).await;
    assert!(automation["roles"].as_array().unwrap().contains(&Value::from("Directory.Read.All")));
}
