//! The sign-in page.

use simulator::{Config, Decision, Opened, Person};

use crate::cloud::{Cloud, REDIRECT_URI, value};

/// Shown on Microsoft's host: nothing is sent back to the app.
async fn assert_page(cloud: &Cloud, link: &str, number: &str) {
    let page = cloud.open(link).await;
    assert_eq!((page.status, page.header("location")), (400, None), "{}", page.text);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{number}");
    assert!(page.text.contains(number), "{number}: {}", page.text);
}

#[tokio::test]
async fn a_wrong_redirect_uri_is_a_page_and_no_redirect() {
    let cloud = Cloud::start();
    for wrong in [
        Some("https://evil.example/consent/callback"),
        Some("http://127.0.0.1:8080/consent/callback/"),
        Some("http://127.0.0.1:8080/consent/callback?next=elsewhere"),
        Some("https://127.0.0.1/consent/callback"),
        Some("http://127.0.0.1.evil.example/consent/callback"),
        Some("not an address"),
        None,
    ] {
        let link = cloud.authorize_link("organizations", &[("redirect_uri", wrong)]);
        assert_page(&cloud, &link, "AADSTS50011").await;
    }
}

#[tokio::test]
async fn an_unknown_app_is_a_page_and_no_redirect() {
    let cloud = Cloud::start();
    for unknown in [Some("11111111-2222-4333-8444-555555555555"), None] {
        let link = cloud.authorize_link("organizations", &[("client_id", unknown)]);
        assert_page(&cloud, &link, "AADSTS700016").await;
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_a_page_and_no_redirect() {
    let cloud = Cloud::start();
    let link = cloud.authorize_link("nobody.example", &[]);
    assert_page(&cloud, &link, "AADSTS90002").await;
}

#[tokio::test]
async fn an_account_of_another_tenant_is_a_page_and_no_redirect() {
    let cloud = Cloud::start();
    let link = cloud.authorize_link(&cloud.simulator.other_tenant_id().to_string(), &[]);
    assert_page(&cloud, &link, "AADSTS50020").await;
}

#[tokio::test]
async fn an_unacceptable_request_is_sent_back_with_its_state() {
    let cloud = Cloud::start();
    for missing in [
        ("code_challenge", None),
        ("code_challenge_method", None),
        ("code_challenge_method", Some("plain")),
        ("response_type", Some("token")),
        ("scope", None),
    ] {
        let answer = cloud.open(&cloud.authorize_link("organizations", &[missing])).await;

        let back = answer.header("location").and_then(|to| to.parse().ok()).expect("sent back");
        assert_eq!(answer.status, 302, "{missing:?}");
        assert_eq!(value(&back, "error").as_deref(), Some("invalid_request"), "{missing:?}");
        assert_eq!(value(&back, "state").as_deref(), Some("state-1"), "{missing:?}");
        assert_eq!(value(&back, "code"), None, "{missing:?}");
    }
}

#[tokio::test]
async fn a_person_unknown_here_stays_on_the_page() {
    let cloud = Cloud::start();
    let link = cloud.authorize_link("organizations", &[]);
    let answer = Person::new("nobody").decide(&link, Decision::Accept).await.unwrap();
    let Opened::Stayed(page) = answer else { panic!("sent back") };
    assert_eq!(page.status, 400);
    assert!(page.body.contains("AADSTS50034"));
    assert_eq!(cloud.simulator.service_principal_id(), None);
}

#[tokio::test]
async fn who_does_not_consent_is_sent_back_without_a_code() {
    let cloud = Cloud::start();
    for (decision, error, subcode) in [
        (Decision::Cancel, "access_denied", Some("cancel")),
        (Decision::Refuse, "access_denied", None),
        (Decision::Blocked, "interaction_required", None),
    ] {
        let back = cloud.sent_back("owner", decision).await;

        assert!(back.as_str().starts_with(REDIRECT_URI));
        assert_eq!(value(&back, "error").as_deref(), Some(error));
        assert_eq!(value(&back, "error_subcode").as_deref(), subcode);
        assert_eq!(value(&back, "state").as_deref(), Some("state-1"));
        assert_eq!(value(&back, "code"), None);
        assert_eq!(cloud.simulator.service_principal_id(), None, "{decision:?} consents to nothing");
    }
}

#[tokio::test]
async fn who_consents_is_sent_back_with_a_code_and_creates_the_service_principal() {
    let cloud = Cloud::start();
    let back = cloud.sent_back("owner", Decision::Accept).await;
    assert!(back.as_str().starts_with(REDIRECT_URI));
    assert!(value(&back, "code").is_some());
    assert_eq!(value(&back, "state").as_deref(), Some("state-1"));
    assert!(cloud.simulator.service_principal_id().is_some());
}

#[tokio::test]
async fn only_an_address_on_this_machine_matches_with_any_port() {
    let known = "https://tenantry.example/consent/callback".to_owned();
    let cloud = Cloud::with(Config { redirect_uris: vec![known.clone()], ..Config::default() });
    let exact = cloud.authorize_link("organizations", &[("redirect_uri", Some(&known))]);
    assert_eq!(cloud.open(&exact).await.status, 200);
    let ported = "https://tenantry.example:8443/consent/callback";
    let link = cloud.authorize_link("organizations", &[("redirect_uri", Some(ported))]);
    assert_page(&cloud, &link, "AADSTS50011").await;
}

#[tokio::test]
async fn the_page_escapes_what_it_was_given() {
    let cloud = Cloud::start();
    let link = cloud.authorize_link("organizations", &[("state", Some("\"><script>alert(1)</script>"))]);
    let page = cloud.open(&link).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("<script"));
}
