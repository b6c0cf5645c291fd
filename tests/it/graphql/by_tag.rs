//! Pages of resources with a tag, which `PostgreSQL` reads along an order of its own.

use anyhow::{Context as _, Result};
use api::viewer::Viewer;
use entity::resource::{self, Column};
use entity::tags::Tags;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, Set};
use serde_json::{Value, json};
use support::database::misplaced;

use super::stage::{Given, Stage};
use super::statements::plan;

const PAGE: &str =
    "query($order: ResourceOrder!, $filter: ResourceFilter!, $first: Int, $after: String, $last: Int,
    $before: String) {
    resources(order: $order, filter: $filter, first: $first, after: $after, last: $last, before: $before) {
      nodes { id name } pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } }";

/// Equal names, and names that sort apart in other collations.
const NAMES: [&str; 10] = ["b", "B", "a", "a", "Ä", "z_1", "Z-2", "vm 10", "VM 9", "_"];

const TAGGED: &[(&str, &str)] = &[("Env", "prod"), ("team", "web")];

fn given(name: &'static str) -> Given {
    Given { name, tags: TAGGED, ..Given::default() }
}

/// Two subscriptions with one resource of each name that have the tag, and others that have it no longer, otherwise, or
/// not at all.
async fn world(stage: &Stage) -> Result<Viewer> {
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    for name in ["one", "two"] {
        let subscription = stage.subscription(&tenant, name).await?;
        let mut all: Vec<_> = NAMES.into_iter().map(given).collect();
        all.push(Given { deleted: true, ..given("gone") });
        all.push(Given { tags: &[("env", "Prod")], ..given("another value") });
        all.push(Given { tags: &[("other", "prod")], ..given("another name") });
        all.push(Given { tags: &[], ..given("none") });
        stage.resources(&subscription, &all).await?;
    }
    let other = stage.viewer().await?;
    let tenant = stage.tenant(other).await?;
    stage.resources(&stage.subscription(&tenant, "somebody else's").await?, &[given("a")]).await?;
    Ok(viewer)
}

/// The resources in the order in which pages show them, each page after, or before, the last.
async fn turned(
    stage: &Stage,
    viewer: Viewer,
    order: &Value,
    filter: &Value,
    size: usize,
    forwards: bool,
) -> Result<Vec<String>> {
    let (mut met, mut cursor) = (Vec::new(), Value::Null);
    let (count, beyond, end, more) = if forwards {
        ("first", "after", "endCursor", "hasNextPage")
    } else {
        ("last", "before", "startCursor", "hasPreviousPage")
    };
    loop {
        let variables = json!({ "order": order, "filter": filter, count: size, beyond: cursor });
        let page = stage.ask(viewer, PAGE, variables).await?;
        let page = &page["resources"];
        let nodes = page["nodes"].as_array().context("no nodes")?;
        let names: Vec<_> =
            nodes.iter().filter_map(|node| node["name"].as_str().map(str::to_owned)).collect();
        if forwards {
            met.extend(names);
        } else {
            drop(met.splice(0..0, names));
        }
        if page["pageInfo"][more] == false {
            return Ok(met);
        }
        cursor = page["pageInfo"][end].clone();
    }
}

async fn every_page_is_right(stage: &Stage) -> Result<()> {
    let viewer = world(stage).await?;
    let mut expected: Vec<_> = NAMES.iter().chain(&NAMES).copied().collect();
    expected.sort_by_key(|name| name.to_ascii_lowercase());
    let folded = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect::<Vec<_>>();
    for filter in [
        json!({ "tags": [{ "name": "ENV", "value": "prod" }] }),
        json!({ "tags": [{ "name": "team", "match": "PRESENT" }, { "name": "env", "value": "prod" }] }),
        json!({ "tags": [{ "name": "env", "value": "prod" }], "not": { "nameContains": "gone" } }),
    ] {
        for direction in ["ASC", "DESC"] {
            let order = json!({ "field": "NAME", "direction": direction });
            for (size, forwards) in [(1, true), (1, false), (3, true), (3, false), (20, true), (21, false)] {
                let met = turned(stage, viewer, &order, &filter, size, forwards).await?;
                let mut expected: Vec<_> = expected.iter().map(|name| name.to_ascii_lowercase()).collect();
                if direction == "DESC" {
                    expected.reverse();
                }
                assert_eq!(folded(&met), expected, "{order} of {filter} by {size}, forwards: {forwards}");
            }
        }
    }
    let gone = json!({ "tags": [{ "name": "env", "value": "prod" }], "presence": "DELETED" });
    assert_eq!(turned(stage, viewer, &json!({}), &gone, 1, true).await?, ["gone", "gone"]);
    Ok(())
}

