//! Role assignments: what stands in the way of one.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{BuiltInRole, Config, Scope};
use uuid::Uuid;

use crate::cloud::{
    ARM, CONDITIONED, Cloud, DISABLED, Got, INHERITED, NOT_PERMITTED, OWNED, assignment, assignment_path,
    subscription_path,
};

const NAME: Uuid = Uuid::from_u128(1);
const OTHER_NAME: Uuid = Uuid::from_u128(2);
const READER: BuiltInRole = BuiltInRole::Reader;

/// The owner has consented: the owner's token, and the service principal.
async fn consented(cloud: &Cloud) -> (String, Uuid) {
    let token = cloud.user_token("owner").await;
    (token, cloud.simulator.service_principal_id().expect("created by the consent"))
}

fn list_path(at: Uuid, filter: &str) -> String {
    format!(
        "/subscriptions/{at}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01{filter}"
    )
}

#[tokio::test]
async fn the_first_is_created_and_a_repeat_is_the_same() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);

    let created = cloud.assign(&token, at, NAME, (principal, READER)).await;
    let again = cloud.assign(&token, at, NAME, (principal, READER)).await;

    assert_eq!((created.status, again.status), (201, 200));
    assert_eq!(created.json, again.json);
    let properties = &created.json["properties"];
    assert_eq!(properties["scope"], format!("/subscriptions/{at}"));
    assert_eq!(properties["principalId"], principal.to_string());
    assert_eq!(
        (&properties["principalType"], &properties["createdBy"]),
        (&json!("ServicePrincipal"), &Value::Null)
    );
    assert!(properties["roleDefinitionId"].as_str().unwrap().ends_with(&READER.id().to_string()));
    assert_eq!(cloud.simulator.assignments_at(at), 1);
    let got = cloud.get(&token, &assignment_path(at, &NAME.to_string())).await;
    assert_eq!((got.status, got.json), (200, created.json));
}

#[tokio::test]
async fn another_name_for_the_same_is_a_conflict_that_may_name_the_first() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    cloud.assign(&token, at, NAME, (principal, READER)).await;

    let newer = cloud.assign(&token, at, OTHER_NAME, (principal, READER)).await;
    cloud.simulator.set_conflict_names_id(false);
    let older = cloud.assign(&token, at, OTHER_NAME, (principal, READER)).await;

    assert_eq!(newer.error(), (409, "RoleAssignmentExists"));
    let named = format!("The ID of the conflicting role assignment is {}.", NAME.simple());
    assert!(newer.message().ends_with(&named), "{}", newer.message());
    assert_eq!(older.error(), (409, "RoleAssignmentExists"));
    assert_eq!(older.message(), "The role assignment already exists.");
    assert_eq!(cloud.simulator.assignments_at(at), 1);
}

#[tokio::test]
async fn the_same_name_for_something_else_is_not_permitted() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let (at, elsewhere) = (cloud.subscription(OWNED), cloud.subscription(OWNED + 1));
    cloud.assign(&token, at, NAME, (principal, READER)).await;
    for (what, at, wanted) in [
        ("role", at, (principal, BuiltInRole::TagContributor)),
        ("principal", at, (cloud.user_id("guest"), READER)),
        ("scope", elsewhere, (principal, READER)),
    ] {
        let refused = cloud.assign(&token, at, NAME, wanted).await;
        assert_eq!(refused.error(), (400, "RoleAssignmentUpdateNotPermitted"), "another {what}");
    }
}

#[tokio::test]
async fn a_deleted_principal_leaves_its_assignment_behind() {
    let cloud = Cloud::start();
    let (token, gone) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    cloud.assign(&token, at, NAME, (gone, READER)).await;
    let app = cloud.app_token().await;
    cloud.simulator.delete_service_principal();

    let refused = cloud.get(&app, &subscription_path(at)).await;
    assert_eq!(refused.error(), (403, "AuthorizationFailed"), "who is gone holds nothing");
    let left = cloud.get(&token, &list_path(at, &format!("&$filter=principalId eq '{gone}'"))).await;
    assert_eq!(left.rows()[0]["properties"]["principalType"], "Unknown");
    let refused = cloud.assign(&token, at, OTHER_NAME, (gone, READER)).await;
    assert_eq!(refused.error(), (400, "PrincipalNotFound"));

    let (token, recreated) = consented(&cloud).await;
    let refused = cloud.assign(&token, at, NAME, (recreated, READER)).await;
    assert_eq!(refused.error(), (400, "RoleAssignmentUpdateNotPermitted"));
    assert_eq!(cloud.simulator.assignments_at(at), 0);
    assert_eq!(cloud.assign(&token, at, OTHER_NAME, (recreated, READER)).await.status, 201);
}

