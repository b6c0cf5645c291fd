//! What is told of tags afterwards: who changed them, where each stands, and for how long that is kept.

use anyhow::Result;
use chrono::TimeDelta;
use entity::{Owned, resource_change};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use worker::jobs::Prune;
use worker::queue::When;

use super::Tenant;

#[tokio::test]
async fn the_history_tells_who_changed_a_tag_and_a_scan_after_it_finds_nothing_new() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("env", "test")]).await?;
    tenant.app.simulator.replace_tags(&tenant.arm_id(0), &[("env", "test"), ("theirs", "1")]);

    let written = tenant.assign(&[0], "env", "prod").await?;
    tenant.scan().await?;

    let query = "query($id: ID!) { node(id: $id) { ... on Resource { history(first: 2) { nodes {
        tagName before after origin changeSetId member { displayName } } } } } operations(first: 1) { nodes {
        progress { resourcesWritten } } } }";
    let data = tenant.app.ask(query, json!({ "id": tenant.ids[&0] })).await?;
    let of = |name: &str| {
        let mut nodes = data["node"]["history"]["nodes"].as_array().into_iter().flatten();
        nodes.find(|node| node["tagName"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(
        of("env"),
        json!({ "tagName": "env", "before": "test", "after": "prod", "origin": "PORTAL",
        "changeSetId": written["id"], "member": { "displayName": "Mona Member" } }),
        "{data}"
    );
    assert_eq!((&of("theirs")["origin"], &of("theirs")["member"]), (&json!("AZURE"), &Value::Null));
    assert_eq!(data["operations"]["nodes"][0]["progress"]["resourcesWritten"], 0);
    Ok(())
}

#[tokio::test]
async fn each_tag_says_where_it_stands() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("env", "test"), ("quiet", "1")]).await?;
    tenant.app.simulator.replace_tags(&tenant.arm_id(0), &[("env", "theirs"), ("quiet", "1")]);
    tenant.assign(&[0], "env", "ours").await?;
    tenant.app.simulator.set_read_only(tenant.azure, &tenant.arm_id(0), true);
    tenant.assign(&[0], "locked", "1").await?;
    let tags = json!([{ "name": "soon", "value": "1" }]);
    tenant.ask("assignTags", json!({ "selection": tenant.select(&[0]), "tags": tags })).await?;

    let query = "query($id: ID!) { node(id: $id) { ... on Resource { tagStates { name value wanted state lastWrite { outcome } } } } }";
    let data = tenant.app.ask(query, json!({ "id": tenant.ids[&0] })).await?;

    let state = |name: &str, value: Value, wanted: Value, state: &str, outcome: Value| {
        let last = if outcome == "never" { Value::Null } else { json!({ "outcome": outcome }) };
        json!({ "name": name, "value": value, "wanted": wanted, "state": state, "lastWrite": last })
    };
    assert_eq!(
        data["node"]["tagStates"],
        json!([
            state("env", json!("theirs"), json!("ours"), "CONFLICT", json!("CONFLICT")),
            state("quiet", json!("1"), Value::Null, "IN_SYNC", json!("never")),
            state("locked", Value::Null, json!("1"), "FAILED", json!("LOCKED")),
            state("soon", Value::Null, json!("1"), "PENDING", Value::Null),
        ])
    );
    tenant.app.run_jobs().await
}

#[tokio::test]
async fn the_history_is_kept_for_two_years() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.assign(&[0], "Team", "blue").await?;
    tenant.app.clock.advance(TimeDelta::days(20));
    tenant.assign(&[0], "Team", "red").await?;
    let kept = async || {
        tenant.app.context.queue.push(&Prune {}, When::default()).await?;
        tenant.app.run_jobs().await?;
        let all = resource_change::Entity::owned_by(tenant.app.member.organization_id);
        let of_team = all.filter(resource_change::Column::TagName.eq("Team"));
        let kept = of_team.order_by_asc(resource_change::Column::At).all(&tenant.app.database).await?;
        anyhow::Ok(kept.into_iter().filter_map(|change| change.after).collect::<Vec<_>>())
    };

    tenant.app.clock.advance(TimeDelta::days(709));
    assert_eq!(kept().await?, ["blue", "red"]);
    tenant.app.clock.advance(TimeDelta::days(2));
    assert_eq!(kept().await?, ["red"]);
    Ok(())
}
