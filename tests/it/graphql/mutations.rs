//! The mutations: who may, what is stored, and whether the bell rings.

use anyhow::Result;
use api::viewer::{Actor, Viewer};
use entity::member::Role;
use entity::operation::State;
use entity::operation_step::State as StepState;
use entity::subscription::AccessLevel;
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::Stage;

const SCAN: &str = "mutation($id: ID!) { scanTenant(input: { tenantId: $id, clientMutationId: \"mine\" }) {
    clientMutationId userErrors { code field message }
    operation { id kind state tenant { id } progress { subscriptionsTotal } } } }";

const CANCEL: &str = "mutation($id: ID!) { cancelOperation(input: { operationId: $id }) {
    userErrors { code field } operation { id state cancelRequestedAt } } }";

/// What is asked of a queue.
async fn waiting(stage: &Stage, queue: &str) -> Result<usize> {
    Ok(stage.services.queue.depth(queue).await?.ready)
}

async fn scan(stage: &Stage, viewer: Viewer, tenant_id: Uuid) -> Result<Value> {
    let mut data = stage.ask(viewer, SCAN, json!({ "id": format!("tenant:{tenant_id}") })).await?;
    Ok(data["scanTenant"].take())
}

#[tokio::test]
async fn a_viewer_may_not_and_is_told_which_role_may() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = Viewer { actor: Actor::Member(Role::Viewer), ..stage.viewer().await? };
    let id = "operation:01930000-0000-7000-8000-000000000000";
    let calls = [
        ("startConsent", json!({ "tenant": "contoso.com" })),
        ("scanTenant", json!({ "tenantId": "tenant:01930000-0000-7000-8000-000000000000" })),
        ("cancelOperation", json!({ "operationId": id })),
        ("retryOperation", json!({ "operationId": id })),
    ];
    for (name, input) in calls {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query =
            format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
        stage.statements();

        let (code, message) = stage.refusal(viewer, &query, json!({ "input": input })).await?;

        assert_eq!(code, "FORBIDDEN", "{name}");
        assert!(message.contains("needs the role EDITOR; yours is VIEWER"), "{name}: {message}");
        assert!(stage.statements().is_empty(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_scan_is_a_row_with_its_steps_and_then_a_job() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = Viewer { actor: Actor::Member(Role::Editor), ..stage.viewer().await? };
    let tenant = stage.tenant(viewer).await?;
    let granted = stage.subscription(&tenant, "granted").await?;
    let mut hidden = stage.subscription(&tenant, "hidden").await?.into_active_model();
    hidden.access_level = Set(AccessLevel::None);
    hidden.update(&stage.database).await?;

    let payload = scan(&stage, viewer, tenant.id).await?;

    let id = payload["operation"]["id"].as_str().unwrap_or_default().to_owned();
    let tenant_id = format!("tenant:{}", tenant.id);
    let operation = json!({ "id": id, "kind": "SCAN_TENANT", "state": "QUEUED", "tenant": { "id": tenant_id },
        "progress": { "subscriptionsTotal": 1 } });
    assert_eq!(payload, json!({ "clientMutationId": "mine", "userErrors": [], "operation": operation }));
    assert_eq!(waiting(&stage, "scan-subscriptions").await?, 1);
    let data = stage
        .ask(
            viewer,
            "query($id: ID!) { operation(id: $id) { deadlineAt createdAt
               steps { nodes { state outcome scanned subscription { id } } } } }",
            json!({ "id": id }),
        )
        .await?;
    let step = json!({ "state": "SCANNING", "outcome": null, "scanned": false,
        "subscription": { "id": format!("subscription:{}", granted.id) } });
    assert_eq!(data["operation"]["steps"]["nodes"], json!([step]));
    Ok(())
}

#[tokio::test]
async fn a_scan_that_is_under_way_is_answered_instead_of_a_second_one() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    stage.subscription(&tenant, "one").await?;

    let (first, second) = tokio::try_join!(scan(&stage, viewer, tenant.id), scan(&stage, viewer, tenant.id))?;

    assert_eq!(first["operation"], second["operation"]);
    assert!(first["operation"]["id"].is_string(), "{first}");
    assert_eq!(waiting(&stage, "scan-subscriptions").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_granted_nothing_cannot_be_scanned() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;

    let payload = scan(&stage, viewer, tenant.id).await?;

    assert_eq!(payload["operation"], json!(null));
    assert_eq!(payload["userErrors"][0]["code"], "NOTHING_GRANTED");
    assert_eq!(payload["userErrors"][0]["field"], json!(["tenantId"]));
    assert_eq!(waiting(&stage, "scan-subscriptions").await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_operation_is_asked_to_stop_once() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Running).await?;
    let id = json!({ "id": format!("operation:{}", operation.id) });

    let first = stage.ask(viewer, CANCEL, id.clone()).await?;
    stage.clock.advance(chrono::TimeDelta::minutes(1));
    let second = stage.ask(viewer, CANCEL, id).await?;

    assert!(first["cancelOperation"]["operation"]["cancelRequestedAt"].is_string(), "{first}");
    assert_eq!(first["cancelOperation"]["userErrors"], json!([]));
    assert_eq!(first, second);
    assert_eq!(waiting(&stage, "onboard-tenant").await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_has_ended_cannot_be_stopped() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Partial).await?;

    let data = stage.ask(viewer, CANCEL, json!({ "id": format!("operation:{}", operation.id) })).await?;

    let ended =
        json!({ "operation": null, "userErrors": [{ "code": "ALREADY_ENDED", "field": ["operationId"] }] });
    assert_eq!(data["cancelOperation"], ended);
    assert_eq!(stage.row(&operation).await?.cancel_requested_at, None);
    assert_eq!(waiting(&stage, "onboard-tenant").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_scan_of_many_subscriptions_is_stored_whole() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    for index in 0..520 {
        stage.subscription(&tenant, &index.to_string()).await?;
    }

    let payload = scan(&stage, viewer, tenant.id).await?;

    assert_eq!(payload["operation"]["progress"]["subscriptionsTotal"], 520);
    let id = payload["operation"]["id"].as_str().unwrap_or_default();
    let id = Uuid::try_parse(id.trim_start_matches("operation:"))?;
    let operation =
        entity::operation::Model { id, ..stage.onboarding(viewer, &tenant, State::Queued).await? };
    let steps = stage.steps(&operation).await?;
    assert!(steps.values().all(|step| step.state == StepState::Scanning));
    assert_eq!(steps.len(), 520);
    Ok(())
}
