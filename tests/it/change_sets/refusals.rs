//! What cannot be written says why: before it is sent where that can be known, and as Azure says it otherwise.

use anyhow::Result;
use serde_json::{Value, json};
use simulator::{BuiltInRole, Scope, TagPolicy};

use super::{Tenant, outcomes, tags};

fn codes(payload: &Value) -> Vec<&str> {
    let writes = payload["changeSet"]["writes"]["nodes"].as_array().into_iter().flatten();
    writes
        .flat_map(|write| write["problems"].as_array().into_iter().flatten())
        .filter_map(|problem| problem["code"].as_str())
        .collect()
}

#[tokio::test]
async fn nothing_means_everything_unless_it_is_said_and_counted() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let tags = json!([{ "name": "a", "value": "b" }]);
    let unknown = format!("resource:{}", uuid::Uuid::now_v7());

    for (selection, code) in [
        (json!({}), "INVALID_SELECTION"),
        (json!({ "filter": {} }), "INVALID_SELECTION"),
        (json!({ "filter": { "tags": [] } }), "INVALID_SELECTION"),
        (json!({ "all": false }), "INVALID_SELECTION"),
        (json!({ "ids": [] }), "INVALID_SELECTION"),
        (json!({ "all": true, "filter": { "nameContains": "vm" } }), "INVALID_SELECTION"),
        (json!({ "filter": { "nameContains": "nothing is called so" } }), "INVALID_SELECTION"),
        (json!({ "all": true }), "CONFIRMATION_NEEDED"),
        (json!({ "all": true, "expectedCount": 19 }), "SELECTION_CHANGED"),
        (json!({ "filter": { "nameContains": "-" }, "expectedCount": -1 }), "SELECTION_CHANGED"),
        (json!({ "ids": [unknown] }), "NOT_FOUND"),
    ] {
        let refused = tenant.ask("planChangeSet", json!({ "selection": selection, "set": tags })).await?;
        assert_eq!(refused["userErrors"][0]["code"], code, "{selection} {refused}");
        assert_eq!(refused["changeSet"], Value::Null);
    }
    let all = json!({ "selection": { "all": true, "expectedCount": 20 }, "set": tags });
    assert_eq!(tenant.ask("planChangeSet", all).await?["changeSet"]["writeCount"], 20);
    Ok(())
}

#[tokio::test]
async fn a_wish_that_contradicts_itself_is_refused() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let tag = |name: &str| json!({ "name": name, "value": "v" });
    let many: Vec<_> = (0..51).map(|number| tag(&format!("n{number}"))).collect();

    for wish in [
        json!({}),
        json!({ "set": [tag("Env"), tag("env")] }),
        json!({ "set": [tag("a")], "remove": [{ "name": "A" }] }),
        json!({ "rename": [{ "from": "a", "to": "b" }, { "from": "b", "to": "c" }] }),
        json!({ "set": many }),
        json!({ "set": [tag("nul\0")] }),
    ] {
        let mut input = wish.clone();
        input["selection"] = tenant.select(&[0]);
        let refused = tenant.ask("planChangeSet", input).await?;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_TAGS", "{wish}");
    }
    Ok(())
}

