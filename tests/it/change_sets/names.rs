//! What is decided about a name counts: whether it is kept in sync, and what happens in its conflicts.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Tenant, outcomes, tags};

async fn decide(tenant: &Tenant, input: Value) -> Result<Value> {
    let query =
        "mutation($input: ChangeTagNameInput!) { changeTagName(input: $input) { tagNameSetting { name sync
        conflictPolicy } changeSet { id purpose writeCount } userErrors { code } } }";
    let mut data = tenant.app.ask(query, json!({ "input": input })).await?;
    Ok(data["changeTagName"].take())
}

#[tokio::test]
async fn a_name_that_is_no_name_is_refused() -> Result<()> {
    let tenant = Tenant::readable(20).await?;

    for name in ["", "a/b", "a\0"] {
        let refused = decide(&tenant, json!({ "name": name, "sync": "OFF" })).await?;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_NAME", "{name:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_policy_of_a_name_goes_before_that_of_the_organization() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("mine", "a"), ("theirs", "a")]).await?;
    let organization = "mutation { changeOrganization(input: { conflictPolicy: AZURE_WINS }) {
        organization { conflictPolicy } } }";
    tenant.app.ask(organization, json!({})).await?;
    decide(&tenant, json!({ "name": "MINE", "conflictPolicy": "PORTAL_WINS" })).await?;
    tenant.app.simulator.replace_tags(&tenant.arm_id(0), &[("mine", "b"), ("theirs", "b")]);
    let both = json!([{ "name": "mine", "value": "c" }, { "name": "theirs", "value": "c" }]);

    let written =
        tenant.to_the_end("assignTags", json!({ "selection": tenant.select(&[0]), "tags": both })).await?;

    assert_eq!(outcomes(&written), ["APPLIED", "LEFT_ALONE"]);
    assert_eq!(tenant.tags(0), tags(&[("mine", "c"), ("theirs", "b")]));
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_switched_off_lives_here_only_and_azure_keeps_its_own() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("secret", "azure"), ("other", "1")]).await?;

    let decided = decide(&tenant, json!({ "name": "Secret", "sync": "OFF" })).await?;
    let written = tenant.assign(&[0], "secret", "ours").await?;
    tenant.given(0, &[("secret", "changed there"), ("other", "2")]).await?;

    assert_eq!(decided["changeSet"], Value::Null);
    assert_eq!(outcomes(&written), ["STORED"]);
    let shown = tenant.stored(0).await?;
    assert_eq!(shown, json!([{ "name": "other", "value": "2" }, { "name": "secret", "value": "ours" }]));
    assert_eq!(tenant.tags(0)["secret"], "changed there");
    Ok(())
}

#[tokio::test]
async fn it_is_removed_from_azure_and_written_there_again_only_by_a_plan_that_somebody_applies() -> Result<()>
{
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("secret", "v"), ("other", "1")]).await?;

    let off = decide(&tenant, json!({ "name": "secret", "sync": "OFF", "inAzure": "PLAN" })).await?;
    assert_eq!(
        (off["changeSet"]["purpose"].as_str(), off["changeSet"]["writeCount"].as_i64()),
        (Some("SYNC_OFF"), Some(1))
    );
    tenant.app.run_jobs().await?;
    assert_eq!(tenant.tags(0)["secret"], "v");
    let removed =
        tenant.to_the_end("applyChangeSet", json!({ "changeSetId": off["changeSet"]["id"] })).await?;

    assert_eq!(outcomes(&removed), ["APPLIED"]);
    assert_eq!(tenant.tags(0), tags(&[("other", "1")]));
    assert_eq!(tenant.stored(0).await?[1], json!({ "name": "secret", "value": "v" }));
    let on = decide(&tenant, json!({ "name": "secret", "sync": "ON", "inAzure": "PLAN" })).await?;
    let written =
        tenant.to_the_end("applyChangeSet", json!({ "changeSetId": on["changeSet"]["id"] })).await?;
    assert_eq!(outcomes(&written), ["APPLIED"]);
    assert_eq!(tenant.tags(0), tags(&[("other", "1"), ("secret", "v")]));
    Ok(())
}
