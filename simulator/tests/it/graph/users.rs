//! Lists of users, page by page.

use std::collections::HashSet;

use simulator::{Config, UserChange};

use super::{ALL, Graph, text};
use crate::cloud::Got;

#[tokio::test]
async fn what_is_not_supported_is_refused() {
    let graph = Graph::granted(Config::default(), &ALL).await;
    for (query, status, code) in [
        ("$top=1000", 400, "Request_UnsupportedQuery"),
        ("$top=0", 400, "Request_UnsupportedQuery"),
        ("$skip=5", 400, "Request_UnsupportedQuery"),
        ("$orderby=displayName", 400, "Request_UnsupportedQuery"),
        ("$select=id,frobnication", 400, "BadRequest"),
        ("$select=id,aboutMe", 501, "NotImplemented"),
        ("$skiptoken=nonsense", 400, "Directory_ExpiredPageToken"),
        ("$filter=nonsense", 400, "BadRequest"),
        ("$filter=aboutMe eq 'x'", 400, "Request_UnsupportedQuery"),
        ("$filter=department ne 'IT'", 400, "Request_UnsupportedQuery"),
        ("$filter=department ne 'IT'&$count=true", 400, "Request_UnsupportedQuery"),
        (
            "$filter=signInActivity/lastSignInDateTime le 2023-01-01T00:00:00Z and accountEnabled eq true",
            400,
            "Request_UnsupportedQuery",
        ),
    ] {
        assert_eq!(graph.get(&format!("/users?{query}")).await.error(), (status, code), "{query}");
    }
    assert_eq!(graph.get("/users/$count").await.error(), (400, "Request_BadRequest"));
    let filtered = "/users/$count?$filter=accountEnabled eq true";
    let refused = graph.get_with(filtered, "ConsistencyLevel", "eventual").await;
    assert_eq!(refused.error(), (400, "Request_UnsupportedQuery"));
}

#[tokio::test]
async fn every_user_is_on_exactly_one_page() {
    let graph = Graph::usual().await;
    let first = graph.get("/users").await;
    assert_eq!(first.rows().len(), 100);
    let mut names: Vec<_> = first.rows()[0].as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    assert_eq!(names.len(), 11, "{names:?}");
    for (query, most) in [("", 100), ("?$top=999", 999), ("?$top=7&$select=id", 7)] {
        let pages = graph.pages(&format!("/users{query}")).await;
        assert!(pages.iter().all(|page| page.status == 200 && page.rows().len() <= most));
        let rows = pages.iter().flat_map(Got::rows);
        let ids: HashSet<_> = rows.map(|row| text(row, "id").to_owned()).collect();
        assert_eq!(ids.len(), 250, "{query}");
    }
    graph.cloud.simulator.set_graph_page_size(3);
    assert_eq!(graph.get("/users?$top=999").await.rows().len(), 3);
}

#[tokio::test]
async fn a_page_with_sign_in_activity_is_cut_to_500() {
    let graph = Graph::granted(Config { users: 600, ..Config::default() }, &ALL).await;
    assert_eq!(graph.get("/users?$top=999").await.rows().len(), 600);
    assert_eq!(graph.get("/users?$top=999&$select=signInActivity").await.rows().len(), 500);
}

#[tokio::test]
async fn users_are_counted_where_the_header_asks_for_it_on_the_first_page() {
    let graph = Graph::usual().await;
    let silent = graph.get("/users?$count=true").await;
    assert_eq!((silent.status, silent.json.get("@odata.count")), (200, None));

    let counted = graph.get_with("/users?$count=true", "ConsistencyLevel", "eventual").await;
    assert_eq!(counted.json["@odata.count"], 250);
    let link = text(&counted.json, "@odata.nextLink").to_owned();
    let second = graph.get_with(&link, "ConsistencyLevel", "eventual").await;
    assert_eq!((second.rows().len(), second.json.get("@odata.count")), (100, None));
    let alone = graph.get_with("/users/$count", "ConsistencyLevel", "eventual").await;
    assert_eq!((alone.text.as_str(), alone.header("content-type")), ("250", Some("text/plain")));
}

#[tokio::test]
async fn an_advanced_filter_needs_its_header_on_every_page() {
    let graph = Graph::usual().await;
    let path = "/users?$filter=department ne 'IT'&$count=true&$top=5";
    let first = graph.get_with(path, "ConsistencyLevel", "eventual").await;
    assert_eq!(first.rows().len(), 5);
    let count = first.json["@odata.count"].as_u64().unwrap();
    assert!((5..250).contains(&count));
    let link = text(&first.json, "@odata.nextLink").to_owned();
    assert_eq!(graph.get(&link).await.error(), (400, "Request_UnsupportedQuery"));
    assert_eq!(graph.get_with(&link, "ConsistencyLevel", "eventual").await.status, 200);
}

