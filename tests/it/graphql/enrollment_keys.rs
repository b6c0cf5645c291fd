//! Enrollment keys in GraphQL: what a page costs, and that bells ring.

use anyhow::Result;
use serde_json::json;

use super::stage::Stage;

#[tokio::test]
async fn a_page_costs_the_same_however_long_it_is() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    for number in ["100", "200", "300"] {
        stage.enrollment_key(viewer, number).await?;
    }
    let query = "query($first: Int) { enrollmentKeys(first: $first) {
        nodes { hint state message createdBy { displayName } } totalCount } }";
    for first in [1, 3, 500] {
        stage.statements();

        let data = stage.ask(viewer, query, json!({ "first": first })).await?;

        assert_eq!(stage.statements().len(), 3, "{data}");
        assert_eq!(data["enrollmentKeys"]["totalCount"], 3);
    }
    Ok(())
}

#[tokio::test]
async fn asking_for_a_check_rings_the_bell_once() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let key = stage.enrollment_key(viewer, "100").await?;
    let query = "mutation($id: ID!) { checkEnrollmentKey(input: { enrollmentKeyId: $id, clientMutationId: \"mine\" }) {
        clientMutationId enrollmentKey { enrollmentNumber } userErrors { code } } }";
    let id = json!({ "id": format!("enrollment-key:{}", key.id) });

    let first = stage.ask(viewer, query, id.clone()).await?;
    stage.ask(viewer, query, id).await?;

    let told = &first["checkEnrollmentKey"];
    assert_eq!((&told["clientMutationId"], &told["userErrors"]), (&json!("mine"), &json!([])));
    assert_eq!(stage.services.queue.depth("check-enrollment-key").await?.ready, 1);
    Ok(())
}
