//! Which permission each path needs.

use simulator::Config;

use super::{ALL, Graph};
use crate::cloud::{ARM, Cloud, GRAPH};

const DIRECTORY: &str = "Authorization_RequestDenied";

/// Path, the permissions of which one is enough, and how it is refused without them.
const PATHS: [(&str, &[&str], &str); 14] = [
    ("/users", &["User.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/users/delta", &["User.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/users/owner@contoso.example", &["User.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/users/owner@contoso.example/licenseDetails", &["User.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/groups", &["Group.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/groups/delta", &["Group.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/groups/{group}", &["Group.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/groups/{group}/members", &["Group.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/groups/{group}/transitiveMembers", &["Group.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/subscribedSkus", &["Organization.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/organization", &["User.Read.All", "Organization.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/admin/reportSettings", &["ReportSettings.Read.All"], DIRECTORY),
    ("/servicePrincipals?$filter=appId eq 'x'", &["Application.Read.All", "Directory.Read.All"], DIRECTORY),
    ("/reports/getMailboxUsageDetail(period='D7')", &["Reports.Read.All"], "S2SUnauthorized"),
];

#[tokio::test]
async fn each_path_needs_its_permission_and_no_other_does() {
    for permission in ALL {
        let graph = Graph::granted(Config::default(), &[permission]).await;
        let group = graph.cloud.simulator.office_group(7).unwrap().to_string();
        for (path, enough, refusal) in PATHS {
            let got = graph.get(&path.replace("{group}", &group)).await;
            if enough.contains(&permission) {
                assert!([200, 302].contains(&got.status), "{path} with {permission}: {}", got.text);
            } else {
                assert_eq!(got.error(), (403, refusal), "{path} with {permission}");
            }
        }
    }
}

#[tokio::test]
async fn sign_in_activity_needs_a_permission_and_a_premium_licence() {
    let path = "/users?$select=id,signInActivity";
    let without = Graph::usual().await;
    assert_eq!(without.get(path).await.error(), (403, "Authentication_MSGraphPermissionMissing"));
    let filtered = "/users?$filter=signInActivity/lastSignInDateTime le 2023-01-01T00:00:00Z";
    assert_eq!(without.get(filtered).await.error(), (403, "Authentication_MSGraphPermissionMissing"));

    let graph = Graph::granted(Config::default(), &ALL).await;
    graph.cloud.simulator.set_premium(false);
    let refused = graph.get(path).await;
    assert_eq!(refused.error(), (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"));

    graph.cloud.simulator.set_premium(true);
    let rows = graph.rows(path).await;
    let seen = rows.iter().filter(|row| row["signInActivity"]["lastSignInDateTime"].is_string()).count();
    assert!(seen > 0 && seen < rows.len(), "{seen} of {} ever signed in", rows.len());
    assert!(rows.iter().all(|row| row.get("signInActivity").is_none_or(|activity| !activity.is_null())));
}

#[tokio::test]
async fn a_refusal_has_the_ids_of_its_call_and_a_date_without_a_zone() {
    let graph = Graph::granted(Config::default(), &[]).await;
    let refused = graph.get_with("/users", "client-request-id", "00000000-0000-0000-0000-00000000000a").await;
    let inner = &refused.json["error"]["innerError"];
    assert_eq!(inner["date"], "2023-03-19T08:54:46");
    assert_eq!(inner["request-id"].as_str(), refused.header("request-id"));
    assert_eq!(inner["client-request-id"], "00000000-0000-0000-0000-00000000000a");
    assert_eq!(refused.header("client-request-id"), Some("00000000-0000-0000-0000-00000000000a"));
}

#[tokio::test]
async fn graph_has_one_code_for_every_token_that_it_does_not_take() {
    let cloud = Cloud::start();
    cloud.simulator.grant_permissions(&ALL);
    let token = cloud.ask_app_token(GRAPH).await.token();
    let arm = cloud.automation_token(ARM).await;
    for wrong in ["e30.e30.e30", &arm] {
        assert_eq!(cloud.get(wrong, "/v1.0/users").await.error(), (401, "InvalidAuthenticationToken"));
    }
    cloud.pass(2 * 60 * 60);
    let expired = cloud.get(&token, "/v1.0/users").await;
    assert_eq!(expired.error(), (401, "InvalidAuthenticationToken"));
    assert_eq!(expired.message(), "Lifetime validation failed, the token is expired.");
}

#[tokio::test]
async fn a_withdrawn_permission_is_in_tokens_until_they_are_issued_anew() {
    let graph = Graph::usual().await;
    graph.cloud.simulator.withdraw_permission("User.Read.All");
    assert_eq!(graph.get("/users").await.status, 200);
    let token = graph.cloud.ask_app_token(GRAPH).await.token();
    assert_eq!(graph.cloud.get(&token, "/v1.0/users").await.error(), (403, DIRECTORY));
    assert_eq!(graph.cloud.get(&token, "/v1.0/groups").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_not_known_is_refused() {
    let graph = Graph::granted(Config::default(), &ALL).await;
    for path in ["/users/nobody@contoso.example", "/users/00000000-0000-0000-0000-000000000001", "/groups/x"]
    {
        assert_eq!(graph.get(path).await.error(), (404, "Request_ResourceNotFound"), "{path}");
    }
    assert_eq!(graph.get("/frobnicate").await.error(), (400, "BadRequest"));
}
