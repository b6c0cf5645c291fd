//! What cannot be had without a permission or a licence, and is there with it.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use microsoft::delta::Start;
use microsoft::{MicrosoftError, SignIn, User, product_name};
use simulator::{Config, Fault};
use uuid::Uuid;

use super::{Kind, round};
use crate::cloud::Cloud;

/// Asks for everything: what is asked for, and how it was refused.
async fn refused(cloud: &Cloud) -> Vec<(&'static str, MicrosoftError)> {
    let (graph, tenant) = (cloud.graph(), cloud.tenant());
    let asked = [
        ("users", graph.user_changes(tenant, &Start::Beginning).await.err()),
        ("groups", graph.group_changes(tenant, &Start::Beginning).await.err()),
        ("bought licences", graph.subscribed_skus(tenant).await.err()),
        ("sign-ins", graph.sign_ins(tenant).try_collect::<Vec<_>>().await.err()),
        ("concealment", graph.conceals_names(tenant).await.err()),
    ];
    asked.into_iter().filter_map(|(what, error)| Some((what, error?))).collect()
}

const EVERYTHING: [&str; 5] = ["users", "groups", "bought licences", "sign-ins", "concealment"];

#[tokio::test]
async fn each_permission_opens_what_it_is_needed_for_and_nothing_else() {
    for (permissions, open) in [
        (&["Reports.Read.All"][..], &[][..]),
        (&["User.Read.All"], &["users"]),
        (&["Group.Read.All"], &["groups"]),
        (&["Organization.Read.All"], &["bought licences"]),
        (&["AuditLog.Read.All"], &[]),
        (&["AuditLog.Read.All", "User.Read.All"], &["users", "sign-ins"]),
        (&["ReportSettings.Read.All"], &["concealment"]),
        (&["Directory.Read.All"], &["users", "groups", "bought licences"]),
    ] {
        let cloud = Cloud::granted(Config::default(), permissions);
        let refused = refused(&cloud).await;
        let names: Vec<_> = refused.iter().map(|(what, _)| *what).collect();
        let wanted: Vec<_> = EVERYTHING.into_iter().filter(|what| !open.contains(what)).collect();
        assert_eq!(names, wanted, "with {permissions:?}");
        for (what, error) in &refused {
            assert!(
                matches!(error, MicrosoftError::Forbidden { .. }),
                "{what} with {permissions:?}: {error}"
            );
            assert_eq!(error.code(), "PERMISSION_MISSING", "{what} with {permissions:?}");
        }
    }
}

#[tokio::test]
async fn without_a_premium_licence_there_are_users_and_no_sign_ins() {
    let cloud = Cloud::granted(Config::default(), &["AuditLog.Read.All", "User.Read.All"]);
    cloud.simulator.set_premium(false);
    let mut pages = Box::pin(cloud.graph().sign_ins(cloud.tenant()));
    let error = pages.next().await.expect("an answer").expect_err("a refusal");
    assert!(matches!(error, MicrosoftError::LicenceMissing { .. }), "{error}");
    assert_eq!((error.code(), error.retryable()), ("PREMIUM_LICENCE_MISSING", false));
    assert!(pages.next().await.is_none());
    assert!(User::page(&cloud, &Start::Beginning).await.is_ok());
}

#[tokio::test]
async fn sign_ins_come_in_pages_of_500_and_some_never_did() {
    let config = Config { users: 1_100, ..Config::default() };
    let cloud = Cloud::granted(config, &["AuditLog.Read.All", "User.Read.All"]);
    let pages: Vec<Vec<SignIn>> = cloud.graph().sign_ins(cloud.tenant()).try_collect().await.expect("pages");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 100]);
    let by_user: HashMap<_, _> = pages.iter().flatten().map(|sign_in| (sign_in.user_id, sign_in)).collect();
    assert_eq!(by_user.len(), 1_100);
    let seen = by_user.values().filter(|sign_in| sign_in.attempted_at.is_some()).count();
    assert!((1..1_100).contains(&seen), "{seen}");
    assert!(by_user.values().all(|it| it.succeeded_at.is_none() || it.attempted_at.is_some()));
}

#[tokio::test]
async fn bought_licences_have_names_unless_nobody_knows_them() {
    let cloud = Cloud::granted(Config { users: 1_000, ..Config::default() }, &["Organization.Read.All"]);
    let bought = cloud.graph().subscribed_skus(cloud.tenant()).await.expect("licences");
    let unknown = bought.iter().filter(|sku| product_name(sku.sku_id).is_none());
    assert_eq!(unknown.map(|sku| sku.part_number.as_str()).collect::<Vec<_>>(), ["M365_PILOT_X"]);
    for sku in &bought {
        assert!(product_name(sku.sku_id).is_none_or(|product| product.part_number == sku.part_number));
        assert_eq!(sku.applies_to.as_deref(), Some("User"));
    }
    let short = bought.iter().find(|sku| sku.part_number == "VISIOCLIENT").expect("the one that is short");
    assert!(short.prepaid_units.enabled < short.consumed_units);
    assert_eq!(short.capability_status, "Warning");

    let without =
        Cloud::granted(Config { office365: false, ..Config::default() }, &["Organization.Read.All"]);
    assert!(without.graph().subscribed_skus(without.tenant()).await.expect("an answer").is_empty());
}

#[tokio::test]
async fn names_are_concealed_when_it_says_so() {
    let cloud = Cloud::granted(Config::default(), &["ReportSettings.Read.All"]);
    for is_concealed in [false, true] {
        cloud.simulator.conceal_names(is_concealed);
        assert_eq!(cloud.graph().conceals_names(cloud.tenant()).await, Ok(is_concealed));
    }
}

#[tokio::test]
async fn an_incident_is_not_a_missing_permission() {
    let cloud = Cloud::usual();
    let body = r#"{"error":{"code":"MissingCredentials","message":"Valid Authorization header is needed."}}"#;
    cloud.simulator.faults().plan(Fault::on("GET", "/v1.0/users/delta").answer(403, &[], body));

    let (users, _, _) = round::<User>(&cloud, Start::Beginning).await;

    assert_eq!(users.len(), 250);
    assert_eq!(cloud.calls_to("/v1.0/users/delta"), 4, "three pages, one of them asked for again");
}

#[tokio::test]
async fn a_tenant_in_which_nobody_consented_is_known_for_that() {
    let cloud = Cloud::with(Config::default());
    let error = User::page(&cloud, &Start::Beginning).await.expect_err("a refusal");
    assert!(matches!(error, MicrosoftError::ConsentWithdrawn { .. }), "{error}");
    let elsewhere = cloud.graph().permissions(Uuid::from_u128(404)).await.expect_err("a refusal");
    assert!(matches!(elsewhere, MicrosoftError::NotFound { .. }), "{elsewhere}");
}
