//! Filters, on both databases: what they let through.

use anyhow::Result;
use api::viewer::Viewer;
use serde_json::{Value, json};

use super::stage::{Given, Stage};

const VM: &str = "microsoft.compute/virtualmachines";
const DISK: &str = "microsoft.compute/disks";

const FIRST: [Given; 5] = [
    Given {
        name: "Web-01",
        resource_type: VM,
        location: "westeurope",
        group: "RG-Web",
        tags: &[("Env", "Prod"), ("owner", "anna")],
        deleted: false,
    },
    Given {
        name: "web-02",
        resource_type: VM,
        location: "eastus",
        group: "rg-web",
        tags: &[("env", "prod")],
        deleted: false,
    },
    Given {
        name: "100%_disk",
        resource_type: DISK,
        location: "eastus",
        group: "rg-data",
        tags: &[("ENV", "Test"), ("quote\"d", "it's; drop -- \\ \n{}")],
        deleted: false,
    },
    Given {
        name: "plain",
        resource_type: DISK,
        location: "eastus",
        group: "rg-data",
        tags: &[],
        deleted: false,
    },
    Given {
        name: "gone",
        resource_type: VM,
        location: "eastus",
        group: "rg-data",
        tags: &[("env", "Prod")],
        deleted: true,
    },
];

const SECOND: [Given; 1] = [Given {
    name: "other",
    resource_type: DISK,
    location: "global",
    group: "rg",
    tags: &[],
    deleted: false,
}];

/// Some resources in two subscriptions of two tenants.
pub struct World {
    pub stage: Stage,
    pub viewer: Viewer,
    /// By name.
    pub ids: Value,
}

pub async fn world() -> Result<World> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let (first_tenant, second_tenant) = (stage.tenant(viewer).await?, stage.tenant(viewer).await?);
    let first = stage.subscription(&first_tenant, "first").await?;
    let second = stage.subscription(&second_tenant, "Second").await?;
    stage.resources(&first, &FIRST).await?;
    stage.resources(&second, &SECOND).await?;
    let ids = json!({
        "first": format!("subscription:{}", first.id), "second": format!("subscription:{}", second.id),
        "first tenant": format!("tenant:{}", first_tenant.id), "second tenant": format!("tenant:{}", second_tenant.id),
    });
    Ok(World { stage, viewer, ids })
}

impl World {
    /// The names of the resources that `filter` lets through, in order.
    pub async fn names(&self, filter: &Value) -> Result<Vec<String>> {
        let query =
            "query($filter: ResourceFilter) { resources(filter: $filter) { totalCount nodes { name } } }";
        let data = self.stage.ask(self.viewer, query, json!({ "filter": filter })).await?;
        let nodes = data["resources"]["nodes"].as_array().into_iter().flatten();
        let names: Vec<_> = nodes.filter_map(|node| node["name"].as_str().map(str::to_owned)).collect();
        assert_eq!(data["resources"]["totalCount"], names.len(), "{filter}");
        Ok(names)
    }
}