#[tokio::test]
async fn a_principal_that_is_not_replicated_is_found_only_by_its_type() {
    let cloud = Cloud::with(Config { replication: Duration::from_secs(30), ..Config::default() });
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let untyped = assignment(at, principal, &READER.id().to_string());
    let put = async |name: Uuid| cloud.put(&token, &assignment_path(at, &name.to_string()), &untyped).await;

    let refused = put(NAME).await;
    assert_eq!(refused.error(), (400, "PrincipalNotFound"));
    let said = format!(
        "Principal {} does not exist in the directory {}.",
        principal.simple(),
        cloud.simulator.tenant_id()
    );
    assert!(refused.message().starts_with(&said), "{}", refused.message());

    assert_eq!(cloud.assign(&token, at, NAME, (principal, READER)).await.status, 201);
    cloud.pass(30);
    assert_eq!(put(NAME).await.status, 200);
    let unknown = cloud.assign(&token, at, OTHER_NAME, (Uuid::from_u128(7), READER)).await;
    assert_eq!(unknown.error(), (400, "PrincipalNotFound"));
}

#[tokio::test]
async fn a_principal_of_another_type_is_refused() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let mut body = assignment(at, principal, &READER.id().to_string());
    for (kind, status) in [("User", 400), ("Group", 400), ("ServicePrincipal", 201)] {
        body["properties"]["principalType"] = json!(kind);
        let answer = cloud.put(&token, &assignment_path(at, &NAME.to_string()), &body).await;
        assert_eq!(answer.status, status, "{kind}");
        assert!(status == 201 || answer.error().1 == "UnmatchedPrincipalType", "{kind}");
    }
}

#[tokio::test]
async fn a_group_can_hold_a_role() {
    let cloud = Cloud::start();
    let (token, _) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let member = cloud.user_id("group-owner");
    let held =
        cloud.get(&token, &list_path(at, &format!("&$filter=atScope() and assignedTo('{member}')"))).await;
    let [row] = held.rows() else { panic!("{}", held.text) };
    assert_eq!(row["properties"]["principalType"], "Group", "held through a group");
    let group: Uuid = row["properties"]["principalId"].as_str().unwrap().parse().unwrap();

    let mut body = assignment(at, group, &READER.id().to_string());
    body["properties"]["principalType"] = json!("Group");
    assert_eq!(cloud.put(&token, &assignment_path(at, &NAME.to_string()), &body).await.status, 201);
}

#[tokio::test]
async fn a_subscription_holds_four_thousand() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let somebody = Uuid::from_u128(1_001);
    cloud.simulator.grant(somebody, READER, Scope::Subscription(at));
    for number in 0..4_000 {
        cloud.simulator.grant(Uuid::from_u128(2_000 + number), READER, Scope::RootGroup);
    }
    // Beside the owner and somebody.
    cloud.simulator.fill_assignments(at, 3_997);
    assert_eq!(cloud.assign(&token, at, NAME, (principal, READER)).await.status, 201);
    let refused = cloud.assign(&token, at, OTHER_NAME, (principal, BuiltInRole::TagContributor)).await;
    assert_eq!(refused.error(), (400, "RoleAssignmentLimitExceeded"));
    assert_eq!(cloud.assign(&token, at, NAME, (principal, READER)).await.status, 200, "it is there already");

    cloud.simulator.revoke(somebody, READER, Scope::Subscription(at));
    let created = cloud.assign(&token, at, OTHER_NAME, (principal, BuiltInRole::TagContributor)).await;
    assert_eq!(created.status, 201);
}

#[tokio::test]
async fn a_role_that_is_not_there_is_not_found() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    for role in ["11111111-2222-4333-8444-555555555555", "reader"] {
        let path = assignment_path(at, &NAME.to_string());
        let refused = cloud.put(&token, &path, &assignment(at, principal, role)).await;
        assert_eq!(refused.error(), (404, "RoleDefinitionDoesNotExist"), "{role}");
    }
}

