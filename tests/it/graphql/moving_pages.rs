//! Pages of a list that changes while it is read.

use std::collections::BTreeSet;

use anyhow::Result;
use entity::resource::{self, Column};
use entity::subscription;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::{Value, json};

use super::stage::{Given, Stage};

const PAGE: &str = "query($order: ResourceOrder!, $first: Int, $after: String, $last: Int, $before: String) {
    resources(order: $order, first: $first, after: $after, last: $last, before: $before) {
      nodes { name type location resourceGroup } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// Those that stay as they are.
const STAY: [&str; 12] = ["a1", "B2", "c3", "D4", "e5", "F6", "g7", "H8", "i9", "J10", "k11", "L12"];

/// Those that go, or are renamed.
const GO: [&str; 6] = ["a0", "c0", "e0", "g0", "i0", "k0"];

fn given(name: &'static str, index: usize) -> Given {
    let (types, locations) = (["z/vms", "a/disks", "m/nets"], ["westeurope", "eastus"]);
    let groups = ["rg-b", "RG-a", "rg-C"];
    Given {
        name,
        resource_type: types[index % 3],
        location: locations[index % 2],
        group: groups[index / 2 % 3],
        ..Given::default()
    }
}

async fn world(stage: &Stage) -> Result<(api::viewer::Viewer, Vec<subscription::Model>)> {
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let mut subscriptions = Vec::new();
    for index in 0..12 {
        subscriptions.push(stage.subscription(&tenant, ["one", "two"][index % 2]).await?);
    }
    let rows: Vec<_> = STAY.iter().chain(&GO).enumerate().map(|(index, name)| given(name, index)).collect();
    stage.resources(&subscriptions[0], &rows).await?;
    Ok((viewer, subscriptions))
}

/// Something comes, something goes and something gets another name: before and after wherever a reader is.
async fn change(stage: &Stage, subscriptions: &[subscription::Model], round: usize) -> Result<()> {
    let Some(subscription) = subscriptions.get(round + 1) else { return Ok(()) };
    stage.resources(subscription, &[given("A new one", round), given("z new one", round)]).await?;
    let Some(gone) = GO.get(round) else { return Ok(()) };
    let one = resource::Entity::update_many().filter(Column::Name.eq(*gone));
    let change = if round.is_multiple_of(2) {
        resource::ActiveModel { deleted_at: Set(Some(stage.clock.now())), ..Default::default() }
    } else {
        resource::ActiveModel {
            name: Set(format!("{}{gone}", if round == 1 { "0" } else { "zz" })),
            resource_group: Set("zz".to_owned()),
            resource_type: Set("zz/zz".to_owned()),
            location: Set(None),
            ..Default::default()
        }
    };
    one.set(change).exec(&stage.database).await?;
    Ok(())
}

fn stayed(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().into_iter().flatten();
    let names = nodes.filter_map(|node| node["name"].as_str().map(str::to_owned));
    names.filter(|name| STAY.contains(&name.as_str())).collect()
}

#[tokio::test]
async fn what_stays_is_met_exactly_once_whatever_comes_goes_and_is_renamed() -> Result<()> {
    for field in ["NAME", "TYPE", "LOCATION", "RESOURCE_GROUP", "FIRST_SEEN_AT", "CHANGED_AT"] {
        for (direction, forwards) in [("ASC", true), ("DESC", true), ("ASC", false)] {
            let stage = Stage::start().await?;
            let (viewer, subscriptions) = world(&stage).await?;
            let order = json!({ "field": field, "direction": direction });
            let (mut met, mut cursor) = (Vec::new(), Value::Null);

            for round in 0.. {
                let variables = if forwards {
                    json!({ "order": order, "first": 3, "after": cursor })
                } else {
                    json!({ "order": order, "last": 3, "before": cursor })
                };
                let page = stage.ask(viewer, PAGE, variables).await?["resources"].take();
                met.extend(stayed(&page));
                let (more, end) =
                    if forwards { ("hasNextPage", "endCursor") } else { ("hasPreviousPage", "startCursor") };
                if page["pageInfo"][more] == false {
                    break;
                }
                cursor = page["pageInfo"][end].clone();
                change(&stage, &subscriptions, round).await?;
            }

            let all: BTreeSet<_> = met.iter().map(String::as_str).collect();
            assert_eq!(met.len(), all.len(), "{order}: one is met twice: {met:?}");
            assert_eq!(all, BTreeSet::from(STAY), "{order}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_order_is_that_of_its_field_without_regard_to_case() -> Result<()> {
    let stage = Stage::start().await?;
    let (viewer, subscriptions) = world(&stage).await?;
    change(&stage, &subscriptions, 1).await?;
    for (order, field) in [("TYPE", "type"), ("LOCATION", "location"), ("RESOURCE_GROUP", "resourceGroup")] {
        let variables = json!({ "order": { "field": order }, "first": 500 });

        let data = stage.ask(viewer, PAGE, variables).await?;

        let nodes = data["resources"]["nodes"].as_array().into_iter().flatten();
        let texts: Vec<_> = nodes.map(|node| node[field].as_str().unwrap_or("").to_lowercase()).collect();
        assert_eq!(texts.len(), 20, "{order}");
        assert!(texts.is_sorted(), "{order}: {texts:?}");
    }
    Ok(())
}
