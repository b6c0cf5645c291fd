//! Delta queries: everything, then what has changed; and tokens that die.

use serde_json::{Value, json};
use simulator::{Config, GroupMember, UserChange};

use super::{Graph, text};

fn of<'a>(rows: &'a [Value], id: &str) -> &'a Value {
    rows.iter().find(|row| row["id"] == id).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_dead_token_is_gone_and_says_where_to_begin_again() {
    let graph = Graph::usual().await;
    let (_, link) = graph.round("/users/delta?$select=displayName").await;
    graph.cloud.simulator.expire_delta_tokens();
    let gone = graph.get(&link).await;
    assert_eq!(gone.error(), (410, "resyncRequired"));
    let again = gone.header("location").unwrap().to_owned();
    assert!(again.ends_with("$deltatoken="), "{again}");
    let (rows, _) = graph.round(&again).await;
    assert_eq!((rows.len(), rows[0].as_object().unwrap().len()), (250, 2), "what was selected still is");
}

#[tokio::test]
async fn a_token_is_good_for_seven_days() {
    let graph = Graph::usual().await;
    let (_, link) = graph.round("/groups/delta").await;
    graph.cloud.pass(7 * 24 * 60 * 60);
    let token = graph.cloud.ask_app_token(crate::cloud::GRAPH).await.token();
    let fresh = graph.cloud.get(&token, &link).await;
    assert_eq!(fresh.status, 200);
    let renewed = text(&fresh.json, "@odata.deltaLink").to_owned();
    graph.cloud.pass(1);
    assert_eq!(graph.cloud.get(&token, &link).await.error(), (410, "syncStateNotFound"));
    assert_eq!(graph.cloud.get(&token, &renewed).await.status, 200);
}

#[tokio::test]
async fn what_is_not_supported_is_refused() {
    let graph = Graph::usual().await;
    let pages = graph.pages("/users/delta").await;
    let next = text(&pages[0].json, "@odata.nextLink").to_owned();
    for path in [
        "/users/delta?$top=5",
        "/users/delta?$expand=manager",
        "/users/delta?$orderby=displayName",
        "/users/delta?$filter=department eq 'IT'",
        "/users/delta?$select=signInActivity",
        &format!("{next}&$select=id"),
    ] {
        assert_eq!(graph.get(path).await.error(), (400, "Request_UnsupportedQuery"), "{path}");
    }
    let token = next.split_once("$skiptoken=").unwrap().1;
    for path in ["/users/delta?$deltatoken=nonsense", &format!("/groups/delta?$skiptoken={token}")] {
        assert_eq!(graph.get(path).await.error(), (400, "Request_BadRequest"), "{path}");
    }
}

#[tokio::test]
async fn users_come_once_and_then_as_they_change() {
    let graph = Graph::usual().await;
    let simulator = &graph.cloud.simulator;
    let (all, link) = graph.round("/users/delta?$select=displayName,department,accountEnabled").await;
    assert_eq!(all.len(), 250);
    let (nothing, link) = graph.round(&link).await;
    assert!(nothing.is_empty());

    let user = |number| simulator.office_user(number).unwrap().id;
    let (changed, deleted, purged, untracked) = (user(20), user(21), user(22), user(23));
    let added = simulator.add_user();
    simulator.change_user(changed, UserChange::Department(Some("Law".to_owned())));
    simulator.delete_user(deleted);
    simulator.purge_user(purged);
    simulator.change_user(untracked, UserChange::PrincipalName("other@contoso.example".to_owned()));
    let (rows, link) = graph.round(&link).await;
    assert_eq!(rows.len(), 4, "a property that is not selected is not tracked: {rows:?}");
    assert_eq!(of(&rows, &changed.to_string())["department"], "Law");
    assert!(of(&rows, &added.to_string())["displayName"].is_string());
    assert_eq!(of(&rows, &deleted.to_string())["@removed"]["reason"], "changed");
    assert_eq!(of(&rows, &purged.to_string())["@removed"]["reason"], "deleted");

    simulator.restore_user(deleted);
    let (rows, link) = graph.round(&link).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0]["displayName"].is_string());
    let (rows, _) = graph.round(&link).await;
    assert!(rows.is_empty());
}

#[tokio::test]
async fn what_changes_between_two_pages_is_not_lost() {
    let graph = Graph::usual().await;
    graph.cloud.simulator.set_graph_page_size(50);
    let first = graph.get("/users/delta?$select=displayName").await;
    let seen = text(&first.rows()[30], "id").to_owned();
    let rename = |name: &str| UserChange::DisplayName(name.to_owned());
    graph.cloud.simulator.change_user(seen.parse().unwrap(), rename("New Name"));
    let (_, link) = graph.round(text(&first.json, "@odata.nextLink")).await;
    let (rows, link) = graph.round(&link).await;
    assert_eq!(rows, [json!({ "id": seen, "displayName": "New Name" })]);

    graph.cloud.simulator.set_graph_page_size(2);
    let ids: Vec<_> = (30..35).map(|number| graph.cloud.simulator.office_user(number).unwrap().id).collect();
    for id in &ids {
        graph.cloud.simulator.change_user(*id, rename("Again"));
    }
    let first = graph.get(&link).await;
    assert_eq!(first.rows().len(), 2);
    graph.cloud.simulator.change_user(ids[0], rename("And Again"));
    let (rows, link) = graph.round(text(&first.json, "@odata.nextLink")).await;
    assert_eq!(rows.len(), 4, "three that are left, and one once more");
    assert!(graph.round(&link).await.0.is_empty());
}