#[tokio::test]
async fn pages_with_a_tag_show_each_resource_once_in_the_order_of_names() -> Result<()> {
    every_page_is_right(&Stage::start().await?).await
}

#[tokio::test]
async fn behind_the_wall_they_do_too() -> Result<()> {
    every_page_is_right(&Stage::behind_wall().await?).await
}

#[tokio::test]
async fn a_full_page_takes_one_statement_along_the_tag() -> Result<()> {
    let stage = Stage::start().await?;
    if stage.database.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let viewer = world(&stage).await?;
    let query = "query($first: Int, $after: String, $last: Int, $before: String) {
        resources(filter: { tags: [{ name: \"env\", value: \"prod\" }] },
          first: $first, after: $after, last: $last, before: $before) { pageInfo { endCursor } } }";
    let ask = |variables| stage.ask(viewer, query, variables);
    let first = ask(json!({ "first": 5 })).await?;
    let page = &first["resources"]["pageInfo"];
    for cursors in [
        json!({ "first": 5 }),
        json!({ "first": 5, "after": page["endCursor"] }),
        json!({ "last": 2, "before": page["endCursor"] }),
    ] {
        stage.statements();

        ask(cursors).await?;

        let statements = stage.statements();
        assert_eq!(statements.len(), 1, "{statements:?}");
        let plan = plan(&stage, &statements[0]).await?;
        assert!(plan.contains("resource_by_tag_pkey") && !plan.contains("Sort"), "{plan}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_tag_leaves_out_too_seldom_is_still_found() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let subscription = stage.subscription(&tenant, "one").await?;
    let mut all = vec![given("a"); 2_100];
    all.push(Given { resource_type: "microsoft.test/rare", ..given("z") });
    stage.resources(&subscription, &all).await?;

    let filter = json!({ "tags": [{ "name": "env", "value": "prod" }], "types": ["Microsoft.Test/rare"] });
    for forwards in [true, false] {
        assert_eq!(turned(&stage, viewer, &json!({}), &filter, 1, forwards).await?, ["z"]);
    }
    Ok(())
}

/// Everything that can happen to a resource, one thing after the other.
#[tokio::test]
async fn the_order_is_kept_in_the_transaction_that_writes() -> Result<()> {
    let stage = Stage::start().await?;
    world(&stage).await?;
    let is = |name: &str| resource::Entity::update_many().filter(Column::Name.eq(name));
    let tags = |tags: &[(&str, &str)]| {
        Tags(tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    };
    let tagged = |given: &[(&str, &str)]| resource::ActiveModel {
        tag_terms: Set(tags(given).terms()),
        tags: Set(tags(given)),
        ..Default::default()
    };
    let expr = |text: &'static str| Expr::cust(text);
    let changes = [
        ("another value of a tag", is("a").set(tagged(&[("Env", "test"), ("team", "web")]))),
        ("another spelling of a name", is("a").set(tagged(&[("ENV", "test"), ("team", "web")]))),
        ("two spellings of one name", is("b").set(tagged(&[("ENV", "x"), ("env", "x"), ("", "\n")]))),
        ("no tags", is("B").set(tagged(&[]))),
        ("tags at last", is("none").set(tagged(&[("env", "prod")]))),
        ("something else", is("z_1").col_expr(Column::Sku, expr("'S9'"))),
        ("another name", is("vm 10").col_expr(Column::Name, expr("'AA'"))),
        ("gone", is("Z-2").col_expr(Column::DeletedAt, expr("current_timestamp"))),
        (
            "back, with other tags",
            is("gone").set(tagged(&[("back", "1")])).col_expr(Column::DeletedAt, expr("null")),
        ),
        ("all at once", resource::Entity::update_many().col_expr(Column::Name, expr("upper(name)"))),
    ];
    for (what, change) in changes {
        assert!(change.exec(&stage.database).await?.rows_affected > 0, "{what}");
        assert_eq!(misplaced(&stage.database).await?, 0, "{what}");
    }
    let gone = resource::Entity::delete_many().filter(Column::Name.ne("A"));
    gone.exec(&stage.database).await?;
    assert_eq!(misplaced(&stage.database).await?, 0, "deleted");
    Ok(())
}
