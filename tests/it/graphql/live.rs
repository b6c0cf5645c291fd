//! The live query: a snapshot, then every change, then the end.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::viewer::Viewer;
use async_graphql::{Request, Variables};
use entity::operation::{self, State};
use futures::{Stream, StreamExt};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::Stage;

const FOLLOW: &str = "subscription($id: ID!) { operation(id: $id) {
    id state progress { subscriptionsTotal } tenant { displayName } } }";

type Events<'a> = Pin<Box<dyn Stream<Item = Value> + 'a>>;

fn follow(stage: &Stage, viewer: Viewer, id: &str) -> Events<'static> {
    let variables = Variables::from_json(json!({ "id": id }));
    let request = Request::new(FOLLOW).variables(variables).data(viewer);
    let events = stage.schema.execute_stream(request);
    Box::pin(events.map(|event| serde_json::to_value(event).unwrap_or_default()))
}

async fn next(events: &mut Events<'_>) -> Result<Value> {
    tokio::time::timeout(Duration::from_secs(30), events.next()).await?.context("the live query has ended")
}

async fn end(events: &mut Events<'_>) -> Result<()> {
    let more = tokio::time::timeout(Duration::from_secs(30), events.next()).await?;
    assert_eq!(more, None);
    Ok(())
}

async fn move_to(stage: &Stage, operation: operation::Model, next: State) -> Result<operation::Model> {
    let mut moved = operation.into_active_model();
    moved.state = Set(next);
    let moved = moved.update(&stage.database).await?;
    stage.services.progress.publish(moved.id).await;
    Ok(moved)
}

#[tokio::test]
async fn it_shows_the_operation_until_it_has_ended() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Queued).await?;
    let mut events = follow(&stage, viewer, &format!("operation:{}", operation.id));

    let snapshot = next(&mut events).await?;
    let operation = move_to(&stage, operation, State::Running).await?;
    let running = next(&mut events).await?;
    move_to(&stage, operation, State::Succeeded).await?;
    let ended = next(&mut events).await?;

    assert_eq!(snapshot["data"]["operation"]["state"], "QUEUED");
    assert_eq!(snapshot["data"]["operation"]["tenant"]["displayName"], "Contoso");
    assert_eq!(running["data"]["operation"]["state"], "RUNNING");
    assert_eq!(ended["data"]["operation"]["state"], "SUCCEEDED");
    end(&mut events).await
}

#[tokio::test]
async fn bells_that_ring_together_are_one_change() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Running).await?;
    let mut events = follow(&stage, viewer, &format!("operation:{}", operation.id));
    next(&mut events).await?;
    stage.statements();

    for _ in 0..50 {
        stage.services.progress.publish(operation.id).await;
    }
    move_to(&stage, operation, State::Failed).await?;
    let mut events_left = 0;
    while next(&mut events).await?["data"]["operation"]["state"] != "FAILED" {
        events_left += 1;
    }

    // On a slow machine the storm may last longer than one tenth of a second.
    assert!(events_left < 10, "{events_left}");
    end(&mut events).await
}

#[tokio::test]
async fn one_that_has_ended_is_shown_once() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Cancelled).await?;
    let mut events = follow(&stage, viewer, &format!("operation:{}", operation.id));

    let only = next(&mut events).await?;

    assert_eq!(only["data"]["operation"]["state"], "CANCELLED");
    end(&mut events).await
}

#[tokio::test]
async fn what_does_not_exist_is_null_once() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let mut events = follow(&stage, viewer, &format!("operation:{}", Uuid::now_v7()));

    let only = next(&mut events).await?;

    assert_eq!(only, json!({ "data": { "operation": null } }));
    end(&mut events).await
}

#[tokio::test]
async fn what_is_no_id_is_refused() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let mut events = follow(&stage, viewer, "tenant:nonsense");

    let refused = next(&mut events).await?;

    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_ID");
    end(&mut events).await
}