#[tokio::test]
async fn only_what_has_changed_is_answered_to_whoever_prefers_that() {
    let graph = Graph::usual().await;
    let (_, link) = graph.round("/users/delta").await;
    let user = graph.cloud.simulator.office_user(30).unwrap().id;
    graph.cloud.simulator.change_user(user, UserChange::DisplayName("New Name".to_owned()));
    let minimal = graph.get_with(&link, "Prefer", "return=minimal").await;
    assert_eq!(minimal.rows(), [json!({ "id": user, "displayName": "New Name" })]);
    assert!(graph.get(&link).await.rows()[0].as_object().unwrap().len() > 2);
}

#[tokio::test]
async fn a_round_may_begin_now_or_be_about_some_alone() {
    let graph = Graph::usual().await;
    let (rows, link) = graph.round("/users/delta?$deltaToken=latest").await;
    assert!(rows.is_empty());
    let added = graph.cloud.simulator.add_user();
    let (rows, _) = graph.round(&link).await;
    assert_eq!(rows.len(), 1);
    let (rows, link) = graph.round(&format!("/users/delta?$filter=id eq '{added}'")).await;
    assert_eq!(rows.len(), 1);
    graph.cloud.simulator.add_user();
    assert!(graph.round(&link).await.0.is_empty());
}

#[tokio::test]
async fn groups_come_with_their_members_and_then_with_who_came_or_left() {
    let graph = Graph::usual().await;
    let simulator = &graph.cloud.simulator;
    let (all, link) = graph.round("/groups/delta").await;
    assert_eq!(all.len(), 40);
    let (inner, outer) = (simulator.office_group(0).unwrap(), simulator.office_group(1).unwrap());
    let member = &of(&all, &outer.to_string())["members@delta"][0];
    assert_eq!(*member, json!({ "@odata.type": "#microsoft.graph.group", "id": inner }));
    assert_eq!(of(&all, &simulator.office_group(3).unwrap().to_string()).get("members@delta"), None);

    let (owner, newcomer) = (graph.cloud.user_id("group-owner"), simulator.office_user(40).unwrap().id);
    simulator.remove_member(inner, GroupMember::User(owner));
    simulator.add_member(inner, GroupMember::User(newcomer));
    simulator.delete_group(outer);
    let fresh = simulator.add_group("Fresh");
    simulator.add_member(fresh, GroupMember::User(newcomer));
    let (rows, link) = graph.round(&link).await;
    assert_eq!(rows.len(), 3);
    let changes = of(&rows, &inner.to_string())["members@delta"].as_array().unwrap();
    assert_eq!(of(changes, &owner.to_string())["@removed"]["reason"], "deleted");
    assert_eq!(of(changes, &newcomer.to_string()).get("@removed"), None);
    assert_eq!(of(&rows, &outer.to_string())["@removed"]["reason"], "changed");
    assert_eq!(text(&of(&rows, &fresh.to_string())["members@delta"][0], "id"), newcomer.to_string());

    simulator.delete_user(newcomer);
    simulator.rename_group(fresh, "Stale");
    let (rows, link) = graph.round(&link).await;
    let left = &of(&rows, &inner.to_string())["members@delta"][0];
    assert_eq!(
        (text(left, "id"), &left["@removed"]["reason"]),
        (newcomer.to_string().as_str(), &json!("deleted"))
    );
    assert_eq!(of(&rows, &fresh.to_string())["displayName"], "Stale");
    assert!(graph.round(&link).await.0.is_empty());
}

#[tokio::test]
async fn a_large_group_comes_again_on_the_next_page() {
    let graph = Graph::granted(Config { users: 2_500, ..Config::default() }, &super::ALL).await;
    let (rows, _) = graph.round("/groups/delta?$select=displayName,members").await;
    let everybody = graph.cloud.simulator.office_group(2).unwrap().to_string();
    let parts: Vec<_> = rows.iter().filter(|row| row["id"] == everybody).collect();
    assert!(parts.len() > 1);
    let members: usize = parts.iter().map(|row| row["members@delta"].as_array().map_or(0, Vec::len)).sum();
    let wanted = graph.cloud.simulator.office_users().iter().filter(|user| !user.is_guest).count();
    assert_eq!(members, wanted);
    let (rows, _) = graph.round("/groups/delta?$select=displayName").await;
    assert!(rows.iter().all(|row| row.get("members@delta").is_none()), "they were not asked for");
}
