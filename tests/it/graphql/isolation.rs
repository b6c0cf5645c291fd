//! Isolation: every root field, asked for by a member of another organization, shows nothing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use api::viewer::Viewer;
use async_graphql::{Request, Variables};
use entity::operation::State;
use futures::StreamExt;
use serde_json::{Value, json};

use super::stage::{Given, Stage};

/// For each root field, a query for what is somebody else's, and what it answers. `$id` is of the kind that
/// the field is about.
fn table() -> BTreeMap<(&'static str, &'static str), (&'static str, Value)> {
    let not_found = json!([{ "code": "NOT_FOUND" }]);
    let none = json!({ "totalCount": 0, "nodes": [] });
    BTreeMap::from([
        (("Query", "viewer"), ("{ viewer { organization { id } } }", json!("their own"))),
        (("Query", "node"), ("query($tenant: ID!) { node(id: $tenant) { id } }", json!(null))),
        (
            ("Query", "nodes"),
            (
                "query($all: [ID!]!) { nodes(ids: $all) { id } }",
                json!([null, null, null, null, null, null, null]),
            ),
        ),
        (("Query", "tenant"), ("query($tenant: ID!) { tenant(id: $tenant) { id } }", json!(null))),
        (("Query", "tenants"), ("{ tenants { totalCount nodes { id } } }", none.clone())),
        (
            ("Query", "subscriptions"),
            (
                "query($tenant: ID!) { subscriptions(tenant: $tenant) { totalCount nodes { id } } }",
                none.clone(),
            ),
        ),
        (
            ("Query", "resources"),
            (
                "query($tenant: ID!) { resources(filter: { tenants: [$tenant], presence: ANY }) {
                   totalCount nodes { id } } }",
                none.clone(),
            ),
        ),
        (
            ("Query", "operation"),
            ("query($operation: ID!) { operation(id: $operation) { id } }", json!(null)),
        ),
        (
            ("Query", "operations"),
            (
                "query($tenant: ID!) { operations(filter: { tenants: [$tenant] }) { totalCount nodes { id } } }",
                none.clone(),
            ),
        ),
        (("Query", "consent"), ("query($consent: ID!) { consent(id: $consent) { id } }", json!(null))),
        (("Query", "consents"), ("{ consents { totalCount nodes { id } } }", none)),
        (
            ("Mutation", "startConsent"),
            // It names no row of anybody's.
            (
                "mutation { startConsent(input: { tenant: \"nonsense\" }) { consent { id } userErrors { code } } }",
                json!({ "consent": null, "userErrors": [{ "code": "INVALID_TENANT" }] }),
            ),
        ),
        (
            ("Mutation", "scanTenant"),
            (
                "mutation($tenant: ID!) { scanTenant(input: { tenantId: $tenant }) {
                   operation { id } userErrors { code } } }",
                json!({ "operation": null, "userErrors": not_found }),
            ),
        ),
        (
            ("Mutation", "cancelOperation"),
            (
                "mutation($operation: ID!) { cancelOperation(input: { operationId: $operation }) {
                   operation { id } userErrors { code } } }",
                json!({ "operation": null, "userErrors": not_found }),
            ),
        ),
        (
            ("Mutation", "retryOperation"),
            (
                "mutation($operation: ID!) { retryOperation(input: { operationId: $operation }) {
                   operation { id } userErrors { code } } }",
                json!({ "operation": null, "userErrors": not_found }),
            ),
        ),
        (
            ("Subscription", "operation"),
            ("subscription($operation: ID!) { operation(id: $operation) { id } }", json!(null)),
        ),
    ])
}

