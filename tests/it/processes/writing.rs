//! A worker that dies while it writes tags is replaced: nothing is lost, and what Azure has is not sent again.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use simulator::{Config, Decision, Fault, Person};
use std::time::Duration;
use support::eventually::eventually;
use support::processes::Installation;
use support::stack::Stack;

use super::called;

/// Resources that are tagged.
const TAGGED: usize = 30;

const TAGS: &str = "/providers/microsoft.resources/tags/default";

/// Waits until the newest operation of this kind has ended well.
async fn ended(installation: &Installation, kind: &str) {
    let query = "query($kinds: [OperationKind!]) { operations(first: 1, filter: { kinds: $kinds }) { nodes { state } } }";
    eventually(kind, async || {
        let data = installation.ask(0, query, json!({ "kinds": [kind] })).await.ok()?;
        (data["operations"]["nodes"][0]["state"] == "SUCCEEDED").then_some(())
    })
    .await;
}

async fn accept(link: &Value) -> Result<()> {
    Person::new("owner").consent(link.as_str().context("no link")?, Decision::Accept).await?;
    Ok(())
}

/// An installation whose one subscription can be written to; answers ids of resources there.
async fn writable(installation: &Installation) -> Result<Vec<Value>> {
    let consent = installation.consent(0).await?;
    installation.ended(0, &consent).await;
    let data = installation
        .ask(
            0,
            "{ subscriptions { nodes { id } } resources(first: 100, filter: { not: {
               types: [\"microsoft.insights/diagnosticsettings\"] } }) { nodes { id } } }",
            json!({}),
        )
        .await?;
    let change = "mutation($id: ID!) { changeAccess(input: { subscriptionIds: [$id], level: WRITE_TAGS }) {
        userErrors { consentUrl } } }";
    let asked = installation.ask(0, change, json!({ "id": data["subscriptions"]["nodes"][0]["id"] })).await?;
    accept(&asked["changeAccess"]["userErrors"][0]["consentUrl"]).await?;
    ended(installation, "CHANGE_ACCESS").await;
    let nodes = data["resources"]["nodes"].as_array().context("no resources")?;
    Ok(nodes.iter().take(TAGGED).map(|node| node["id"].clone()).collect())
}

#[tokio::test]
async fn a_worker_that_is_killed_while_it_writes_tags_sends_nothing_twice_and_loses_nothing() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(());
    }
    for (method, nth) in [("GET", 1), ("PATCH", 1), ("PATCH", 9), ("GET", 25)] {
        let installation =
            Installation::start(Config { subscriptions: 1, resources: 100, ..Config::default() }, 1).await?;
        let _api = installation.api(0).await?;
        let mut worker = installation.worker()?;
        let ids = writable(&installation).await?;
        installation.simulator.clear_calls();
        // The call is held up, so that the worker dies in the middle of it.
        let path =
            "/subscriptions/*/resourcegroups/*/providers/*/*/*/providers/microsoft.resources/tags/default";
        let held_up = Fault::on(method, path).after(nth - 1).delay(Duration::from_secs(2));
        installation.simulator.faults().plan(held_up);
        let assign = "mutation($ids: [ID!]!) { assignTags(input: { selection: { ids: $ids },
            tags: [{ name: \"killed\", value: \"never\" }] }) { userErrors { message } } }";
        installation.ask(0, assign, json!({ "ids": ids })).await?;
        called(&installation, method, TAGS, nth).await;

        worker.kill()?;
        let _next = installation.worker()?;

        ended(&installation, "APPLY_CHANGE_SET").await;
        let azure = installation.simulator.subscriptions()[0].id;
        let tagged = (0..100).filter_map(|number| {
            let tags = installation.simulator.tags(&installation.simulator.resource_id(azure, number)?)?;
            tags.get("killed").cloned()
        });
        assert_eq!(tagged.filter(|value| value == "never").count(), TAGGED);
        let calls = installation.simulator.calls();
        let patches =
            calls.iter().filter(|call| call.method == "PATCH" && call.path.to_lowercase().ends_with(TAGS));
        let mut by_path: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        patches.for_each(|call| *by_path.entry(call.path.to_lowercase()).or_default() += 1);
        // Those that were under way when the worker died may not have been there yet when the next one looked.
        let twice = by_path.values().filter(|count| **count > 1).count();
        assert!(twice <= 8, "{twice} of {} were sent twice", by_path.len());
        assert_eq!(by_path.len(), TAGGED, "each was sent");
    }
    Ok(())
}
