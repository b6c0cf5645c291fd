//! Subscriptions: who sees which, and what one says that is not there any more.

use std::collections::BTreeSet;

use serde_json::Value;
use simulator::{BuiltInRole, Config, Scope};
use uuid::Uuid;

use crate::cloud::{ARM, Cloud, DISABLED, Got, INHERITED, NOT_PERMITTED, OWNED, subscription_path};

const LIST: &str = "/subscriptions?api-version=2022-12-01";

fn ids<'a>(rows: impl IntoIterator<Item = &'a Value>) -> BTreeSet<Uuid> {
    let id = |row: &Value| row["subscriptionId"].as_str().and_then(|id| id.parse().ok());
    rows.into_iter().map(|row| id(row).expect("an id")).collect()
}

#[tokio::test]
async fn the_list_hides_what_the_caller_has_no_role_on() {
    let cloud = Cloud::start();
    let all: BTreeSet<Uuid> = cloud.simulator.subscriptions().iter().map(|one| one.id).collect();
    for (user, seen) in [
        ("owner", all.clone()),
        ("reader", all.clone()),
        ("group-owner", all),
        ("guest", BTreeSet::from([cloud.subscription(0)])),
        ("pim-eligible", BTreeSet::new()),
    ] {
        let listed = cloud.get(&cloud.user_token(user).await, LIST).await;
        assert_eq!((listed.status, ids(listed.rows())), (200, seen), "{user}");
    }

    let inherited = BTreeSet::from([cloud.subscription(INHERITED)]);
    assert_eq!(ids(cloud.get(&cloud.app_token().await, LIST).await.rows()), inherited);
}

#[tokio::test]
async fn a_subscription_without_a_role_is_forbidden_until_there_is_one() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    let (app, id) = (cloud.app_token().await, cloud.subscription(OWNED));
    let refused = cloud.get(&app, &subscription_path(id)).await;
    assert_eq!(refused.error(), (403, "AuthorizationFailed"));
    let principal = cloud.simulator.service_principal_id().unwrap();
    assert!(refused.message().contains(&format!("with object id '{principal}'")), "{}", refused.message());

    cloud.simulator.grant(principal, BuiltInRole::TagContributor, Scope::Subscription(id));
    assert_eq!(cloud.get(&app, &subscription_path(id)).await.status, 200);
    assert!(ids(cloud.get(&app, LIST).await.rows()).contains(&id));

    cloud.simulator.revoke(principal, BuiltInRole::TagContributor, Scope::Subscription(id));
    assert_eq!(cloud.get(&app, &subscription_path(id)).await.status, 403);
    let listed = cloud.get(&app, LIST).await;
    assert_eq!(listed.status, 200, "a lost role is a row less, not an error");
    assert!(!ids(listed.rows()).contains(&id));
}

#[tokio::test]
async fn a_moved_subscription_is_refused_with_both_tenants() {
    let cloud = Cloud::start();
    let (token, id) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    cloud.simulator.move_subscription(id);
    for path in [
        subscription_path(id),
        format!("/subscriptions/{id}/resources?api-version=2024-07-01"),
        format!(
            "/subscriptions/{id}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
        ),
    ] {
        let refused = cloud.get(&token, &path).await;
        assert_eq!(refused.error(), (401, "InvalidAuthenticationTokenTenant"), "{path}");
        for tenant in [cloud.tenant(), cloud.simulator.other_tenant_id().to_string()] {
            assert!(refused.message().contains(&format!("https://sts.windows.net/{tenant}/")), "{path}");
        }
    }
    assert!(!ids(cloud.get(&token, LIST).await.rows()).contains(&id));
}

#[tokio::test]
async fn a_subscription_that_is_removed_or_was_never_there_is_not_found() {
    let cloud = Cloud::start();
    let (token, removed) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    cloud.simulator.remove_subscription(removed);
    for id in [removed, Uuid::from_u128(1)] {
        let missing = cloud.get(&token, &subscription_path(id)).await;
        assert_eq!(missing.error(), (404, "SubscriptionNotFound"));
        assert_eq!(missing.message(), format!("The subscription '{id}' could not be found."));
        let resources = format!("/subscriptions/{id}/resources?api-version=2024-07-01");
        assert_eq!(cloud.get(&token, &resources).await.error(), (404, "SubscriptionNotFound"));
    }
    assert!(!ids(cloud.get(&token, LIST).await.rows()).contains(&removed));
    let malformed = cloud.get(&token, "/subscriptions/mine?api-version=2022-12-01").await;
    assert_eq!(malformed.error(), (400, "InvalidSubscriptionId"));
}

#[tokio::test]
async fn a_disabled_subscription_is_read_and_says_so() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let state = async |id| cloud.get(&token, &subscription_path(id)).await.json["state"].clone();
    let (by_seed, by_hand) = (cloud.subscription(DISABLED), cloud.subscription(OWNED));
    assert_eq!((state(by_seed).await, state(by_hand).await), ("Disabled".into(), "Enabled".into()));

    cloud.simulator.set_disabled(by_hand, true);
    cloud.simulator.set_disabled(by_seed, false);
    assert_eq!((state(by_seed).await, state(by_hand).await), ("Enabled".into(), "Disabled".into()));
}

#[tokio::test]
async fn the_list_is_read_to_its_last_page() {
    for page_size in [1, 5, 6, 12, 13] {
        let cloud = Cloud::with(Config { page_size, ..Config::default() });
        let pages = cloud.pages(&cloud.automation_token(ARM).await, LIST).await;
        let rows = || pages.iter().flat_map(Got::rows);
        assert_eq!(pages.len(), 12_usize.div_ceil(page_size));
        assert_eq!((rows().count(), ids(rows()).len()), (12, 12), "pages of {page_size}");
    }
}

#[tokio::test]
async fn a_link_that_was_not_given_is_refused() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    for link in ["bm9uc2Vuc2U", "%00", "YXQ6LTE"] {
        let refused = cloud.get(&token, &format!("{LIST}&$skiptoken={link}")).await;
        assert_eq!(refused.error(), (400, "InvalidSkipToken"), "{link}");
    }
}

#[tokio::test]
async fn effective_permissions_tell_who_may_assign_roles() {
    let cloud = Cloud::start();
    let (owned, read_only) = (cloud.subscription(OWNED), cloud.subscription(NOT_PERMITTED));
    let path = |id| {
        format!("/subscriptions/{id}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01")
    };
    for (user, id, actions) in [
        ("owner", owned, "*"),
        ("owner", read_only, "*/read"),
        ("group-owner", owned, "*"),
        ("reader", owned, "*/read"),
        ("rbac-administrator", owned, "Microsoft.Authorization/roleAssignments/write"),
    ] {
        let got = cloud.get(&cloud.user_token(user).await, &path(id)).await;
        assert_eq!((got.rows().len(), &got.rows()[0]["actions"][0]), (1, &Value::from(actions)), "{user}");
    }
    let contributor = cloud.get(&cloud.user_token("contributor").await, &path(owned)).await;
    assert_eq!(contributor.rows()[0]["actions"][0], "*");
    let withheld = contributor.rows()[0]["notActions"].as_array().unwrap();
    assert!(withheld.contains(&Value::from("Microsoft.Authorization/*/Write")), "a naive look is wrong");
    let nobody = cloud.get(&cloud.user_token("pim-eligible").await, &path(owned)).await;
    assert_eq!(nobody.error(), (403, "AuthorizationFailed"));
}
