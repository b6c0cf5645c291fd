//! Filters of every field, filters within filters, and searches, on both databases.

use anyhow::Result;
use chrono::TimeDelta;
use entity::resource::{self, Column};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::{Value, json};

use super::filters::{World, world};

const THERE: [&str; 5] = ["100%_disk", "other", "plain", "Web-01", "web-02"];

/// What Azure tells of one of them, and of no other.
async fn tell(world: &World) -> Result<()> {
    let told = resource::ActiveModel {
        kind: Set(Some("Linux".to_owned())),
        sku: Set(Some("Standard_B2s".to_owned())),
        managed_by: Set(Some("/subscriptions/1/Pool".to_owned())),
        azure_created_at: Set(Some(world.stage.clock.now() - TimeDelta::days(9))),
        azure_changed_at: Set(Some(world.stage.clock.now() - TimeDelta::days(1))),
        arm_id: Set("/subscriptions/1/resourceGroups/RG-Web/Web-01".to_owned()),
        ..Default::default()
    };
    let first = resource::Entity::update_many().set(told).filter(Column::Name.eq("Web-01"));
    first.exec(&world.stage.database).await?;
    Ok(())
}

#[tokio::test]
async fn what_no_filter_within_a_filter_can_mean_is_refused() -> Result<()> {
    let world = world().await?;
    let deep = (0..5).fold(json!({}), |filter, _| json!({ "not": filter }));
    let wide: Vec<_> = (0..51).map(|_| json!({ "names": ["a"] })).collect();
    let long: Vec<_> = (0..11).map(|_| json!({ "names": vec!["a"; 500] })).collect();
    let query = "query($filter: ResourceFilter, $search: String) {
        resources(filter: $filter, search: $search) { nodes { name } } }";
    for (filter, search, says) in [
        (deep, json!(null), "6 filters within each other; at most 5 are allowed"),
        (json!({ "or": wide }), json!(null), "102 conditions; at most 100 are allowed"),
        (json!({ "and": long }), json!(null), "5500 items of lists; at most 5000 are allowed"),
        (json!({ "and": [{ "presence": "ANY" }] }), json!(null), "presence holds for all of a filter"),
        (json!({ "not": { "types": vec!["a"; 501] } }), json!(null), "types has 501 items"),
        (json!({ "changedAt": { "from": "1969-12-31T00:00:00Z" } }), json!(null), "changedAt has to lie in"),
        (json!({ "or": [{ "tags": [{ "name": "a", "match": "CONTAINS" }] }] }), json!(null), "give one"),
        (json!({}), json!("a".repeat(201)), "search has 201 characters; at most 200"),
        (json!({}), json!("a b c d e f g h i"), "search has 9 words; at most 8"),
        (json!({}), json!("a\u{0}b"), "NUL"),
    ] {
        let variables = json!({ "filter": filter, "search": search });
        let (refused, message) = world.stage.refusal(world.viewer, query, variables).await?;
        assert_eq!(refused, "BAD_INPUT", "{filter} {search}");
        assert!(message.contains(says), "{filter} {search}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn by_every_other_field() -> Result<()> {
    let world = world().await?;
    tell(&world).await?;
    let at = |days: i64| (world.stage.clock.now() + TimeDelta::days(days)).to_rfc3339();
    for (filter, names) in [
        (json!({ "kinds": ["LINUX", "windows"] }), &["Web-01"][..]),
        (json!({ "skus": ["standard_b2S"] }), &["Web-01"]),
        (json!({ "managedBy": ["/SUBSCRIPTIONS/1/pool"] }), &["Web-01"]),
        (json!({ "armIds": ["/subscriptions/1/RESOURCEGROUPS/rg-web/web-01"] }), &["Web-01"]),
        (json!({ "armIds": ["/subscriptions/1/resourcegroups/rg-web"] }), &[]),
        (json!({ "names": ["WEB-01", "other"] }), &["other", "Web-01"]),
        (json!({ "names": ["web"] }), &[]),
        (json!({ "azureCreatedAt": { "from": at(-10), "to": at(-9) } }), &[]),
        (json!({ "azureCreatedAt": { "from": at(-9) } }), &["Web-01"]),
        (json!({ "azureChangedAt": { "to": at(0) } }), &["Web-01"]),
        (json!({ "azureChangedAt": {} }), &["Web-01"]),
        (json!({ "firstSeenAt": { "from": at(1) } }), &[]),
        (json!({ "firstSeenAt": { "from": at(0) }, "changedAt": { "to": at(1) } }), &THERE),
    ] {
        assert_eq!(world.names(&filter).await?, names, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn filters_within_filters_are_and_or_and_not() -> Result<()> {
    let world = world().await?;
    tell(&world).await?;
    let (vm, disk) = ("microsoft.compute/virtualmachines", "microsoft.compute/disks");
    let prod = json!([{ "name": "env", "value": "Prod" }]);
    for (filter, names) in [
        (json!({ "and": [] }), &THERE[..]),
        (json!({ "and": [{}, {}] }), &THERE),
        (json!({ "or": [] }), &[]),
        (json!({ "or": [{}, { "names": ["plain"] }] }), &THERE),
        (json!({ "not": {} }), &[]),
        (json!({ "not": { "not": {} } }), &THERE),
        (json!({ "and": [{ "types": [vm] }, { "locations": ["eastus"] }] }), &["web-02"]),
        (
            json!({ "or": [{ "types": [vm] }, { "locations": ["eastus"] }] }),
            &["100%_disk", "plain", "Web-01", "web-02"],
        ),
        (
            json!({ "types": [disk], "or": [{ "tagging": "TAGGED" }, { "resourceGroups": ["rg"] }] }),
            &["100%_disk", "other"],
        ),
        (json!({ "not": { "tags": prod } }), &["100%_disk", "other", "plain", "web-02"]),
        (json!({ "not": { "or": [{ "tags": prod }, { "types": [disk] }] } }), &["web-02"]),
        // What is not known is not what was asked for, and so is let through by the opposite.
        (json!({ "not": { "kinds": ["linux"] } }), &["100%_disk", "other", "plain", "web-02"]),
        (json!({ "not": { "azureCreatedAt": {} } }), &["100%_disk", "other", "plain", "web-02"]),
        (json!({ "presence": "ANY", "not": { "types": [disk] } }), &["gone", "Web-01", "web-02"]),
        (json!({ "not": { "tenants": [world.ids["first tenant"]] } }), &["other"]),
        (
            json!({ "or": [{ "subscriptions": [world.ids["second"]] }, { "and": [{ "names": ["plain"] }] }] }),
            &["other", "plain"],
        ),
    ] {
        assert_eq!(world.names(&filter).await?, names, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn a_search_finds_each_of_its_words_anywhere() -> Result<()> {
    let world = world().await?;
    let query = "query($search: String) { resources(search: $search) { totalCount nodes { name } } }";
    for (search, names) in [
        ("", &THERE[..]),
        ("  \t", &THERE),
        ("web", &["Web-01", "web-02"]),
        ("WEB anna", &["Web-01"]),
        ("virtualMACHINES eastus", &[]),
        ("compute/DISKS rg-data prod", &[]),
        ("owner PROD rg-web", &["Web-01"]),
        ("test 100%", &["100%_disk"]),
        // A name and a value, but nothing between them, nor what JSON has around them.
        ("env prod", &["Web-01", "web-02"]),
        ("\":", &[]),
        ("{", &["100%_disk"]),
        ("quote\"d", &["100%_disk"]),
        ("\\", &["100%_disk"]),
        ("it's;", &["100%_disk"]),
        ("%", &["100%_disk"]),
        ("_", &["100%_disk"]),
    ] {
        let data = world.stage.ask(world.viewer, query, json!({ "search": search })).await?;
        let nodes = data["resources"]["nodes"].as_array().into_iter().flatten();
        let found: Vec<_> = nodes.filter_map(|node| node["name"].as_str()).collect();
        assert_eq!(found, names, "{search:?}");
        assert_eq!(data["resources"]["totalCount"], names.len(), "{search:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_search_and_a_filter_hold_both_and_within_a_subscription_too() -> Result<()> {
    let world = world().await?;
    let query = "query($search: String, $filter: ResourceFilter) {
        subscriptions(order: { field: NAME }) { nodes {
          resources(search: $search, filter: $filter) { nodes { name } } } } }";

    let variables = json!({ "search": "rg", "filter": { "locations": ["eastus", "global"] } });
    let data = world.stage.ask(world.viewer, query, variables).await?;

    let names = |subscription: usize| -> Vec<Value> {
        let nodes = &data["subscriptions"]["nodes"][subscription]["resources"]["nodes"];
        nodes.as_array().into_iter().flatten().map(|node| node["name"].clone()).collect()
    };
    assert_eq!(names(0), ["100%_disk", "plain", "web-02"]);
    assert_eq!(names(1), ["other"]);
    Ok(())
}
