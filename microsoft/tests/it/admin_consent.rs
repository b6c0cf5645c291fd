//! An administrator consents for a whole tenant, or does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use microsoft::{Grants, MicrosoftError, Permission, REPLICATION_WAITS, Refusal, authorization_refusal};
use simulator::{Config, Decision};
use url::Url;

use crate::cloud::Cloud;

fn page(cloud: &Cloud, tenant: &str) -> Url {
    cloud.microsoft.login().admin_consent_url(tenant, &"st/ate".into())
}

async fn answered(cloud: &Cloud, user: &str, decision: Decision) -> BTreeMap<String, String> {
    let page = page(cloud, "organizations");
    cloud.sent_back(&page, user, decision).await.query_pairs().into_owned().collect()
}

async fn grants(cloud: &Cloud) -> Grants {
    cloud.graph().permissions(cloud.tenant()).await.expect("an answer")
}

fn held(permissions: &[Permission]) -> Grants {
    Grants::Held(permissions.iter().copied().collect())
}

const USUAL: [Permission; 3] =
    [Permission::ReportsReadAll, Permission::GroupReadAll, Permission::UserReadAll];

#[tokio::test]
async fn whatever_is_typed_as_a_tenant_stays_one_segment() {
    let cloud = Cloud::with(Config::default());
    for (tenant, path) in [
        ("organizations", "/organizations/v2.0/adminconsent"),
        (" contoso.example ", "/contoso.example/v2.0/adminconsent"),
        ("a/b?c#d", "/a%2Fb%3Fc%23d/v2.0/adminconsent"),
    ] {
        let url = page(&cloud, tenant);
        assert_eq!(url.path(), path);
        assert_eq!(url.fragment(), None);
        let scope = url.query_pairs().find(|(name, _)| name == "scope").expect("a scope").1.into_owned();
        assert_eq!(scope, "https://graph.microsoft.com/.default");
    }
}

#[tokio::test]
async fn a_refusal_is_named_and_grants_nothing() {
    let cloud = Cloud::with(Config::default());
    for (decision, wanted) in [
        (Decision::Cancel, Refusal::Declined),
        (Decision::Refuse, Refusal::Declined),
        (Decision::Blocked, Refusal::InteractionRequired),
    ] {
        let answer = answered(&cloud, "owner", decision).await;
        assert_eq!((answer["admin_consent"].as_str(), answer["state"].as_str()), ("True", "st/ate"));
        let description = answer.get("error_description").map(String::as_str);
        assert_eq!(authorization_refusal(&answer["error"], None, description), wanted, "{decision:?}");
    }
    let Grants::NotYet(error) = grants(&cloud).await else { panic!("nothing was granted") };
    assert!(matches!(error, MicrosoftError::ConsentWithdrawn { .. }), "{error}");
}

#[tokio::test]
async fn a_consent_of_another_tenant_grants_nothing_here() {
    let cloud = Cloud::with(Config::default());

    let answer = answered(&cloud, "member", Decision::Accept).await;

    assert_eq!(answer["tenant"], cloud.simulator.other_tenant_id().to_string());
    assert!(matches!(grants(&cloud).await, Grants::NotYet(_)));
}

#[tokio::test]
async fn what_was_granted_is_known_once_the_directory_knows_it() {
    let config = Config { replication: Duration::from_mins(1), ..Config::default() };
    let cloud = Cloud::with(config);
    let answer = answered(&cloud, "owner", Decision::Accept).await;
    assert!(!answer.contains_key("error"), "{answer:?}");

    let Grants::NotYet(error) = grants(&cloud).await else { panic!("too early") };
    assert_eq!(error.microsoft_code(), Some("AADSTS7000229"));

    cloud.pass(60);
    assert_eq!(grants(&cloud).await, held(&USUAL));
    assert!(REPLICATION_WAITS.iter().sum::<Duration>() >= Duration::from_mins(2));
}

#[tokio::test]
async fn a_token_without_permissions_is_not_the_last_word() {
    let cloud = Cloud::with(Config::default());
    cloud.simulator.grant_permissions(&[]);
    cloud.simulator.set_replication(TimeDelta::seconds(60));
    answered(&cloud, "owner", Decision::Accept).await;

    let Grants::NotYet(error) = grants(&cloud).await else { panic!("too early") };
    assert!(matches!(error, MicrosoftError::Forbidden { .. }), "{error}");

    cloud.pass(60);
    assert_eq!(grants(&cloud).await, held(&USUAL));
}

#[tokio::test]
async fn what_is_withheld_withdrawn_or_of_no_use_is_not_held() {
    let cloud = Cloud::with(Config::default());
    cloud.simulator.withhold_permissions(&["Reports.Read.All"]);
    answered(&cloud, "owner", Decision::Accept).await;
    assert_eq!(grants(&cloud).await, held(&USUAL[1..]));

    cloud.simulator.withdraw_permission("Group.Read.All");
    cloud.simulator.grant_permissions(&["Mail.Read"]);
    assert_eq!(grants(&cloud).await, held(&USUAL[2..]), "a fresh token is asked for each time");

    cloud.simulator.withdraw_permission("User.Read.All");
    assert_eq!(grants(&cloud).await, Grants::Held(BTreeSet::new()));
}
