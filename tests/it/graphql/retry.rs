//! The mutation `retryOperation`: what goes on, and from where.

use anyhow::Result;
use api::viewer::Viewer;
use entity::operation::{self, State};
use entity::operation_step::{Outcome, State as StepState};
use entity::subscription::{self, AccessLevel};
use entity::{Failure, FixableBy};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use serde_json::{Value, json};

use super::stage::Stage;

const RETRY: &str = "mutation($id: ID!) { retryOperation(input: { operationId: $id }) {
    userErrors { code field } operation { state failure { code } finishedAt cancelRequestedAt } } }";

async fn retry(stage: &Stage, viewer: Viewer, operation: &operation::Model) -> Result<Value> {
    let id = format!("operation:{}", operation.id);
    let mut data = stage.ask(viewer, RETRY, json!({ "id": id })).await?;
    Ok(data["retryOperation"].take())
}

fn failure() -> Failure {
    Failure::new("TEST", true, FixableBy::Member, "A test says so.")
}

async fn without_access(stage: &Stage, subscription: subscription::Model) -> Result<subscription::Model> {
    let mut subscription = subscription.into_active_model();
    subscription.access_level = Set(AccessLevel::None);
    Ok(subscription.update(&stage.database).await?)
}

#[tokio::test]
async fn every_step_goes_on_from_where_it_failed_and_what_succeeded_stays() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let mut operation = stage.onboarding(viewer, &tenant, State::Cancelled).await?.into_active_model();
    operation.failure = Set(Some(failure()));
    operation.cancel_requested_at = Set(Some(stage.clock.now()));
    let operation = operation.update(&stage.database).await?;
    let succeeded = stage.subscription(&tenant, "succeeded").await?;
    let unscanned = stage.subscription(&tenant, "unscanned").await?;
    let unverified = without_access(&stage, stage.subscription(&tenant, "unverified").await?).await?;
    let refused = without_access(&stage, stage.subscription(&tenant, "refused").await?).await?;
    stage.step(&operation, &succeeded, Some(Outcome::Granted), None).await?;
    stage.step(&operation, &unscanned, Some(Outcome::Inherited), Some(failure())).await?;
    stage.step(&operation, &unverified, Some(Outcome::Granted), Some(failure())).await?;
    stage.step(&operation, &refused, Some(Outcome::NotPermitted), Some(failure())).await?;
    stage.clock.advance(chrono::TimeDelta::hours(7));

    let payload = retry(&stage, viewer, &operation).await?;

    let queued = json!({ "state": "QUEUED", "failure": null, "finishedAt": null, "cancelRequestedAt": null });
    assert_eq!(payload, json!({ "userErrors": [], "operation": queued }));
    let steps = stage.steps(&operation).await?;
    let stands = |subscription: &subscription::Model| {
        let step = &steps[&subscription.id];
        (step.state, step.outcome, step.failure.is_none(), step.resources_seen, step.assigned_at.is_some())
    };
    assert_eq!(stands(&succeeded), (StepState::Done, Some(Outcome::Granted), true, 10, true));
    assert_eq!(stands(&unscanned), (StepState::Scanning, Some(Outcome::Inherited), true, 0, true));
    assert_eq!(stands(&unverified), (StepState::Verifying, Some(Outcome::Granted), true, 0, true));
    assert_eq!(stands(&refused), (StepState::Assigning, None, true, 0, false));
    let row = stage.row(&operation).await?;
    assert!(row.deadline_at > stage.clock.now() && row.heartbeat_at > operation.heartbeat_at);
    assert_eq!(stage.services.queue.depth("onboard-tenant").await?.ready, 1);
    Ok(())
}

#[tokio::test]
async fn a_scan_scans_again_what_it_did_not_scan() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let mut operation = stage.onboarding(viewer, &tenant, State::Partial).await?.into_active_model();
    operation.kind = Set(operation::Kind::ScanTenant);
    let operation = operation.update(&stage.database).await?;
    let (read, unread) =
        (stage.subscription(&tenant, "read").await?, stage.subscription(&tenant, "unread").await?);
    stage.step(&operation, &read, None, None).await?;
    stage.step(&operation, &unread, None, Some(failure())).await?;

    retry(&stage, viewer, &operation).await?;

    let steps = stage.steps(&operation).await?;
    assert_eq!(steps[&read.id].state, StepState::Done);
    assert_eq!(steps[&unread.id].state, StepState::Scanning);
    assert_eq!(stage.services.queue.depth("scan-subscriptions").await?.ready, 1);
    Ok(())
}

#[tokio::test]
async fn what_has_not_ended_or_did_everything_is_not_retried() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    for (state, code) in
        [(State::Queued, "NOT_ENDED"), (State::Running, "NOT_ENDED"), (State::Succeeded, "NOTHING_TO_RETRY")]
    {
        let operation = stage.onboarding(viewer, &tenant, state).await?;

        let payload = retry(&stage, viewer, &operation).await?;

        let refused =
            json!({ "operation": null, "userErrors": [{ "code": code, "field": ["operationId"] }] });
        assert_eq!(payload, refused, "{state:?}");
        assert_eq!(stage.row(&operation).await?.state, state);
    }
    assert_eq!(stage.services.queue.depth("onboard-tenant").await?.ready, 0);
    Ok(())
}

#[tokio::test]
async fn two_who_retry_at_once_start_it_once() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Failed).await?;

    let (one, other) =
        tokio::try_join!(retry(&stage, viewer, &operation), retry(&stage, viewer, &operation))?;

    let mut codes: Vec<_> = [one, other].iter().map(|payload| payload["userErrors"].to_string()).collect();
    codes.sort();
    assert_eq!(codes, ["[]", r#"[{"code":"NOT_ENDED","field":["operationId"]}]"#]);
    assert_eq!(stage.services.queue.depth("onboard-tenant").await?.ready, 1);
    Ok(())
}
