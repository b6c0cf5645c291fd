//! Users and groups: filtered, searched, ordered, and joined to one another.

use anyhow::Result;
use api::viewer::Viewer;
use chrono::TimeDelta;
use entity::office::{feed, group, membership};
use serde_json::{Value, json};
use uuid::Uuid;

use super::directory::{Directory, GRANTED};
use crate::graphql::stage::Stage;

async fn names(stage: &Stage, viewer: Viewer, field: &str, arguments: &str) -> Result<Vec<String>> {
    let query = format!("{{ {field}{arguments} {{ totalCount nodes {{ displayName }} }} }}");
    let found = stage.ask(viewer, &query, json!({})).await?[field].take();
    let nodes = found["nodes"].as_array().cloned().unwrap_or_default();
    assert_eq!(found["totalCount"], nodes.len(), "{arguments}");
    let name = |node: &Value| node["displayName"].as_str().unwrap_or_default().to_owned();
    Ok(nodes.iter().map(name).collect())
}

#[tokio::test]
async fn users_are_filtered_searched_and_ordered() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let other = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let (sku, now) = (Uuid::new_v4(), stage.clock.now());
    let ada = directory
        .user("Ada", |user| {
            user.department = Some("Sales".to_owned());
            user.licence_count = 1;
        })
        .await?;
    directory.licence(&ada, sku).await?;
    directory
        .user("bob", |user| (user.is_enabled, user.changed_at) = (false, now - TimeDelta::hours(1)))
        .await?;
    directory
        .user("Élodie", |user| {
            user.is_guest = true;
            user.principal_name = "ÉLODIE@fabrikam.example".to_owned();
            user.folded_name = "élodie@fabrikam.example".to_owned();
        })
        .await?;
    directory.user("gone", |user| user.deleted_at = Some(now)).await?;
    other.user("zoe", |_| ()).await?;
    let (first, sku) = (directory.id(), sku.to_string());

    for (arguments, expected) in [
        (String::new(), &["Ada", "bob", "zoe", "Élodie"][..]),
        ("(order: { direction: DESC })".to_owned(), &["Élodie", "zoe", "bob", "Ada"]),
        ("(order: { field: CHANGED_AT }, first: 1, filter: { isEnabled: false })".to_owned(), &["bob"]),
        (format!("(filter: {{ tenants: [\"{first}\"] }})"), &["Ada", "bob", "Élodie"]),
        ("(filter: { tenants: [] })".to_owned(), &[]),
        ("(filter: { isGuest: true })".to_owned(), &["Élodie"]),
        ("(filter: { departments: [\"Sales\"] })".to_owned(), &["Ada"]),
        ("(filter: { departments: [\"\"], isGuest: false })".to_owned(), &["bob", "zoe"]),
        (format!("(filter: {{ skuIds: [\"{sku}\"] }})"), &["Ada"]),
        ("(filter: { licensing: UNLICENSED, isEnabled: true })".to_owned(), &["zoe", "Élodie"]),
        ("(filter: { presence: DELETED })".to_owned(), &["gone"]),
        ("(search: \"ADA contoso\")".to_owned(), &["Ada"]),
        ("(search: \"élodie\")".to_owned(), &["Élodie"]),
        ("(search: \"%\")".to_owned(), &[]),
    ] {
        assert_eq!(names(&stage, viewer, "users", &arguments).await?, expected, "{arguments}");
    }
    let long = format!("{{ users(search: \"{}\") {{ totalCount }} }}", "a".repeat(201));
    assert_eq!(stage.refusal(viewer, &long, json!({})).await?.0, "BAD_INPUT");
    Ok(())
}