#[tokio::test]
async fn there_are_guests_and_disabled_accounts_and_people_without_a_department_or_licence() {
    let graph = Graph::usual().await;
    let path =
        "/users?$top=999&$select=id,userType,accountEnabled,department,assignedLicenses,userPrincipalName";
    let rows = graph.rows(path).await;
    let count = |fits: &dyn Fn(&serde_json::Value) -> bool| rows.iter().filter(|row| fits(row)).count();
    let guests = count(&|row| row["userType"] == "Guest");
    assert!((1..60).contains(&guests), "{guests} guests");
    assert!(count(&|row| row["accountEnabled"] == false) > 0);
    assert!(count(&|row| row["userType"] == "Member" && row["department"].is_null()) > 0);
    assert!(
        count(&|row| row["userType"] == "Member" && row["assignedLicenses"] == serde_json::json!([])) > 0
    );
    let is_disabled_and_licensed =
        |row: &serde_json::Value| row["accountEnabled"] == false && row["assignedLicenses"][0].is_object();
    assert!(count(&is_disabled_and_licensed) > 0, "a licence is wasted");
    assert_eq!(count(&|row| row["userType"] == "Guest" && row["assignedLicenses"][0].is_object()), 0);
    let names: HashSet<_> = rows.iter().map(|row| text(row, "userPrincipalName")).collect();
    assert_eq!(names.len(), rows.len());

    let filtered = graph.rows("/users?$filter=userType eq 'Guest'&$top=10").await;
    assert_eq!(filtered.len(), guests);
}

#[tokio::test]
async fn a_user_is_found_by_id_and_by_name_and_has_licences_with_plans() {
    let graph = Graph::usual().await;
    let known = graph.cloud.simulator.office_users();
    let user = known.iter().find(|user| user.licences.contains(&"SPE_E3")).unwrap();
    let by_id = graph.get(&format!("/users/{}?$select=id,userPrincipalName", user.id)).await.json;
    assert_eq!(text(&by_id, "userPrincipalName"), user.principal_name);
    let by_name = graph.get(&format!("/users/{}", user.principal_name)).await.json;
    assert_eq!(text(&by_name, "id"), user.id.to_string());
    let details = graph.get(&format!("/users/{}/licenseDetails", user.id)).await;
    let numbers: Vec<_> = details.rows().iter().map(|row| text(row, "skuPartNumber")).collect();
    assert_eq!(numbers, user.licences);

    let guest = known.iter().find(|user| user.is_guest).unwrap();
    assert!(guest.principal_name.contains("#EXT#"));
    let by_name = guest.principal_name.replace('#', "%23");
    assert_eq!(graph.get(&format!("/users/{by_name}")).await.status, 200);
    let signed_in = graph.cloud.user_id("reader");
    assert_eq!(graph.get(&format!("/users/{signed_in}")).await.json["displayName"], "Rita Reader");
}

#[tokio::test]
async fn what_was_bought_is_what_is_used_and_some_more_or_less() {
    let graph = Graph::granted(Config::default(), &ALL).await;
    let rows = graph.rows("/subscribedSkus").await;
    let known = graph.cloud.simulator.office_users();
    for row in &rows {
        let number = text(row, "skuPartNumber");
        let users = known.iter().filter(|user| user.licences.contains(&number)).count();
        assert_eq!(row["consumedUnits"], users, "{number}");
    }
    let bought = |row: &serde_json::Value| row["prepaidUnits"]["enabled"].as_u64().unwrap();
    assert!(rows.iter().any(|row| bought(row) > row["consumedUnits"].as_u64().unwrap()));

    let user = known[0].id;
    graph.cloud.simulator.change_user(user, UserChange::Licences(vec!["SPB".to_owned()]));
    let path = format!("/users/{user}?$select=assignedLicenses");
    let licences = graph.get(&path).await.json["assignedLicenses"].clone();
    assert_eq!(text(&licences[0], "skuId"), "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46");
    assert_eq!(licences.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_tenant_without_office_365_has_users_and_no_licences() {
    let graph = Graph::granted(Config { office365: false, ..Config::default() }, &ALL).await;
    assert!(graph.rows("/subscribedSkus").await.is_empty());
    let rows = graph.rows("/users?$select=assignedLicenses&$top=999").await;
    assert!(rows.iter().all(|row| row["assignedLicenses"] == serde_json::json!([])));
    assert_eq!(rows.len(), 250);
    let report = graph.report("getOffice365ActiveUserDetail(period='D7')").await;
    assert_eq!(report.text.lines().count(), 1);
}

#[tokio::test]
async fn two_hundred_thousand_users_cost_nothing_until_they_are_asked_for() {
    let graph = Graph::granted(Config { users: 200_000, ..Config::default() }, &ALL).await;
    let counted = graph.get_with("/users?$count=true&$top=999", "ConsistencyLevel", "eventual").await;
    assert_eq!((counted.json["@odata.count"].as_u64(), counted.rows().len()), (Some(200_000), 999));
    let last = graph.cloud.simulator.office_user(199_999).unwrap();
    assert_eq!(graph.get(&format!("/users/{}", last.id)).await.json["displayName"], last.display_name);
}
