//! Both sources of a scan give the same inventory, with subscriptions, resource groups and what has changed of each.

use anyhow::{Context as _, Result};
use entity::Owned;
use entity::resource::{self, ResourceScope};
use sea_orm::QueryOrder;
use serde_json::{Value, json};
use simulator::{Decision, Person};
use support::app::TestApp;

use super::sum;

/// Every row as far as a source does not tell more of it than the other.
async fn inventory(app: &TestApp) -> Result<Vec<Value>> {
    let rows = resource::Entity::owned_by(app.member.organization_id)
        .order_by_asc(resource::Column::Id)
        .all(&app.database)
        .await?;
    let rows = rows.into_iter().map(|row| {
        json!([
            row.id.to_string(),
            row.arm_id.to_lowercase(),
            row.name,
            row.resource_type,
            row.kind,
            row.location,
            row.resource_group.to_lowercase(),
            row.sku,
            row.managed_by.map(|id| id.to_lowercase()),
            row.tags,
            row.tag_terms,
            row.content_hash,
            format!("{:?}", row.scope),
            row.deleted_at.is_some(),
        ])
    });
    Ok(rows.collect())
}

async fn write_tags(app: &TestApp) -> Result<()> {
    let data = app.ask("{ subscriptions { nodes { id } } }", json!({})).await?;
    let nodes = data["subscriptions"]["nodes"].as_array().context("no subscriptions")?;
    let ids: Vec<_> = nodes.iter().map(|node| &node["id"]).collect();
    let change =
        "mutation($ids: [ID!]!) { changeAccess(input: { subscriptionIds: $ids, level: WRITE_TAGS }) {
        userErrors { consentUrl } } }";
    let asked = app.ask(change, json!({ "ids": ids })).await?;
    let url = asked["changeAccess"]["userErrors"][0]["consentUrl"].as_str().context("no link")?;
    Person::new("owner").consent(url, Decision::Accept).await?;
    app.run_jobs().await
}

#[tokio::test]
async fn both_sources_give_the_same_inventory_and_a_switch_between_them_writes_nothing() -> Result<()> {
    let app = TestApp::small(3, 900).await?;
    app.simulator.set_page_size(100);
    let onboarding = app.onboard().await?;
    let by_graph = inventory(&app).await?;

    write_tags(&app).await?;
    app.simulator.clear_calls();
    let scan = app.scan(&onboarding).await?;

    assert_eq!(scan["state"], "SUCCEEDED");
    assert_eq!(sum(&scan, "resourcesWritten"), 0);
    assert_eq!(inventory(&app).await?, by_graph);
    let calls = app.simulator.calls();
    assert!(
        calls.iter().all(|call| !call.path.contains("ResourceGraph")),
        "Tag Contributor alone sees nothing there"
    );
    assert!(calls.iter().any(|call| call.path.ends_with("/resourcegroups")));
    let scopes = |scope| by_graph.iter().filter(|row| row[12] == format!("{scope:?}")).count();
    assert_eq!((scopes(ResourceScope::Subscription), scopes(ResourceScope::Resource)), (3, 900));
    assert!(scopes(ResourceScope::ResourceGroup) >= 5);
    Ok(())
}

#[tokio::test]
async fn groups_and_subscriptions_are_found_where_they_are_asked_for_and_count_nowhere_else() -> Result<()> {
    let app = TestApp::small(1, 250).await?;
    app.onboard().await?;

    let query = "query($scopes: [ResourceScope!]) { resources(filter: { scopes: $scopes }) { totalCount nodes { scope type } } }";
    let of = async |scopes: Value| {
        let data = app.ask(query, json!({ "scopes": scopes })).await?;
        anyhow::Ok((data["resources"]["totalCount"].clone(), data["resources"]["nodes"][0]["type"].clone()))
    };

    assert_eq!(of(json!(null)).await?.0, 250);
    assert_eq!(of(json!(["SUBSCRIPTION"])).await?, (json!(1), json!("microsoft.resources/subscriptions")));
    assert_eq!(of(json!(["RESOURCE_GROUP"])).await?, (json!(2), json!("microsoft.resources/resourcegroups")));
    assert_eq!(of(json!(["RESOURCE", "RESOURCE_GROUP"])).await?.0, 252);
    assert_eq!(of(json!([])).await?.0, 0);
    let counted = app.ask("{ subscriptions { nodes { resourceCount } } tagCoverage(names: [\"owner\"]) { total { resourceCount } } }", json!({}));
    let counted = counted.await?;
    assert_eq!(counted["subscriptions"]["nodes"][0]["resourceCount"], 250);
    assert_eq!(counted["tagCoverage"]["total"]["resourceCount"], 250, "{counted}");
    Ok(())
}

#[tokio::test]
async fn what_has_changed_is_told_and_what_is_deleted_was_last_seen_before() -> Result<()> {
    let app = TestApp::small(1, 30).await?;
    let onboarding = app.onboard().await?;
    let azure = app.simulator.subscriptions()[0].id;
    let id = app.simulator.resource_id(azure, 0).context("no resource")?;
    app.simulator.replace_tags(&id, &[("Env", "Prod"), ("gone", "1")]);
    app.scan(&onboarding).await?;
    let first = app.clock.now();
    app.clock.advance(chrono::TimeDelta::hours(1));
    app.simulator.replace_tags(&id, &[("env", "Test")]);
    app.simulator.remove_resource(azure, 1);

    app.scan(&onboarding).await?;

    let history = "query($ids: [String!]) { resources(first: 1, filter: { armIds: $ids, presence: ANY }) { nodes { lastSeenAt deletedAt
        all: history(first: 5) { nodes { field tagName before after origin member { id } } } one: history(first: 1, tag: \"ENV\") { totalCount } } } }";
    let changed = app.ask(history, json!({ "ids": [id] })).await?;
    let changed = &changed["resources"]["nodes"][0];
    let newest = &changed["all"]["nodes"];
    let tag = |at: usize| {
        json!([newest[at]["tagName"], newest[at]["before"], newest[at]["after"], newest[at]["origin"]])
    };
    assert_eq!(tag(0), json!(["gone", "1", null, "AZURE"]), "{newest}");
    assert_eq!(tag(1), json!(["env", "Prod", "Test", "AZURE"]));
    assert!(changed["one"]["totalCount"].as_i64() >= Some(2), "{changed}");
    let removed = app.simulator.resource_id(azure, 1).context("no resource")?;
    let removed = app.ask(history, json!({ "ids": [removed] })).await?;
    let removed = &removed["resources"]["nodes"][0];
    assert_eq!(removed["all"]["nodes"][0]["field"], "DELETED", "{removed}");
    let seen: chrono::DateTime<chrono::Utc> =
        removed["lastSeenAt"].as_str().context("never seen")?.parse()?;
    assert!(seen <= first && removed["deletedAt"].is_string());
    Ok(())
}
