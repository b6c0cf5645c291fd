//! Groups, and who is in them.

use std::collections::HashSet;

use serde_json::json;
use simulator::{Config, GroupMember};

use super::{ALL, Graph, text};

async fn of(graph: &Graph, name: &str) -> String {
    let rows = graph.rows(&format!("/groups?$filter=displayName eq '{name}'")).await;
    text(&rows[0], "id").to_owned()
}

#[tokio::test]
async fn what_is_not_supported_is_refused() {
    let graph = Graph::usual().await;
    let group = of(&graph, "All Company").await;
    for (path, code) in [
        ("/groups?$expand=members".to_owned(), "Request_UnsupportedQuery"),
        ("/groups?$select=nonsense".to_owned(), "BadRequest"),
        (format!("/groups/{group}/members?$filter=id eq 'x'"), "Request_UnsupportedQuery"),
        (format!("/groups/{group}/members/microsoft.graph.user"), "Request_UnsupportedQuery"),
        (format!("/groups/{group}/members/nonsense"), "BadRequest"),
        (format!("/groups/{group}/members/$count"), "Request_BadRequest"),
    ] {
        assert_eq!(graph.get(&path).await.error(), (400, code), "{path}");
    }
}

#[tokio::test]
async fn groups_of_every_kind_are_listed() {
    let graph = Graph::usual().await;
    let rows = graph.rows("/groups?$top=7").await;
    let ids: HashSet<_> = rows.iter().map(|row| text(row, "id")).collect();
    assert_eq!((rows.len(), ids.len()), (40, 40));
    for kind in [json!(["Unified"]), json!(["DynamicMembership"]), json!([])] {
        assert!(rows.iter().any(|row| row["groupTypes"] == kind), "{kind}");
    }
    let unified = graph.rows("/groups?$filter=groupTypes/any(c:c eq 'Unified')").await;
    assert!(!unified.is_empty() && unified.iter().all(|row| row["mailEnabled"] == true));
    assert_eq!(graph.get_with("/groups/$count", "ConsistencyLevel", "eventual").await.text, "40");
}

#[tokio::test]
async fn members_are_of_every_type_and_those_that_may_not_be_read_have_no_name() {
    let graph = Graph::granted(Config::default(), &ALL).await;
    let group = of(&graph, "Automation and devices").await;
    let path = format!("/groups/{group}/members");
    let rows = graph.rows(&path).await;
    for kind in ["user", "group", "servicePrincipal", "device"] {
        let kind = format!("#microsoft.graph.{kind}");
        assert!(rows.iter().any(|row| text(row, "@odata.type") == kind), "{kind}");
    }
    assert!(rows.iter().all(|row| row["displayName"].is_string()));

    let blind = Graph::granted(Config::default(), &["Group.Read.All"]).await;
    let rows = blind.rows(&path).await;
    let users: Vec<_> =
        rows.iter().filter(|row| text(row, "@odata.type") == "#microsoft.graph.user").collect();
    assert!(!users.is_empty());
    assert!(users.iter().all(|row| row.as_object().unwrap().len() == 2), "type and id alone: {users:?}");

    let cast = format!("{path}/microsoft.graph.user?$count=true");
    let counted = graph.get_with(&cast, "ConsistencyLevel", "eventual").await;
    assert_eq!(counted.json["@odata.count"].as_u64(), Some(users.len() as u64));
}

#[tokio::test]
async fn members_are_listed_to_the_last_page_and_nested_ones_once() {
    let graph = Graph::usual().await;
    let members = graph.cloud.simulator.office_users().iter().filter(|user| !user.is_guest).count();
    let everybody = of(&graph, "All Company").await;
    for query in ["", "?$top=999", "?$top=13&$select=id"] {
        assert_eq!(graph.rows(&format!("/groups/{everybody}/members{query}")).await.len(), members);
    }
    assert!(graph.rows(&format!("/groups/{}/members", of(&graph, "Nobody yet").await)).await.is_empty());

    let outer = of(&graph, "Cloud owners and their groups").await;
    let inner = of(&graph, "Cloud owners").await;
    let direct = graph.rows(&format!("/groups/{outer}/members")).await;
    assert_eq!(direct.iter().map(|row| text(row, "id")).collect::<Vec<_>>(), [inner.as_str()]);
    let nested = graph.rows(&format!("/groups/{outer}/transitiveMembers")).await;
    let ids: HashSet<_> = nested.iter().map(|row| text(row, "id").to_owned()).collect();
    assert_eq!(ids, HashSet::from([inner.clone(), graph.cloud.user_id("group-owner").to_string()]));

    let id = |text: &str| text.parse().unwrap();
    let simulator = &graph.cloud.simulator;
    simulator.add_member(id(&inner), GroupMember::Group(id(&outer)));
    let circle = graph.rows(&format!("/groups/{outer}/transitiveMembers")).await;
    assert_eq!(circle.len(), 3, "a circle has an end");
    simulator.remove_member(id(&inner), GroupMember::User(graph.cloud.user_id("group-owner")));
    assert_eq!(graph.rows(&format!("/groups/{inner}/members")).await.len(), 1);
}
