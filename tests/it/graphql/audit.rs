//! The connection `auditEvents`: filters, order, and who sees none.

use anyhow::Result;
use api::viewer::Viewer;
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::stage::Stage;

const EVENTS: &str = "query($filter: AuditEventFilter, $first: Int, $after: String) {
    auditEvents(filter: $filter, first: $first, after: $after) {
      totalCount nodes { id sequence } pageInfo { endCursor hasNextPage } } }";

async fn sequences(stage: &Stage, viewer: Viewer, filter: Value) -> Result<Vec<i64>> {
    let data = stage.ask(viewer, EVENTS, json!({ "filter": filter })).await?;
    let nodes = data["auditEvents"]["nodes"].as_array().cloned().unwrap_or_default();
    assert_eq!(data["auditEvents"]["totalCount"], nodes.len());
    Ok(nodes.iter().filter_map(|node| node["sequence"].as_i64()).collect())
}

#[tokio::test]
async fn what_is_no_id_and_what_is_no_time_is_refused() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let gone = "01930000-0000-7000-8000-00000000000a";
    for (filter, code) in [
        (json!({ "actors": [format!("tenant:{gone}")] }), "BAD_ID"),
        (json!({ "objects": ["nonsense"] }), "BAD_ID"),
        (json!({ "objects": [format!("robot:{gone}")] }), "BAD_ID"),
        (json!({ "objects": [format!("tenant:{}", gone.to_uppercase())] }), "BAD_ID"),
        (json!({ "from": "1969-12-31T23:59:59Z" }), "BAD_INPUT"),
        (json!({ "to": "+99999-01-01T00:00:00Z" }), "BAD_INPUT"),
    ] {
        let (told, _) = stage.refusal(viewer, EVENTS, json!({ "filter": filter })).await?;
        assert_eq!(told, code, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn filters_hold_all_at_once_and_the_newest_is_first() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let colleague = Viewer { member_id: uuid::Uuid::now_v7(), ..viewer };
    let begun = stage.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    stage.audit_event(viewer).await?;
    stage.clock.advance(TimeDelta::hours(1));
    stage.audit_event(colleague).await?;
    let later = stage.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    stage.audit_event(viewer).await?;
    let (actor, object) =
        (format!("member:{}", viewer.member_id), format!("organization:{}", viewer.organization_id));

    for (filter, expected) in [
        (json!({}), vec![3, 2, 1]),
        (json!({ "actors": [actor] }), vec![3, 1]),
        (json!({ "actors": [actor], "from": later }), vec![3]),
        (json!({ "from": begun, "to": later }), vec![1]),
        (json!({ "objects": [object], "actions": ["SCAN_STARTED"] }), vec![3, 2, 1]),
        (json!({ "actions": ["AUDIT_EXPORTED"] }), vec![]),
        (json!({ "actions": [] }), vec![]),
        (json!({ "actors": [] }), vec![]),
        (json!({ "objects": [] }), vec![]),
        (json!({ "objects": [format!("tenant:{}", viewer.organization_id)] }), vec![]),
        (json!({ "actors": [format!("access-token:{}", viewer.member_id)] }), vec![]),
    ] {
        assert_eq!(sequences(&stage, viewer, filter.clone()).await?, expected, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn pages_follow_each_other() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    for _ in 0..5 {
        stage.audit_event(viewer).await?;
    }

    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = stage.ask(viewer, EVENTS, json!({ "first": 2, "after": after })).await?;
        let page = &data["auditEvents"];
        let nodes = page["nodes"].as_array().cloned().unwrap_or_default();
        seen.extend(nodes.iter().filter_map(|node| node["sequence"].as_i64()));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }

    assert_eq!(seen, [5, 4, 3, 2, 1]);
    Ok(())
}

#[tokio::test]
async fn who_is_limited_sees_none() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let event = stage.audit_event(viewer).await?;
    let limited = Viewer { limited_by: Some(viewer.member_id), ..viewer };

    assert_eq!(sequences(&stage, limited, json!({})).await?, Vec::<i64>::new());
    let query = "query($id: ID!) { node(id: $id) { id } }";
    let id = json!({ "id": format!("audit-event:{}", event.id) });
    assert_eq!(stage.ask(limited, query, id.clone()).await?["node"], Value::Null);
    assert_eq!(stage.ask(viewer, query, id.clone()).await?["node"], id);
    Ok(())
}
