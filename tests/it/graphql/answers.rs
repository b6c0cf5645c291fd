//! Answers: what is null, what is an error, and what stands beside an error.

use anyhow::Result;
use async_graphql::Request;
use entity::operation::State;
use entity::operation_step::Outcome;
use serde_json::json;
use uuid::Uuid;

use super::stage::{Given, Stage};

#[tokio::test]
async fn a_nullable_field_that_fails_is_null_and_leaves_its_siblings_alone() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;

    let query = "{ broken: tenant(id: \"nonsense\") { id } viewer { member { displayName role } } }";
    let answer = stage.answer(viewer, query, json!({})).await?;

    let member = json!({ "displayName": "Mona Member", "role": "ADMIN" });
    assert_eq!(answer["data"], json!({ "broken": null, "viewer": { "member": member } }));
    assert_eq!(answer["errors"][0]["path"], json!(["broken"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_ID");
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn without_a_viewer_nothing_is_answered() -> Result<()> {
    let stage = Stage::start().await?;

    let answer = stage.schema.execute(Request::new("{ tenants { nodes { id } } }")).await;

    let answer = serde_json::to_value(answer)?;
    assert_eq!(answer["data"], json!(null));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    Ok(())
}

#[tokio::test]
async fn a_failing_database_is_an_error_that_tells_nothing_of_it() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    stage.database.clone().close().await?;

    let answer =
        stage.answer(viewer, "{ node(id: \"x\") { id } tenants { nodes { id } } }", json!({})).await?;

    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let broken = errors.iter().find(|error| error["extensions"]["code"] == "INTERNAL");
    let message = broken.and_then(|error| error["message"].as_str()).unwrap_or_default();
    assert!(message.starts_with("Tenantry could not answer this."), "{answer}");
    Ok(())
}

#[tokio::test]
async fn anything_with_an_id_is_found_by_it() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let subscription = stage.subscription(&tenant, "one").await?;
    stage.resources(&subscription, &[Given { name: "vm", ..Given::default() }]).await?;
    stage.onboarding(viewer, &tenant, State::Succeeded).await?;
    let everything = stage
        .ask(
            viewer,
            "{ viewer { organization { id } member { id } } tenants { nodes { id } } subscriptions { nodes { id } }
               resources { nodes { id } } operations { nodes { id } } consents { nodes { id } } }",
            json!({}),
        )
        .await?;
    let mut ids = vec![
        everything["viewer"]["organization"]["id"].clone(),
        everything["viewer"]["member"]["id"].clone(),
    ];
    for list in ["tenants", "subscriptions", "resources", "operations", "consents"] {
        ids.push(everything[list]["nodes"][0]["id"].clone());
    }
    ids.push(json!(format!("tenant:{}", Uuid::now_v7())));
    ids.push(ids[0].clone());
    stage.statements();

    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let found = stage.ask(viewer, query, json!({ "ids": ids })).await?;

    let types = ["Organization", "Member", "Tenant", "AzureSubscription", "Resource", "Operation", "Consent"];
    let mut expected: Vec<_> =
        types.iter().zip(&ids).map(|(name, id)| json!({ "__typename": name, "id": id })).collect();
    expected.push(json!(null));
    expected.push(expected[0].clone());
    assert_eq!(found["nodes"], json!(expected));
    assert_eq!(stage.statements().len(), types.len());
    for (id, node) in ids.iter().zip(&expected) {
        let one = stage
            .ask(viewer, "query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": id }))
            .await?;
        assert_eq!(&one["node"], node);
    }
    Ok(())
}

#[tokio::test]
async fn an_operation_shows_how_far_it_is() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Partial).await?;
    for (name, outcome) in [("one", Outcome::Granted), ("two", Outcome::Inherited)] {
        let subscription = stage.subscription(&tenant, name).await?;
        stage.step(&operation, &subscription, Some(outcome), None).await?;
    }

    let query = "query($id: ID!) { operation(id: $id) { kind state
        progress { subscriptionsTotal subscriptionsDone resourcesSeen resourcesWritten resourcesDeleted }
        steps { totalCount nodes { state outcome subscription { displayName } } } } }";
    let data = stage.ask(viewer, query, json!({ "id": format!("operation:{}", operation.id) })).await?;

    let step = |name: &str, outcome: &str| json!({ "state": "DONE", "outcome": outcome, "subscription": { "displayName": name } });
    let expected = json!({
        "kind": "ONBOARD_TENANT", "state": "PARTIAL",
        "progress": { "subscriptionsTotal": 2, "subscriptionsDone": 2, "resourcesSeen": 20,
            "resourcesWritten": 8, "resourcesDeleted": 2 },
        "steps": { "totalCount": 2, "nodes": [step("one", "GRANTED"), step("two", "INHERITED")] },
    });
    assert_eq!(data["operation"], expected);
    Ok(())
}

#[tokio::test]
async fn tags_are_the_same_however_they_are_asked_for() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let subscription = stage.subscription(&tenant, "one").await?;
    let tags = &[("Owner", "\"a\" \u{1F600}"), ("env", "")];
    stage.resources(&subscription, &[Given { tags, ..Given::default() }]).await?;
    let query = "query($with: Boolean!) { resources { nodes {
        fields: tags { value key: name __typename value }
        spread: tags { ...Tag ... on Tag { value } }
        switched: tags { value @include(if: $with) key: name __typename @skip(if: $with) } } } }
        fragment Tag on Tag { value key: name __typename }";

    for with in [true, false] {
        let answer = stage.ask(viewer, query, json!({ "with": with })).await?;

        let told = tags.map(|(name, value)| json!({ "value": value, "key": name, "__typename": "Tag" }));
        let switched = tags.map(|(name, value)| {
            if with {
                json!({ "value": value, "key": name })
            } else {
                json!({ "key": name, "__typename": "Tag" })
            }
        });
        let node = json!({ "fields": told, "spread": told, "switched": switched });
        assert_eq!(answer["resources"]["nodes"], json!([node]));
    }
    Ok(())
}
