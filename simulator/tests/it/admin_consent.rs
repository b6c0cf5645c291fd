//! An administrator grants what the app asks for.

use chrono::TimeDelta;
use serde_json::Value;
use simulator::{Config, Decision, Opened, Person};
use url::Url;

use crate::cloud::{Cloud, GRAPH, REDIRECT_URI, value};

const ALL_OF_GRAPH: &str = "https://graph.microsoft.com/.default";

fn link(cloud: &Cloud, path: &str, changes: &[(&str, Option<&str>)]) -> String {
    let id = cloud.simulator.client_id().to_string();
    let usual = [
        ("client_id", id.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("state", "state-1"),
        ("scope", ALL_OF_GRAPH),
    ];
    let replacement = |name: &str| changes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let pairs =
        usual.into_iter().filter_map(|(name, value)| Some((name, replacement(name).unwrap_or(Some(value))?)));
    Url::parse_with_params(&format!("{}{path}", cloud.simulator.base_url()), pairs)
        .expect("an address")
        .into()
}

async fn decided(cloud: &Cloud, path: &str, user: &str, decision: Decision) -> Opened {
    Person::new(user).decide(&link(cloud, path, &[]), decision).await.expect("an answer")
}

async fn sent_back(cloud: &Cloud, path: &str, user: &str, decision: Decision) -> Url {
    match decided(cloud, path, user, decision).await {
        Opened::Passed { to, .. } => Url::parse(&to).expect("an address"),
        Opened::Stayed(page) => panic!("stayed: {}", page.body),
    }
}

fn roles(token: &str) -> Vec<String> {
    use base64::Engine;
    let claims = token.split('.').nth(1).expect("claims");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).expect("claims");
    let claims: Value = serde_json::from_slice(&claims).expect("claims");
    serde_json::from_value(claims["roles"].clone()).unwrap_or_default()
}

const V2: &str = "/organizations/v2.0/adminconsent";
const V1: &str = "/common/adminconsent";

#[tokio::test]
async fn a_wrong_request_stays_on_microsofts_page() {
    let cloud = Cloud::start();
    for (path, changes) in [
        (V2, [("scope", None)]),
        (V2, [("redirect_uri", Some("http://127.0.0.1/elsewhere"))]),
        (V2, [("client_id", Some("00000000-0000-0000-0000-000000000001"))]),
        ("/common/v2.0/adminconsent", [("state", None)]),
        ("/nowhere.example/v2.0/adminconsent", [("state", None)]),
    ] {
        let page = cloud.open(&link(&cloud, path, &changes)).await;
        assert_eq!(page.status, 400, "{path} {changes:?}");
        assert!(page.text.contains("AADSTS"), "{}", page.text);
    }
    assert_eq!(cloud.open(&link(&cloud, V2, &[])).await.status, 200);
}

#[tokio::test]
async fn whoever_is_no_administrator_grants_nothing_and_the_app_never_hears_of_it() {
    let cloud = Cloud::start();
    let stayed = decided(&cloud, V2, "reader", Decision::Accept).await;
    assert!(matches!(stayed, Opened::Stayed(page) if page.body.contains("AADSTS90094")));
    assert_eq!(cloud.simulator.service_principal_id(), None);
}

#[tokio::test]
async fn a_refusal_says_admin_consent_too() {
    let cloud = Cloud::start();
    for decision in [Decision::Cancel, Decision::Refuse] {
        let back = sent_back(&cloud, V2, "owner", decision).await;
        assert_eq!(value(&back, "admin_consent").as_deref(), Some("True"));
        assert_eq!(value(&back, "error").as_deref(), Some("consent_required"));
        assert!(value(&back, "error_description").unwrap().starts_with("AADSTS65004"));
        assert_eq!(value(&back, "state").as_deref(), Some("state-1"));
        assert_eq!(value(&back, "tenant"), None);
    }
    let older = sent_back(&cloud, V1, "owner", Decision::Cancel).await;
    assert_eq!(value(&older, "error").as_deref(), Some("permission_denied"));
    assert_eq!(cloud.ask_app_token(GRAPH).await.refusal(), (401, "invalid_client", 7_000_229));
}

#[tokio::test]
async fn what_was_granted_is_in_tokens() {
    for path in [V2, V1] {
        let cloud = Cloud::start();
        let back = sent_back(&cloud, path, "owner", Decision::Accept).await;
        assert_eq!(value(&back, "admin_consent").as_deref(), Some("True"));
        assert_eq!(value(&back, "tenant"), Some(cloud.tenant()));
        assert_eq!(value(&back, "state").as_deref(), Some("state-1"));
        assert_eq!(value(&back, "scope").as_deref(), (path == V2).then_some(ALL_OF_GRAPH));
        let roles = roles(&cloud.ask_app_token(GRAPH).await.token());
        assert_eq!(roles, ["Group.Read.All", "Reports.Read.All", "User.Read.All"]);
    }
}

#[tokio::test]
async fn a_named_scope_grants_no_application_permission_and_a_withheld_one_is_not_there() {
    let cloud = Cloud::start();
    let named = link(&cloud, V2, &[("scope", Some("https://graph.microsoft.com/User.Read.All"))]);
    Person::new("owner").decide(&named, Decision::Accept).await.unwrap();
    assert!(roles(&cloud.ask_app_token(GRAPH).await.token()).is_empty());

    cloud.simulator.withhold_permissions(&["Reports.Read.All"]);
    sent_back(&cloud, V2, "owner", Decision::Accept).await;
    assert_eq!(roles(&cloud.ask_app_token(GRAPH).await.token()), ["Group.Read.All", "User.Read.All"]);
}

#[tokio::test]
async fn a_grant_takes_its_time_to_be_known() {
    let cloud = Cloud::with(Config { replication: std::time::Duration::from_mins(1), ..Config::default() });
    sent_back(&cloud, V2, "owner", Decision::Accept).await;
    assert_eq!(cloud.ask_app_token(GRAPH).await.refusal(), (401, "invalid_client", 7_000_229));
    cloud.pass(60);
    assert_eq!(roles(&cloud.ask_app_token(GRAPH).await.token()).len(), 3);

    // Where the app is known already, its tokens have no roles at first.
    cloud.simulator.delete_service_principal();
    cloud.simulator.set_replication(TimeDelta::zero());
    cloud.code("owner").await;
    cloud.simulator.set_replication(TimeDelta::seconds(60));
    sent_back(&cloud, V2, "owner", Decision::Accept).await;
    assert!(roles(&cloud.ask_app_token(GRAPH).await.token()).is_empty());
    cloud.pass(60);
    assert_eq!(roles(&cloud.ask_app_token(GRAPH).await.token()).len(), 3);
}

#[tokio::test]
async fn an_administrator_of_another_tenant_grants_nothing_here() {
    let cloud = Cloud::start();
    let back = sent_back(&cloud, V2, "member", Decision::Accept).await;
    assert_eq!(value(&back, "tenant"), Some(cloud.simulator.other_tenant_id().to_string()));
    assert_eq!(cloud.ask_app_token(GRAPH).await.refusal(), (401, "invalid_client", 7_000_229));
}