/// Something of every kind, and the ids of it.
async fn world(stage: &Stage) -> Result<(Viewer, Value)> {
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let subscription = stage.subscription(&tenant, "one").await?;
    stage.resources(&subscription, &[Given { name: "vm", ..Given::default() }]).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Running).await?;
    let data =
        stage.ask(viewer, "{ resources { nodes { id } } consents { nodes { id } } }", json!({})).await?;
    let tenant = format!("tenant:{}", tenant.id);
    let operation = format!("operation:{}", operation.id);
    let consent = &data["consents"]["nodes"][0]["id"];
    let all = json!([
        tenant,
        operation,
        consent,
        format!("subscription:{}", subscription.id),
        data["resources"]["nodes"][0]["id"],
        format!("member:{}", viewer.member_id),
        format!("organization:{}", viewer.organization_id),
    ]);
    Ok((viewer, json!({ "tenant": tenant, "operation": operation, "consent": consent, "all": all })))
}

async fn root_fields(stage: &Stage, viewer: Viewer) -> Result<Vec<(String, String)>> {
    let root = "{ name fields(includeDeprecated: true) { name } }";
    let query = format!("{{ __schema {{ queryType {root} mutationType {root} subscriptionType {root} }} }}");
    let data = stage.ask(viewer, &query, json!({})).await?;
    let mut found = Vec::new();
    for kind in ["queryType", "mutationType", "subscriptionType"] {
        let kind = &data["__schema"][kind];
        let name = kind["name"].as_str().context("a root type without a name")?;
        for field in kind["fields"].as_array().into_iter().flatten() {
            found.push((name.to_owned(), field["name"].as_str().unwrap_or_default().to_owned()));
        }
    }
    Ok(found)
}

/// The first thing that `viewer` is told of `field`.
async fn told(stage: &Stage, viewer: Viewer, field: &str, query: &str, variables: &Value) -> Result<Value> {
    let request = Request::new(query).variables(Variables::from_json(variables.clone())).data(viewer);
    let answer = stage.schema.execute_stream(request).next().await.context("no answer")?;
    let mut answer = serde_json::to_value(answer)?;
    anyhow::ensure!(answer.get("errors").is_none(), "{query}: {answer}");
    Ok(answer["data"][field].take())
}

#[tokio::test]
async fn every_root_field_is_in_the_table() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;

    let mut fields = root_fields(&stage, viewer).await?;

    fields.sort();
    let table = table();
    let listed: Vec<_> =
        table.keys().map(|(kind, field)| ((*kind).to_owned(), (*field).to_owned())).collect();
    assert_eq!(fields, listed);
    Ok(())
}

#[tokio::test]
async fn a_stranger_sees_nothing_through_any_root_field() -> Result<()> {
    let stage = Stage::start().await?;
    let (owner, ids) = world(&stage).await?;
    let stranger = stage.viewer().await?;
    let own = json!({ "organization": { "id": format!("organization:{}", stranger.organization_id) } });
    for ((kind, field), (query, nothing)) in table() {
        let nothing = if field == "viewer" { &own } else { &nothing };
        assert_eq!(&told(&stage, stranger, field, query, &ids).await?, nothing, "{kind}.{field}");
        // The same query has something to show to its owner.
        let shown = told(&stage, owner, field, query, &ids).await?;
        assert!(&shown != nothing || field == "startConsent", "{kind}.{field} shows nothing to anybody");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_somebody_elses_answers_as_what_does_not_exist() -> Result<()> {
    let stage = Stage::start().await?;
    let (_, theirs) = world(&stage).await?;
    let stranger = stage.viewer().await?;
    let nobodys = json!({
        "tenant": "tenant:01930000-0000-7000-8000-000000000000",
        "operation": "operation:01930000-0000-7000-8000-000000000000",
        "consent": "consent:01930000-0000-7000-8000-000000000000",
        "all": vec!["tenant:01930000-0000-7000-8000-000000000000"; 7],
    });
    for ((kind, field), (query, _)) in table() {
        let theirs = told(&stage, stranger, field, query, &theirs).await?;
        assert_eq!(theirs, told(&stage, stranger, field, query, &nobodys).await?, "{kind}.{field}");
    }
    Ok(())
}
