//! Pages: every item once, in order, whichever way they are turned.

use anyhow::{Context as _, Result};
use api::viewer::Viewer;
use entity::{Owned, resource};
use serde_json::{Value, json};

use super::stage::{Given, Stage};

const PAGE: &str = "query($order: ResourceOrder!, $first: Int, $after: String, $last: Int, $before: String) {
    resources(order: $order, first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { id } edges { cursor node { id } }
      pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } }";

/// Names that differ in case only, that are equal, that are not ASCII, and that sort apart in other collations.
const NAMES: [&str; 17] = [
    "b",
    "B",
    "a",
    "a",
    "Ä",
    "ä",
    "z_1",
    "Z-2",
    "z1",
    "_",
    "vm 10",
    "vm 9",
    "VM 9",
    "é",
    "e",
    "f",
    "\u{1F600}",
];

async fn world(stage: &Stage) -> Result<Viewer> {
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let subscription = stage.subscription(&tenant, "one").await?;
    let given: Vec<_> = NAMES.iter().map(|name| Given { name, ..Given::default() }).collect();
    stage.resources(&subscription, &given).await?;
    Ok(viewer)
}

/// The ids of all resources in this order, as the rows say.
async fn expected(stage: &Stage, viewer: Viewer, field: &str, direction: &str) -> Result<Vec<String>> {
    let mut rows = resource::Entity::owned_by(viewer.organization_id).all(&stage.database).await?;
    match field {
        "NAME" => rows.sort_by_key(|row| (row.name.to_ascii_lowercase(), row.id)),
        "FIRST_SEEN_AT" => rows.sort_by_key(|row| (row.first_seen_at, row.id)),
        _ => rows.sort_by_key(|row| (row.changed_at, row.id)),
    }
    if direction == "DESC" {
        rows.reverse();
    }
    Ok(rows.iter().map(|row| format!("resource:{}", row.id)).collect())
}

fn ids(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["id"].as_str().map(str::to_owned)).collect()
}

async fn page(stage: &Stage, viewer: Viewer, variables: Value) -> Result<Value> {
    let mut data = stage.ask(viewer, PAGE, variables).await?;
    let page = data["resources"].take();
    assert_eq!(page["totalCount"], NAMES.len(), "{page}");
    let edges = page["edges"].as_array().context("no edges")?;
    assert_eq!(ids(&page), edges.iter().filter_map(|edge| edge["node"]["id"].as_str()).collect::<Vec<_>>());
    let end = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
    assert_eq!(page["pageInfo"]["startCursor"], end(edges.first()));
    assert_eq!(page["pageInfo"]["endCursor"], end(edges.last()));
    Ok(page)
}

#[tokio::test]
async fn every_item_is_met_once_in_every_order_and_both_ways() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    for (field, direction) in [
        ("NAME", "ASC"),
        ("NAME", "DESC"),
        ("FIRST_SEEN_AT", "ASC"),
        ("CHANGED_AT", "ASC"),
        ("CHANGED_AT", "DESC"),
    ] {
        let order = json!({ "field": field, "direction": direction });
        let all = expected(&stage, viewer, field, direction).await?;
        for size in [1, 3, 7, all.len(), all.len() + 1] {
            assert_eq!(forwards(&stage, viewer, &order, size).await?, all, "{order} by {size}");
            assert_eq!(backwards(&stage, viewer, &order, size).await?, all, "{order} by {size} from the end");
        }
    }
    Ok(())
}

