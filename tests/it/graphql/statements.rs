//! What an answer costs the database: a number of statements that does not grow with the page, and indexes
//! that are used.

use anyhow::{Context as _, Result};
use api::viewer::Viewer;
use entity::operation::State;
use entity::operation_step::Outcome;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use super::stage::{Given, Stage};

/// Six subscriptions of three tenants with 100 resources each, and three operations with two steps each.
async fn world(stage: &Stage) -> Result<Viewer> {
    let viewer = stage.viewer().await?;
    for _ in 0..3 {
        let tenant = stage.tenant(viewer).await?;
        let operation = stage.onboarding(viewer, &tenant, State::Succeeded).await?;
        for name in ["one", "two"] {
            let subscription = stage.subscription(&tenant, name).await?;
            stage.role_assignment(&subscription).await?;
            stage.step(&operation, &subscription, Some(Outcome::Granted), None).await?;
            let tagged = Given { name: "vm", tags: &[("env", "prod")], ..Given::default() };
            stage.resources(&subscription, &vec![tagged; 100]).await?;
        }
    }
    Ok(viewer)
}

async fn cost(stage: &Stage, viewer: Viewer, query: &str, first: usize) -> Result<usize> {
    stage.statements();
    stage.ask(viewer, query, json!({ "first": first })).await?;
    Ok(stage.statements().len())
}

#[tokio::test]
async fn a_page_costs_the_same_however_long_it_is() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    for (query, statements) in [
        ("query($first: Int) { resources(first: $first) { nodes { name tags { name value } } } }", 1),
        (
            "query($first: Int) { resources(first: $first) {
               nodes { name tags { name value } subscription { displayName } } } }",
            2,
        ),
        (
            "query($first: Int) { resources(first: $first) {
               nodes { name subscription { roleAssignments { role } tenant { displayName resourceCount } } }
               totalCount pageInfo { hasNextPage hasPreviousPage } } }",
            6,
        ),
        (
            "query($first: Int) { subscriptions(first: $first) {
               nodes { tenant { resourceCount } roleAssignments { origin } } } }",
            4,
        ),
        (
            "query($first: Int) { operations(first: $first) { nodes {
               progress { subscriptionsDone resourcesSeen } tenant { displayName }
               consent { state tenant { displayName } operation { id } } } } }",
            6,
        ),
        ("query($first: Int) { consents(first: $first) { nodes { receipt { final callCount } } } }", 2),
        ("query($first: Int) { subscriptions(first: $first) { nodes { ownersReadAt owners { role } } } }", 2),
        (
            "query($first: Int) { consents(first: $first) {
               nodes { work { kind subscriptions { id } } ownerLink { note } } } }",
            1,
        ),
    ] {
        for first in [1, 2, 50, 500] {
            assert_eq!(cost(&stage, viewer, query, first).await?, statements, "{first} of {query}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_has_been_counted_costs_one_look_at_the_versions() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    let query = "{ resourceFacets {
        resourceCount types { bucketCount } locations { bucketCount } resourceGroups { bucketCount }
        tagNames { bucketCount } tagValues(name: \"env\") { bucketCount } } }";
    // Five facets and how many there are, each counted once, and the versions once.
    for statements in [7, 1] {
        assert_eq!(cost(&stage, viewer, query, 50).await?, statements);
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_read_that_nobody_asked_for() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    stage.statements();

    stage
        .ask(
            viewer,
            "{ resources(first: 5) { edges { cursor } pageInfo { hasNextPage endCursor } } }",
            json!({}),
        )
        .await?;

    let statements = stage.statements();
    assert_eq!(statements.len(), 1, "{statements:?}");
    assert!(!statements[0].sql.to_lowercase().contains("offset"), "{}", statements[0].sql);
    Ok(())
}

/// How the database would run what it ran last, if tables were too large to be read whole.
pub async fn plan(stage: &Stage, statement: &Statement) -> Result<String> {
    let backend = stage.database.get_database_backend();
    let explain = if backend == DbBackend::Postgres { "explain" } else { "explain query plan" };
    let sql = format!("{explain} {}", statement.sql);
    let values = statement.values.clone().map(|values| values.0).unwrap_or_default();
    let connection = worker::transaction::begin(&stage.database).await?;
    if backend == DbBackend::Postgres {
        // What it knows of the table decides between two indexes.
        connection.execute_unprepared("analyze resource; analyze resource_by_tag").await?;
        connection.execute_unprepared("set local enable_seqscan = off; set local enable_sort = off").await?;
    }
    let rows = connection.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let column = if backend == DbBackend::Postgres { "QUERY PLAN" } else { "detail" };
    let lines: Vec<String> = rows.iter().map(|row| row.try_get("", column)).collect::<Result<_, _>>()?;
    Ok(lines.join("\n"))
}

#[tokio::test]
async fn a_page_by_name_is_sought_in_the_index_for_that() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = world(&stage).await?;
    let query = "query($after: String, $before: String, $last: Int) {
        resources(after: $after, before: $before, last: $last) { pageInfo { startCursor endCursor } } }";
    let first = stage.ask(viewer, query, json!({})).await?;
    let page = &first["resources"]["pageInfo"];
    for variables in
        [json!({ "after": page["endCursor"] }), json!({ "before": page["startCursor"], "last": 5 })]
    {
        stage.statements();

        stage.ask(viewer, query, variables).await?;

        let plan = plan(&stage, &stage.statements()[0]).await?;
        assert!(plan.contains("resource_listed"), "{plan}");
        let sought = if stage.database.get_database_backend() == DbBackend::Postgres {
            plan.contains("Index Cond") && plan.contains("ROW(lower(") && !plan.contains("Sort")
        } else {
            // The first of the two seeks; SQLite says `<expr>>?` or `<expr><?`.
            plan.contains("organization_id=? AND <expr>") && !plan.contains("TEMP B-TREE")
        };
        assert!(sought, "{plan}");
    }
    Ok(())
}

#[tokio::test]
async fn a_tag_is_sought_in_the_index_for_that() -> Result<()> {
    let stage = Stage::start().await?;
    if stage.database.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let viewer = world(&stage).await?;
    stage.statements();

    let query = "{ resources(filter: { tags: [{ name: \"env\", value: \"prod\" }] }) { totalCount } }";
    stage.ask(viewer, query, json!({})).await?;

    let statements = stage.statements();
    let count = statements.iter().find(|statement| statement.sql.contains("count(*)"));
    let plan = plan(&stage, count.context("nothing was counted")?).await?;
    assert!(plan.contains("resource_tag_terms"), "{plan}");
    Ok(())
}