#[tokio::test]
async fn a_malformed_request_is_refused() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let whole = assignment(at, principal, &READER.id().to_string());
    let refused = cloud.put(&token, &assignment_path(at, "reader"), &whole).await;
    assert_eq!(refused.error(), (400, "InvalidRoleAssignmentId"));
    for name in ["roleDefinitionId", "principalId"] {
        let mut body = whole.clone();
        body["properties"].as_object_mut().unwrap().remove(name);
        let refused = cloud.put(&token, &assignment_path(at, &NAME.to_string()), &body).await;
        assert_eq!(refused.error(), (400, "InvalidRequestContent"), "without {name}");
    }
}

#[tokio::test]
async fn only_who_may_write_assignments_writes_one() {
    let cloud = Cloud::start();
    let (owner, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    for (user, status) in [
        ("reader", 403),
        ("contributor", 403),
        ("pim-eligible", 403),
        ("guest", 403),
        ("user-access-administrator", 201),
        ("rbac-administrator", 200),
        ("group-owner", 200),
    ] {
        let token = cloud.user_token(user).await;
        let answer = cloud.assign(&token, at, NAME, (principal, READER)).await;
        assert_eq!(answer.status, status, "{user}");
        assert!(
            status != 403 || answer.message().contains("'Microsoft.Authorization/roleAssignments/write'")
        );
    }
    let not_permitted = cloud.subscription(NOT_PERMITTED);
    let refused = cloud.assign(&owner, not_permitted, OTHER_NAME, (principal, READER)).await;
    assert_eq!(refused.error(), (403, "AuthorizationFailed"));
    assert!(refused.message().contains(&format!("over scope '/subscriptions/{not_permitted}'")));
    assert!(!refused.message().contains("ABAC"));
}

#[tokio::test]
async fn a_condition_blocks_what_the_permissions_allow() {
    let cloud = Cloud::with(Config { subscriptions: 20, ..Config::default() });
    let (owner, principal) = consented(&cloud).await;
    let conditioned_owner = cloud.user_token("conditioned-owner").await;
    let conditioned = cloud.subscription(CONDITIONED);
    for (token, at) in [(&owner, conditioned), (&conditioned_owner, cloud.subscription(OWNED))] {
        let path = format!(
            "/subscriptions/{at}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
        );
        assert_eq!(cloud.get(token, &path).await.rows()[0]["actions"], json!(["*"]));
        let refused = cloud.assign(token, at, NAME, (principal, READER)).await;
        assert_eq!(refused.error(), (403, "AuthorizationFailed"));
        assert!(refused.message().contains("or an ABAC condition not fulfilled"), "{}", refused.message());
    }
    let unconditioned = cloud.automation_token(ARM).await;
    assert_eq!(cloud.assign(&unconditioned, conditioned, NAME, (principal, READER)).await.status, 201);
}

#[tokio::test]
async fn a_disabled_subscription_is_only_read() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let (at, other) = (cloud.subscription(DISABLED), cloud.subscription(OWNED));
    let refused = cloud.assign(&token, at, NAME, (principal, READER)).await;
    assert_eq!(refused.error(), (409, "ReadOnlyDisabledSubscription"));
    assert_eq!(cloud.get(&token, &list_path(at, "")).await.status, 200);

    cloud.assign(&token, other, NAME, (principal, READER)).await;
    cloud.simulator.set_disabled(other, true);
    let refused = cloud.delete(&token, &assignment_path(other, &NAME.to_string())).await;
    assert_eq!(refused.error(), (409, "ReadOnlyDisabledSubscription"));
    assert_eq!(cloud.simulator.assignments_at(other), 1);
}