async fn forwards(stage: &Stage, viewer: Viewer, order: &Value, size: usize) -> Result<Vec<String>> {
    let (mut met, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = page(stage, viewer, json!({ "order": order, "first": size, "after": after })).await?;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !met.is_empty());
        met.extend(ids(&page));
        assert_eq!(page["pageInfo"]["hasNextPage"], met.len() < NAMES.len());
        if page["pageInfo"]["hasNextPage"] == false {
            return Ok(met);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn backwards(stage: &Stage, viewer: Viewer, order: &Value, size: usize) -> Result<Vec<String>> {
    let (mut met, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = page(stage, viewer, json!({ "order": order, "last": size, "before": before })).await?;
        assert_eq!(page["pageInfo"]["hasNextPage"], !met.is_empty());
        met.splice(0..0, ids(&page));
        assert_eq!(page["pageInfo"]["hasPreviousPage"], met.len() < NAMES.len());
        if page["pageInfo"]["hasPreviousPage"] == false {
            return Ok(met);
        }
        before = page["pageInfo"]["startCursor"].clone();
    }
}

#[tokio::test]
async fn a_page_between_two_cursors_knows_what_lies_on_both_sides() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    let order = json!({ "field": "NAME" });
    let all = page(&stage, viewer, json!({ "order": order, "first": 500 })).await?;
    let cursor = |index: usize| all["edges"][index]["cursor"].clone();
    let between = |from: usize, to: usize, size: Value| {
        let mut variables = json!({ "order": order, "after": cursor(from), "before": cursor(to) });
        variables
            .as_object_mut()
            .into_iter()
            .for_each(|map| map.extend(size.as_object().cloned().unwrap_or_default()));
        page(&stage, viewer, variables)
    };

    let first = between(2, 8, json!({ "first": 2 })).await?;
    let last = between(2, 8, json!({ "last": 2 })).await?;
    let whole = between(2, 8, json!({ "first": 50 })).await?;
    let empty = between(2, 3, json!({ "first": 50 })).await?;

    assert_eq!(ids(&first), ids(&all)[3..5]);
    assert_eq!(ids(&last), ids(&all)[6..8]);
    assert_eq!(ids(&whole), ids(&all)[3..8]);
    assert_eq!(ids(&empty), Vec::<String>::new());
    for page in [first, last, whole, empty] {
        assert_eq!(page["pageInfo"]["hasPreviousPage"], true, "{page}");
        assert_eq!(page["pageInfo"]["hasNextPage"], true, "{page}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cursor_outlives_inserts_in_front_of_it() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let first = stage.subscription(&tenant, "one").await?;
    let second = stage.subscription(&tenant, "two").await?;
    let names = |names: &'static [&'static str]| {
        names.iter().map(|name| Given { name, ..Given::default() }).collect::<Vec<_>>()
    };
    stage.resources(&first, &names(&["b", "d", "f", "h"])).await?;
    let query = "query($after: String) { resources(first: 2, after: $after) {
        nodes { name } pageInfo { endCursor } } }";
    let before = stage.ask(viewer, query, json!({})).await?;

    stage.resources(&second, &names(&["a", "c", "e"])).await?;
    let after = &before["resources"]["pageInfo"]["endCursor"];
    let next = stage.ask(viewer, query, json!({ "after": after })).await?;

    assert_eq!(before["resources"]["nodes"], json!([{ "name": "b" }, { "name": "d" }]));
    assert_eq!(next["resources"]["nodes"], json!([{ "name": "e" }, { "name": "f" }]));
    Ok(())
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_with_the_reason() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    let order = json!({ "field": "NAME" });
    let of_another_order =
        page(&stage, viewer, json!({ "order": { "field": "CHANGED_AT" }, "first": 1 })).await?;
    let of_another_order = &of_another_order["pageInfo"]["endCursor"];
    for (variables, code, says) in [
        (json!({ "first": 501 }), "BAD_INPUT", "first is 501; at most 500"),
        (json!({ "last": 501 }), "BAD_INPUT", "last is 501; at most 500"),
        (json!({ "first": -1 }), "BAD_INPUT", "first is -1"),
        (json!({ "first": 1, "last": 1 }), "BAD_INPUT", "first or last, not both"),
        (json!({ "after": "bm90aGluZw" }), "BAD_CURSOR", "not a cursor"),
        (json!({ "before": "☃" }), "BAD_CURSOR", "not a cursor"),
        (json!({ "after": of_another_order }), "BAD_CURSOR", "in this order"),
    ] {
        let mut variables = variables;
        variables["order"] = order.clone();
        let (refused, message) = stage.refusal(viewer, PAGE, variables.clone()).await?;
        assert_eq!(refused, code, "{variables}");
        assert!(message.contains(says), "{variables}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_a_page_too() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let page = "totalCount nodes { id } pageInfo { hasPreviousPage hasNextPage startCursor endCursor }";
    let query = format!("{{ tenants {{ {page} }} consents {{ {page} }} operations(last: 3) {{ {page} }} }}");

    let data = stage.ask(viewer, &query, json!({})).await?;

    let empty = json!({ "totalCount": 0, "nodes": [], "pageInfo": {
        "hasPreviousPage": false, "hasNextPage": false, "startCursor": null, "endCursor": null } });
    assert_eq!(data, json!({ "tenants": empty, "consents": empty, "operations": empty }));
    Ok(())
}
