//! Entra ID when it refuses, repeats itself or is slow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use microsoft::{Audience, AuthorizationRequest, Caller, Freshness, JwtError, Login, MicrosoftError};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::server::{Answer, Server, json};

pub const TENANT: Uuid = Uuid::from_u128(1);
const PRINCIPAL: Uuid = Uuid::from_u128(8);

/// A token of the app.
pub fn token() -> Answer {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"oid":"{PRINCIPAL}","tid":"{TENANT}","roles":["User.Read.All"]}}"#);
    let token = format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&claims), part("x"));
    json(200, "", &format!(r#"{{"token_type":"Bearer","expires_in":"3599","access_token":"{token}"}}"#))
}

#[tokio::test]
async fn many_who_need_a_token_ask_once() {
    let server = Server::start(|_, _, _| token()).await;
    let client = server.client();

    let ask = || client.login().app_token(TENANT, Audience::Arm, Freshness::Cached);
    let tokens = join_all((0..20).map(|_| ask())).await;

    assert!(tokens.iter().all(|token| token.as_ref().is_ok_and(|token| token.principal_id == PRINCIPAL)));
    assert_eq!(server.lines(), [format!("POST /{TENANT}/oauth2/v2.0/token")]);
    let form = &server.received()[0].body;
    assert!(form.contains("client_secret=s3cret%26more"));
    assert!(form.contains("scope=https%3A%2F%2Fmanagement.azure.com%2F.default"));
}

#[tokio::test]
async fn a_fresh_token_is_asked_for_each_time() {
    let server = Server::start(|_, _, _| token()).await;
    let client = server.client();

    for _ in 0..3 {
        client.login().app_token(TENANT, Audience::Graph, Freshness::Fresh).await.expect("a token");
    }

    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_refused_app_token_is_replaced_once() {
    let server = Server::start(|_, request, _| {
        if request.line.starts_with("POST") {
            token()
        } else {
            json(401, "", r#"{"error":{"code":"InvalidAuthenticationToken","message":"no"}}"#)
        }
    })
    .await;

    let error =
        server.client().arm().subscriptions(&Caller::App { tenant: TENANT }).await.expect_err("a refusal");

    assert!(matches!(error, MicrosoftError::TokenExpired { .. }));
    let methods: Vec<_> = server.lines().iter().map(|line| line[..4].trim().to_owned()).collect();
    assert_eq!(methods, ["POST", "GET", "POST", "GET"]);
}

#[tokio::test]
async fn a_missing_service_principal_is_a_withdrawn_consent() {
    let server = Server::start(|_, _, _| {
        json(401, "", r#"{"error":"invalid_client","error_codes":[7000229],"error_description":"AADSTS7000229: missing"}"#)
    })
    .await;

    let asked = server.client().login().app_token(TENANT, Audience::Arm, Freshness::Cached).await;

    let error = asked.expect_err("a refusal");
    assert!(matches!(error, MicrosoftError::ConsentWithdrawn { .. }));
    assert_eq!(error.microsoft_code(), Some("AADSTS7000229"));
}

#[tokio::test]
async fn a_code_is_sent_once_whatever_happens() {
    for answer in [|| Answer::Cut, || json(500, "", "")] {
        let server = Server::start(move |_, _, _| answer()).await;

        let exchange = server.client();
        let result = exchange
            .login()
            .exchange_code(
                TENANT,
                microsoft::Purpose::Delegation,
                &"the-code".into(),
                &Login::new_code_verifier(),
            )
            .await;

        assert!(matches!(result, Err(MicrosoftError::Unavailable { .. })));
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_code_becomes_a_token_without_a_refresh_token() {
    let server = Server::start(|_, _, _| {
        json(200, "", r#"{"token_type":"bearer","scope":"https://management.core.windows.net//user_impersonation","expires_in":4771,"access_token":"a","refresh_token":"r","id_token":"i"}"#)
    })
    .await;
    let verifier = Login::new_code_verifier();

    let grant = server
        .client()
        .login()
        .exchange_code(TENANT, microsoft::Purpose::Delegation, &"the-code".into(), &verifier)
        .await
        .expect("a grant");

    assert_eq!(grant.access_token.expose_secret(), "a");
    assert_eq!(grant.expires_at.timestamp(), 4771);
    let form = &server.received()[0].body;
    assert!(form.contains("grant_type=authorization_code") && form.contains("code=the-code"));
    assert!(form.contains(&format!("code_verifier={}", verifier.expose_secret())));
    assert!(!form.contains("offline_access"));
}

#[tokio::test]
async fn the_authorization_url_asks_for_no_more_than_it_needs() {
    let server = Server::start(|_, _, _| Answer::Cut).await;
    let url = server.client().login().authorization_url(&AuthorizationRequest {
        purpose: microsoft::Purpose::Delegation,
        tenant: TENANT,
        state: "st/ate".into(),
        nonce: "nonce".into(),
        code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
    });

    let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), format!("/{TENANT}/oauth2/v2.0/authorize"));
    assert_eq!(query["scope"], "https://management.azure.com/user_impersonation openid profile");
    assert_eq!(query["state"], "st/ate");
    assert_eq!(query["code_challenge"], "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query["redirect_uri"], "http://localhost:1/consent/callback");
}

#[tokio::test]
async fn a_tenant_is_found_by_its_domain_or_not_at_all() {
    let server = Server::start(|_, request, base| {
        if request.line.contains("/contoso.com/") {
            json(200, "", &format!(r#"{{"issuer":"{base}{TENANT}/v2.0","jwks_uri":"{base}keys"}}"#))
        } else {
            json(400, "", r#"{"error":"invalid_tenant","error_codes":[90002],"error_description":"AADSTS90002: Tenant not found"}"#)
        }
    })
    .await;
    let client = server.client();

    assert_eq!(client.login().resolve_tenant("Contoso.com ").await, Ok(TENANT));
    assert!(matches!(
        client.login().resolve_tenant("nobody.example").await,
        Err(MicrosoftError::NotFound { .. })
    ));
    assert!(client.login().resolve_tenant("organizations").await.is_err());
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn made_up_keys_do_not_make_us_ask_entra_each_time() {
    let server = Server::start(|_, request, base| {
        if request.line.contains("openid-configuration") {
            json(200, "", &format!(r#"{{"issuer":"{base}{{tenantid}}/v2.0","jwks_uri":"{base}keys"}}"#))
        } else {
            json(200, "", r#"{"keys":[]}"#)
        }
    })
    .await;
    let client = server.client();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);

    for id in 0..5 {
        let header = part(&format!(r#"{{"alg":"RS256","kid":"made-up-{id}"}}"#));
        let token = format!("{header}.{}.{}", part("{}"), part("x"));
        assert_eq!(client.login().verify_id_token(&token, "n").await, Err(JwtError::UnknownKey));
    }

    assert_eq!(server.received().len(), 4, "the keys once, and one search for an unknown one");
}
