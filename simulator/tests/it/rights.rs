//! What somebody with only one role reads of roles: everybody's assignments, and the own permissions.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use simulator::{BuiltInRole, Config, Scope};
use uuid::Uuid;

use crate::cloud::{Cloud, Got, OWNED, assignment_path};

const ROLES: [BuiltInRole; 2] = [BuiltInRole::Reader, BuiltInRole::TagContributor];

/// The service principal holds this role at the place `OWNED`, and nothing else there.
async fn holding(role: BuiltInRole) -> (Cloud, String, Uuid) {
    let cloud = Cloud::start();
    cloud.user_token("owner").await;
    let at = cloud.subscription(OWNED);
    let principal = cloud.simulator.service_principal_id().expect("created by the consent");
    cloud.simulator.grant(principal, role, Scope::Subscription(at));
    let token = cloud.app_token().await;
    (cloud, token, at)
}

fn assignments_path(at: Uuid) -> String {
    format!(
        "/subscriptions/{at}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01\
         &$filter=atScope()"
    )
}

fn permissions_path(at: Uuid) -> String {
    format!("/subscriptions/{at}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01")
}

#[tokio::test]
async fn it_sees_who_owns_the_subscription() {
    for role in ROLES {
        let (cloud, token, at) = holding(role).await;

        let listed = cloud.get(&token, &assignments_path(at)).await;

        let owners: BTreeSet<_> = listed
            .rows()
            .iter()
            .map(|row| &row["properties"])
            .filter(|held| {
                held["roleDefinitionId"].as_str().unwrap().ends_with(&BuiltInRole::Owner.id().to_string())
            })
            .map(|held| (held["principalId"].as_str().unwrap(), held["principalType"].as_str().unwrap()))
            .collect();
        let owner = cloud.user_id("owner").to_string();
        assert!(owners.contains(&(owner.as_str(), "User")), "{role:?}: {owners:?}");
        assert!(owners.iter().any(|(_, kind)| *kind == "Group"), "those above it too: {owners:?}");
        let elsewhere = cloud.get(&token, &assignments_path(cloud.subscription(OWNED + 1))).await;
        assert_eq!(elsewhere.error(), (403, "AuthorizationFailed"), "{role:?}");
    }
}

#[tokio::test]
async fn it_reads_its_own_permissions_and_no_others() {
    for (role, action) in ROLES.into_iter().zip(["*/read", "Microsoft.Resources/tags/*"]) {
        let (cloud, token, at) = holding(role).await;

        let listed = cloud.get(&token, &permissions_path(at)).await;

        let [own] = listed.rows() else { panic!("{}", listed.text) };
        let actions = own["actions"].as_array().unwrap();
        assert!(actions.contains(&json!(action)), "{role:?}: {actions:?}");
        assert!(!actions.contains(&json!("*")), "{role:?}: {actions:?}");
        let elsewhere = cloud.get(&token, &permissions_path(cloud.subscription(OWNED + 1))).await;
        assert_eq!(elsewhere.error(), (403, "AuthorizationFailed"), "{role:?}");
    }
}

#[tokio::test]
async fn permissions_follow_what_has_propagated() {
    let cloud = Cloud::with(Config { propagation: Duration::from_mins(1), ..Config::default() });
    let owner = cloud.user_token("owner").await;
    let (at, name) = (cloud.subscription(OWNED), Uuid::from_u128(1));
    let principal = cloud.simulator.service_principal_id().unwrap();
    cloud.assign(&owner, at, name, (principal, BuiltInRole::TagContributor)).await;
    let fresh = async || cloud.get(&cloud.app_token().await, &permissions_path(at)).await;

    assert_eq!(fresh().await.error(), (403, "AuthorizationFailed"));
    cloud.pass(60);
    assert_eq!(fresh().await.rows().len(), 1);
    cloud.delete(&owner, &assignment_path(at, &name.to_string())).await;
    assert_eq!(fresh().await.rows().len(), 1);
    cloud.pass(60);
    assert_eq!(fresh().await.error(), (403, "AuthorizationFailed"));
}

#[tokio::test]
async fn it_takes_away_nothing_not_even_its_own() {
    for role in ROLES {
        let (cloud, token, at) = holding(role).await;
        let listed = cloud.get(&token, &assignments_path(at)).await;
        for row in listed.rows() {
            let path = assignment_path(at, row["name"].as_str().unwrap());
            let refused: Got = cloud.delete(&token, &path).await;
            assert_eq!(refused.error(), (403, "AuthorizationFailed"), "{role:?}");
            assert!(refused.message().contains("'Microsoft.Authorization/roleAssignments/delete'"));
        }
    }
}

#[tokio::test]
async fn it_sees_how_much_room_is_left_and_under_which_condition_a_role_is_held() {
    let cloud = Cloud::start();
    let token = cloud.user_token("conditioned-owner").await;
    let at = cloud.subscription(OWNED);
    cloud.simulator.fill_assignments(at, 3);
    let usage = format!(
        "/subscriptions/{at}/providers/Microsoft.Authorization/roleAssignmentsUsageMetrics\
         ?api-version=2019-08-01-preview"
    );

    let usage = cloud.get(&token, &usage).await;
    let listed = cloud.get(&token, &assignments_path(at)).await;

    // The owner and the guest may hold one each.
    let count = usage.json["roleAssignmentsCurrentCount"].as_u64().unwrap();
    assert!(count >= 4, "{}", usage.json);
    assert_eq!(usage.json["roleAssignmentsRemainingCount"], 4_000 - count);
    let conditions = |user: &str| -> Vec<bool> {
        let id = json!(cloud.user_id(user));
        let held = listed.rows().iter().filter(|row| row["properties"]["principalId"] == id);
        held.map(|row| row["properties"]["condition"].is_string()).collect()
    };
    assert_eq!(conditions("conditioned-owner"), [true]);
    assert_eq!(conditions("owner"), [false]);
}