#[tokio::test]
async fn a_user_tells_the_last_sign_in_or_which_permission_is_missing() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let without = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let with = Directory::connect(&stage, viewer, Some(&["AuditLog.Read.All"])).await?;
    let at = stage.clock.now();
    without.user("a", |user| user.last_sign_in_at = Some(at)).await?;
    with.user("b", |user| user.last_sign_in_at = Some(at)).await?;
    with.user("c", |_| ()).await?;
    with.feed(feed::Kind::SignIns, 0, |_| ()).await?;
    let query = "{ users { nodes { lastSignIn { __typename ... on SignIn { at readAt } ... on NotGranted { permission } } } } }";

    let told = stage.ask(viewer, query, json!({})).await?["users"]["nodes"].take();

    let not_granted = json!({ "__typename": "NotGranted", "permission": "AuditLog.Read.All" });
    assert_eq!(told[0]["lastSignIn"], not_granted);
    assert_eq!(told[1]["lastSignIn"]["__typename"], "SignIn");
    assert!(told[1]["lastSignIn"]["at"].is_string() && told[1]["lastSignIn"]["readAt"].is_string(), "{told}");
    assert_eq!(told[2]["lastSignIn"]["at"], json!(null));
    Ok(())
}

#[tokio::test]
async fn groups_tell_their_members_and_users_their_groups() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let ada = directory.user("ada", |_| ()).await?;
    let crew = directory.group("Crew", group::Kind::Microsoft365, 2).await?;
    let empty = directory.group("empty", group::Kind::Security, 0).await?;
    directory.member(&crew, ada.entra_user_id, membership::Kind::User).await?;
    directory.member(&crew, Uuid::new_v4(), membership::Kind::Device).await?;
    let query = "query($id: ID!, $user: ID!) {
        node(id: $id) { ... on OfficeGroup { displayName memberCount
          members { totalCount nodes { kind user { displayName } } } } }
        user: node(id: $user) { ... on OfficeUser { groups { nodes { displayName kind } } licences { product } } } }";
    let ids = json!({ "id": format!("office-group:{}", crew.id), "user": format!("office-user:{}", ada.id) });

    let mut told = stage.ask(viewer, query, ids).await?;

    let members = told["node"]["members"]["nodes"].as_array_mut().expect("members");
    members.sort_by_key(ToString::to_string);
    assert_eq!(
        members,
        &[
            json!({ "kind": "DEVICE", "user": null }),
            json!({ "kind": "USER", "user": { "displayName": "ada" } })
        ]
    );
    assert_eq!(told["user"]["groups"]["nodes"], json!([{ "displayName": "Crew", "kind": "MICROSOFT_365" }]));
    for (arguments, expected) in [
        ("", &["Crew", "empty"][..]),
        ("(filter: { isEmpty: true })", &["empty"]),
        ("(filter: { isEmpty: false })", &["Crew"]),
        ("(filter: { kinds: [SECURITY] })", &["empty"]),
        ("(order: { field: MEMBER_COUNT })", &["empty", "Crew"]),
        ("(search: \"CRE\")", &["Crew"]),
    ] {
        assert_eq!(names(&stage, viewer, "groups", arguments).await?, expected, "{arguments} {}", empty.id);
    }
    Ok(())
}

#[tokio::test]
async fn members_of_groups_in_groups_come_once_also_where_these_go_in_circles() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let (ada, bob) = (directory.user("ada", |_| ()).await?, directory.user("bob", |_| ()).await?);
    let outer = directory.group("outer", group::Kind::Security, 2).await?;
    let inner = directory.group("inner", group::Kind::Security, 3).await?;
    directory.member(&outer, ada.entra_user_id, membership::Kind::User).await?;
    directory.member(&outer, inner.entra_group_id, membership::Kind::Group).await?;
    directory.member(&inner, ada.entra_user_id, membership::Kind::User).await?;
    directory.member(&inner, bob.entra_user_id, membership::Kind::User).await?;
    directory.member(&inner, outer.entra_group_id, membership::Kind::Group).await?;
    let query = "query($id: ID!) { node(id: $id) { ... on OfficeGroup { members { totalCount }
        transitiveMembers { totalCount nodes { kind user { displayName } } } } } }";

    let told = stage.ask(viewer, query, json!({ "id": format!("office-group:{}", outer.id) })).await?;

    let members = &told["node"]["transitiveMembers"];
    assert_eq!((&told["node"]["members"]["totalCount"], &members["totalCount"]), (&json!(2), &json!(4)));
    let nodes = members["nodes"].as_array().into_iter().flatten();
    let users = nodes
        .filter_map(|node| node["user"]["displayName"].as_str())
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(users.into_iter().collect::<Vec<_>>(), ["ada", "bob"]);
    Ok(())
}