#[tokio::test]
async fn a_lock_keeps_what_is_there_and_lets_more_be_added() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let (at, other) = (cloud.subscription(OWNED), cloud.subscription(OWNED + 1));
    cloud.simulator.set_locked(at, true);
    assert_eq!(cloud.assign(&token, at, NAME, (principal, READER)).await.status, 201);
    cloud.assign(&token, other, OTHER_NAME, (principal, READER)).await;
    let path = assignment_path(at, &NAME.to_string());

    let refused = cloud.delete(&token, &path).await;
    assert_eq!(refused.error(), (409, "ScopeLocked"));
    let said = format!(
        "The scope '{}' cannot perform delete operation because following scope(s) are locked: \
         '/subscriptions/{at}'. Please remove the lock and try again.",
        path.split('?').next().unwrap()
    );
    assert_eq!(refused.message(), said);
    assert_eq!(cloud.simulator.assignments_at(at), 1);
    let reader = cloud.user_token("reader").await;
    assert_eq!(cloud.delete(&reader, &path).await.error(), (403, "AuthorizationFailed"), "first of all");
    let elsewhere = assignment_path(other, &OTHER_NAME.to_string());
    assert_eq!(cloud.delete(&token, &elsewhere).await.status, 200, "not locked");

    cloud.simulator.set_locked(at, false);
    assert_eq!(cloud.delete(&token, &path).await.status, 200);
}

#[tokio::test]
async fn a_description_is_kept() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let path = assignment_path(at, &NAME.to_string());
    let mut body = assignment(at, principal, &READER.id().to_string());
    body["properties"]["principalType"] = json!("ServicePrincipal");
    body["properties"]["description"] = json!("Why it is here");

    cloud.put(&token, &path, &body).await;

    assert_eq!(cloud.get(&token, &path).await.json["properties"]["description"], "Why it is here");
}

#[tokio::test]
async fn an_inherited_role_works_and_is_not_removed_from_below() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let at = cloud.subscription(INHERITED);
    assert_eq!(cloud.get(&cloud.app_token().await, &subscription_path(at)).await.status, 200);
    assert_eq!(cloud.simulator.assignments_at(at), 0);

    let held = cloud.get(&token, &list_path(at, &format!("&$filter=principalId eq '{principal}'"))).await;
    let [row] = held.rows() else { panic!("{}", held.text) };
    let scope = row["properties"]["scope"].as_str().unwrap();
    assert!(scope.starts_with("/providers/Microsoft.Management/managementGroups/"), "{scope}");

    let gone = cloud.delete(&token, &assignment_path(at, row["name"].as_str().unwrap())).await;
    assert_eq!(gone.status, 204, "there is none of this name at the subscription");
    assert_eq!(cloud.get(&cloud.app_token().await, &subscription_path(at)).await.status, 200);
    assert_eq!(cloud.assign(&token, at, NAME, (principal, READER)).await.status, 201, "beside the inherited");
}

#[tokio::test]
async fn one_is_deleted_once_and_then_was_never_there() {
    let cloud = Cloud::start();
    let (token, principal) = consented(&cloud).await;
    let (at, path) =
        (cloud.subscription(OWNED), assignment_path(cloud.subscription(OWNED), &NAME.to_string()));
    cloud.assign(&token, at, NAME, (principal, READER)).await;
    let app = cloud.app_token().await;
    assert_eq!(cloud.get(&app, &subscription_path(at)).await.status, 200);

    let refused = cloud.delete(&app, &path).await;
    assert_eq!(refused.error(), (403, "AuthorizationFailed"), "a reader cannot delete its own");
    assert!(refused.message().contains("'Microsoft.Authorization/roleAssignments/delete'"));

    let deleted = cloud.delete(&token, &path).await;
    assert_eq!((deleted.status, &deleted.json["name"]), (200, &json!(NAME)));
    let again = cloud.delete(&token, &path).await;
    assert_eq!((again.status, again.text.as_str()), (204, ""));
    assert_eq!(cloud.get(&app, &subscription_path(at)).await.status, 403);
    assert_eq!(cloud.get(&token, &path).await.error(), (404, "RoleAssignmentNotFound"));
}

#[tokio::test]
async fn names_stay_unique_while_roles_come_and_go() {
    let cloud = Cloud::start();
    let (token, _) = consented(&cloud).await;
    let at = cloud.subscription(OWNED);
    let somebody = Uuid::from_u128;
    cloud.simulator.grant(somebody(10), READER, Scope::Subscription(at));
    cloud.simulator.grant(somebody(11), READER, Scope::Subscription(at));
    cloud.simulator.revoke(somebody(10), READER, Scope::Subscription(at));
    cloud.simulator.grant(somebody(12), READER, Scope::Subscription(at));

    let pages = cloud.pages(&token, &list_path(at, "")).await;
    let names: Vec<_> = pages.iter().flat_map(Got::rows).map(|row| row["name"].to_string()).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
}