#[tokio::test]
async fn all_that_stands_against_each_write_is_told_at_once_and_nothing_is_sent() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let name = format!("azure/{}", "n".repeat(520));
    let input =
        json!({ "selection": tenant.select(&[0, 2]), "tags": [{ "name": name, "value": "v".repeat(300) }] });

    let refused = tenant.ask("assignTags", input).await?;

    let each = ["NAME_TOO_LONG", "NAME_CHARACTERS", "NAME_RESERVED", "VALUE_TOO_LONG"];
    assert_eq!(codes(&refused), [each, each].concat());
    assert_eq!(refused["userErrors"][0]["code"], "HAS_PROBLEMS");
    assert_eq!(
        (refused["changeSet"]["state"].as_str(), refused["changeSet"]["problemCount"].as_i64()),
        (Some("PLANNED"), Some(2))
    );
    tenant.app.run_jobs().await?;
    assert_eq!(tenant.calls(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn what_would_fail_is_left_out_and_the_rest_is_written() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let full: Vec<(String, String)> = (0..50).map(|number| (format!("n{number}"), String::new())).collect();
    let full: Vec<(&str, &str)> = full.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    tenant.given(2, &full).await?;
    let wish = json!({ "selection": tenant.select(&[0, 2]), "set": [{ "name": "one more", "value": "v" }] });
    let planned = tenant.ask("planChangeSet", wish).await?;
    assert_eq!(codes(&planned), ["TOO_MANY_TAGS"]);

    let applied =
        tenant.to_the_end("applyChangeSet", json!({ "changeSetId": planned["changeSet"]["id"] })).await?;

    let mut ends = outcomes(&applied);
    ends.sort_unstable();
    assert_eq!((applied["state"].as_str(), ends), (Some("PARTIAL"), vec!["APPLIED", "NOT_SENT"]));
    assert_eq!(tenant.tags(0)["one more"], "v");
    Ok(())
}

#[tokio::test]
async fn below_its_access_level_no_tag_of_a_subscription_is_written() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let input = json!({ "selection": tenant.select(&[0]), "tags": [{ "name": "a", "value": "b" }] });

    let refused = tenant.ask("assignTags", input.clone()).await?;

    assert_eq!(codes(&refused), ["ACCESS_LEVEL_TOO_LOW"]);
    tenant.change_access("WRITE_TAGS").await?;
    let planned = tenant
        .ask("planChangeSet", json!({ "selection": tenant.select(&[0]), "set": input["tags"] }))
        .await?;
    let begun = tenant.ask("applyChangeSet", json!({ "changeSetId": planned["changeSet"]["id"] })).await?;
    assert_eq!(begun["userErrors"], json!([]), "{begun}");
    // It sinks after the change set was begun, before it is written.
    let level = "update subscription set access_level = 'READ_TAGS'";
    sea_orm::ConnectionTrait::execute_unprepared(&tenant.app.database, level).await?;
    tenant.app.simulator.clear_calls();
    tenant.app.run_jobs().await?;
    let ended = tenant.change_set(begun["changeSet"]["id"].as_str().unwrap_or_default()).await?;
    assert_eq!((outcomes(&ended), ended["state"].as_str()), (vec!["MISSING_ROLE"], Some("FAILED")));
    assert_eq!(tenant.calls(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn each_refusal_of_azure_has_its_outcome_and_says_who_stands_in_the_way() -> Result<()> {
    let tenant = Tenant::writable(200).await?;
    let simulator = &tenant.app.simulator;
    let deny = TagPolicy::Deny {
        title: "Require known cost centers".to_owned(),
        name: "cost".to_owned(),
        value: Some("1".to_owned()),
    };
    simulator.add_tag_policy(tenant.azure, deny);
    simulator.set_read_only(tenant.azure, &tenant.arm_id(0), true);
    simulator.remove_resource(tenant.azure, 1);
    let untaggable = 90;
    let known = tenant
        .ask(
            "planChangeSet",
            json!({ "selection": tenant.select(&[untaggable]), "set": [{ "name": "a", "value": "b" }] }),
        )
        .await?;
    assert_eq!(codes(&known), ["TYPE_NOT_TAGGABLE"]);
    // As if Azure had not told.
    let forget = "delete from taggable_type";
    sea_orm::ConnectionTrait::execute_unprepared(&tenant.app.database, forget).await?;
    let both = json!([{ "name": "cost", "value": "1" }, { "name": "team", "value": "blue" }]);
    let numbers = [0, 1, 2, untaggable];

    let change_set = tenant
        .to_the_end("assignTags", json!({ "selection": tenant.select(&numbers), "tags": both }))
        .await?;

    let of = |number: u64, name: &str| {
        let id = json!(tenant.ids[&number]);
        let writes = change_set["writes"]["nodes"].as_array().into_iter().flatten();
        let found: Vec<_> =
            writes.filter(|write| write["resource"]["id"] == id && write["name"] == name).collect();
        (
            found[0]["outcome"].as_str().unwrap_or_default(),
            found[0]["failure"]["message"].as_str().unwrap_or_default(),
        )
    };
    let (locked, why) = of(0, "cost");
    assert_eq!(locked, "LOCKED");
    assert!(why.contains(&tenant.arm_id(0).to_lowercase()), "{why}");
    assert_eq!(of(1, "team").0, "GONE");
    let (denied, why) = of(2, "cost");
    assert_eq!(denied, "DENIED_BY_POLICY");
    assert!(why.contains("Require known cost centers"), "{why}");
    assert_eq!(of(2, "team").0, "APPLIED");
    assert_eq!(of(untaggable, "team").0, "UNSUPPORTED");
    assert_eq!(change_set["state"], "PARTIAL");
    assert_eq!(tenant.tags(2)["team"], "blue");
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_gone_is_told_for_each_write_and_nothing_is_lost() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let before = tenant.tags(0);
    let principal = tenant.app.simulator.service_principal_id().unwrap_or_default();
    tenant.app.simulator.revoke(principal, BuiltInRole::TagContributor, Scope::Subscription(tenant.azure));

    let change_set = tenant.assign(&[0], "a", "b").await?;

    assert_eq!((outcomes(&change_set), change_set["state"].as_str()), (vec!["MISSING_ROLE"], Some("FAILED")));
    assert_eq!(tenant.tags(0), before);
    assert_ne!(tenant.tags(0), tags(&[("a", "b")]));
    Ok(())
}