#[tokio::test]
async fn by_place_nature_and_presence() -> Result<()> {
    let world = world().await?;
    let ids = &world.ids;
    let there = ["100%_disk", "other", "plain", "Web-01", "web-02"];
    for (filter, names) in [
        (json!(null), &there[..]),
        (json!({}), &there),
        (json!({ "presence": "DELETED" }), &["gone"]),
        (json!({ "presence": "ANY" }), &["100%_disk", "gone", "other", "plain", "Web-01", "web-02"]),
        (json!({ "subscriptions": [ids["second"]] }), &["other"]),
        (json!({ "subscriptions": [ids["first"], ids["second"]] }), &there),
        (json!({ "subscriptions": [] }), &[]),
        (json!({ "tenants": [ids["second tenant"]] }), &["other"]),
        (json!({ "tenants": [ids["first tenant"]], "subscriptions": [ids["second"]] }), &[]),
        (json!({ "types": ["Microsoft.Compute/virtualMachines"] }), &["Web-01", "web-02"]),
        (json!({ "types": [VM, DISK] }), &there),
        (json!({ "locations": ["West Europe", "GLOBAL"] }), &["other", "Web-01"]),
        (json!({ "resourceGroups": ["rg-WEB"] }), &["Web-01", "web-02"]),
        (json!({ "nameContains": "WEB" }), &["Web-01", "web-02"]),
        (json!({ "nameContains": "0%_d" }), &["100%_disk"]),
        (json!({ "nameContains": "%" }), &["100%_disk"]),
        (json!({ "nameContains": "' or 1=1 --" }), &[]),
        (json!({ "types": [VM], "locations": ["eastus"] }), &["web-02"]),
    ] {
        assert_eq!(world.names(&filter).await?, names, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn by_tags_whose_names_fold_and_whose_values_do_not() -> Result<()> {
    let world = world().await?;
    for (tags, names) in [
        (json!([{ "name": "ENV", "value": "Prod" }]), &["Web-01"][..]),
        (json!([{ "name": "env", "value": "prod", "match": "EQUALS" }]), &["web-02"]),
        (json!([{ "name": "Env", "match": "PRESENT" }]), &["100%_disk", "Web-01", "web-02"]),
        (json!([{ "name": "Env", "match": "ABSENT" }]), &["other", "plain"]),
        (json!([{ "name": "env", "value": "Prod", "match": "NOT_EQUALS" }]), &["100%_disk", "web-02"]),
        (json!([{ "name": "env", "value": "Prod" }, { "name": "Owner", "match": "PRESENT" }]), &["Web-01"]),
        (
            json!([{ "name": "env", "match": "PRESENT" }, { "name": "owner", "match": "ABSENT" }]),
            &["100%_disk", "web-02"],
        ),
        (json!([{ "name": "quote\"d", "value": "it's; drop -- \\ \n{}" }]), &["100%_disk"]),
        (json!([{ "name": "ENV", "value": "pr", "match": "STARTS_WITH" }]), &["web-02"]),
        (json!([{ "name": "env", "value": "", "match": "STARTS_WITH" }]), &["100%_disk", "Web-01", "web-02"]),
        (json!([{ "name": "env", "value": "ro", "match": "CONTAINS" }]), &["Web-01", "web-02"]),
        (json!([{ "name": "quote\"d", "value": "\\ \n", "match": "CONTAINS" }]), &["100%_disk"]),
        (json!([{ "name": "env", "value": "env", "match": "CONTAINS" }]), &[]),
        (json!([]), &["100%_disk", "other", "plain", "Web-01", "web-02"]),
    ] {
        assert_eq!(world.names(&json!({ "tags": tags })).await?, names, "{tags}");
    }
    assert_eq!(world.names(&json!({ "tagging": "UNTAGGED" })).await?, ["other", "plain"]);
    assert_eq!(world.names(&json!({ "tagging": "TAGGED" })).await?, ["100%_disk", "Web-01", "web-02"]);
    Ok(())
}

#[tokio::test]
async fn what_no_filter_can_mean_is_refused() -> Result<()> {
    let world = world().await?;
    let many: Vec<_> = (0..501).map(|index| index.to_string()).collect();
    let query = "query($filter: ResourceFilter) { resources(filter: $filter) { nodes { name } } }";
    for (filter, code, says) in [
        (json!({ "tags": [{ "name": "env" }] }), "BAD_INPUT", "give one"),
        (
            json!({ "tags": [{ "name": "env", "value": "x", "match": "ABSENT" }] }),
            "BAD_INPUT",
            "leave the value out",
        ),
        (json!({ "types": many }), "BAD_INPUT", "types has 501 items; at most 500"),
        (json!({ "nameContains": "a\u{0}b" }), "BAD_INPUT", "NUL"),
        (json!({ "tags": [{ "name": "a\u{0}", "match": "PRESENT" }] }), "BAD_INPUT", "NUL"),
        (json!({ "tags": [{ "name": "env\nProd", "match": "PRESENT" }] }), "BAD_INPUT", "line break"),
        (json!({ "subscriptions": [world.ids["first tenant"]] }), "BAD_ID", "subscription"),
        (json!({ "tenants": ["nonsense"] }), "BAD_ID", "tenant"),
    ] {
        let (refused, message) =
            world.stage.refusal(world.viewer, query, json!({ "filter": filter })).await?;
        assert_eq!(refused, code, "{filter}");
        assert!(message.contains(says), "{filter}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn subscriptions_are_filtered_and_ordered() -> Result<()> {
    let world = world().await?;
    let query = "query($tenant: ID, $filter: AzureSubscriptionFilter, $order: AzureSubscriptionOrder!) {
        subscriptions(tenant: $tenant, filter: $filter, order: $order) { nodes { displayName } } }";
    let order = json!({ "field": "NAME" });
    for (variables, names) in [
        (json!({ "order": order }), &["first", "Second"][..]),
        (json!({ "order": { "field": "NAME", "direction": "DESC" } }), &["Second", "first"]),
        (
            json!({ "order": { "field": "RESOURCE_COUNT" }, "tenant": world.ids["second tenant"] }),
            &["Second"],
        ),
        (json!({ "order": order, "filter": { "nameContains": "SEC" } }), &["Second"]),
        (
            json!({ "order": order, "filter": { "accessLevels": ["READ_TAGS", "NONE"] } }),
            &["first", "Second"],
        ),
        (json!({ "order": order, "filter": { "accessLevels": ["NONE"] } }), &[]),
        (json!({ "order": order, "filter": { "azureStates": ["DISABLED"] } }), &[]),
    ] {
        let data = world.stage.ask(world.viewer, query, variables.clone()).await?;
        let nodes = data["subscriptions"]["nodes"].as_array().into_iter().flatten();
        let found: Vec<_> = nodes.filter_map(|node| node["displayName"].as_str()).collect();
        assert_eq!(found, names, "{variables}");
    }
    Ok(())
}
