//! Tags are planned, written, read back and taken back; what somebody else did to them is never lost.

mod elevation;
mod files;
mod history;
mod names;
mod refusals;
mod resumption;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use simulator::{Decision, Person, TagPolicy};
use support::app::TestApp;
use support::database::misplaced;
use uuid::Uuid;

const CHANGE_SET: &str =
    "changeSet { id state purpose writeCount problemCount estimate { calls durationSeconds }
    outcomes { outcome count } operations { id state }
    writes(first: 500) { nodes { id name before nameBefore after found outcome resource { id name }
      failure { code message } problems { code message } resolution } } }
    userErrors { code message field consentUrl }";

/// A tenant in which tags are written, and what the resources of its first subscription are called.
struct Tenant {
    app: TestApp,
    azure: Uuid,
    subscriptions: Vec<String>,
    /// By the resource's number.
    ids: BTreeMap<u64, String>,
}

impl Tenant {
    async fn writable(resources: u64) -> Result<Self> {
        let tenant = Self::readable(resources).await?;
        tenant.change_access("WRITE_TAGS").await?;
        tenant.app.simulator.clear_calls();
        Ok(tenant)
    }

    async fn readable(resources: u64) -> Result<Self> {
        Self::onboarded(TestApp::small(1, resources).await?).await
    }

    async fn onboarded(app: TestApp) -> Result<Self> {
        app.onboard().await?;
        let azure = app.simulator.subscriptions()[0].id;
        let data = app
            .ask("{ subscriptions { nodes { id } } resources(first: 500) { nodes { id armId } } }", json!({}))
            .await?;
        let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let nodes = |of: &str| data[of]["nodes"].as_array().cloned().unwrap_or_default();
        let subscriptions = nodes("subscriptions").iter().map(|node| text(&node["id"])).collect();
        let resources = nodes("resources");
        let by_arm_id: BTreeMap<String, String> =
            resources.iter().map(|node| (text(&node["armId"]).to_lowercase(), text(&node["id"]))).collect();
        let number = |number| {
            let arm_id = app.simulator.resource_id(azure, number)?.to_lowercase();
            Some((number, by_arm_id.get(&arm_id)?.clone()))
        };
        let ids = (0..resources.len() as u64).filter_map(number).collect();
        Ok(Self { app, azure, subscriptions, ids })
    }

    async fn change_access(&self, level: &str) -> Result<()> {
        let asked = self
            .app
            .ask(
                "mutation($ids: [ID!]!, $level: AccessLevel!) { changeAccess(input: { subscriptionIds: $ids, level: $level }) {
                   userErrors { consentUrl } } }",
                json!({ "ids": self.subscriptions, "level": level }),
            )
            .await?;
        if let Some(url) = asked["changeAccess"]["userErrors"][0]["consentUrl"].as_str() {
            Person::new("owner").consent(url, Decision::Accept).await?;
        }
        self.app.run_jobs().await
    }

    fn arm_id(&self, number: u64) -> String {
        self.app.simulator.resource_id(self.azure, number).unwrap_or_default()
    }

    /// What Azure has.
    fn tags(&self, number: u64) -> BTreeMap<String, String> {
        self.app.simulator.tags(&self.arm_id(number)).unwrap_or_default()
    }

    /// Lets Azure have these tags, and the inventory know them.
    async fn given(&self, number: u64, tags: &[(&str, &str)]) -> Result<()> {
        self.app.simulator.replace_tags(&self.arm_id(number), tags);
        self.scan().await
    }

    async fn scan(&self) -> Result<()> {
        let data = self.app.ask("{ tenants { nodes { id } } }", json!({})).await?;
        let scan = "mutation($id: ID!) { scanTenant(input: { tenantId: $id }) { userErrors { code } } }";
        self.app.ask(scan, json!({ "id": data["tenants"]["nodes"][0]["id"] })).await?;
        self.app.run_jobs().await?;
        self.app.simulator.clear_calls();
        Ok(())
    }

    /// What our inventory shows.
    async fn stored(&self, number: u64) -> Result<Value> {
        let query = "query($id: ID!) { node(id: $id) { ... on Resource { tags { name value } } } }";
        let mut data = self.app.ask(query, json!({ "id": self.ids[&number] })).await?;
        Ok(data["node"]["tags"].take())
    }

    /// Asks a mutation for a change set; answers its payload.
    async fn ask(&self, mutation: &str, input: Value) -> Result<Value> {
        let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query =
            format!("mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {CHANGE_SET} }} }}");
        let mut data = self.app.ask(&query, json!({ "input": input })).await?;
        Ok(data[mutation].take())
    }

    fn select(&self, numbers: &[u64]) -> Value {
        json!({ "ids": numbers.iter().map(|number| &self.ids[number]).collect::<Vec<_>>() })
    }

    /// Assigns a tag, lets the jobs run, and answers the change set as it is then.
    async fn assign(&self, numbers: &[u64], name: &str, value: &str) -> Result<Value> {
        let tags = json!([{ "name": name, "value": value }]);
        self.to_the_end("assignTags", json!({ "selection": self.select(numbers), "tags": tags })).await
    }

    /// The same with any mutation.
    async fn to_the_end(&self, mutation: &str, input: Value) -> Result<Value> {
        let asked = self.ask(mutation, input).await?;
        let id = asked["changeSet"]["id"].as_str().context(asked.to_string())?;
        assert_eq!(asked["userErrors"], json!([]), "{asked}");
        self.app.run_jobs().await?;
        self.change_set(id).await
    }

    async fn change_set(&self, id: &str) -> Result<Value> {
        let fields = CHANGE_SET.split("userErrors").next().unwrap_or_default();
        let fields = fields.trim_start_matches("changeSet");
        let query = format!("query($id: ID!) {{ changeSet(id: $id) {fields} }}");
        let mut data = self.app.ask(&query, json!({ "id": id })).await?;
        Ok(data["changeSet"].take())
    }

    /// Methods of the calls that read or write tags.
    fn calls(&self) -> Vec<String> {
        let calls = self.app.simulator.calls();
        let of_tags = calls.iter().filter(|call| call.path.to_lowercase().ends_with("/tags/default"));
        of_tags.map(|call| call.method.clone()).collect()
    }
}

fn outcomes(change_set: &Value) -> Vec<&str> {
    let writes = change_set["writes"]["nodes"].as_array();
    writes.into_iter().flatten().map(|write| write["outcome"].as_str().unwrap_or("none")).collect()
}

fn tags(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn a_tag_is_written_read_back_and_shown_and_a_concurrent_writers_tag_survives() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("Env", "Prod")]).await?;
    tenant.app.simulator.replace_tags(&tenant.arm_id(0), &[("Env", "Prod"), ("theirs", "kept")]);

    let change_set = tenant.assign(&[0], "cost", "1010").await?;

    assert_eq!((change_set["state"].as_str(), outcomes(&change_set)), (Some("APPLIED"), vec!["APPLIED"]));
    assert_eq!(tenant.tags(0), tags(&[("Env", "Prod"), ("cost", "1010"), ("theirs", "kept")]));
    assert_eq!(tenant.calls(), ["GET", "PATCH", "GET"]);
    let shown = tenant.stored(0).await?;
    assert_eq!(shown[1], json!({ "name": "cost", "value": "1010" }), "{shown}");
    Ok(())
}

#[tokio::test]
async fn what_azure_has_already_is_no_write_and_case_alone_is_no_change() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("CostCenter", "1010")]).await?;

    let tag = |value: &str| json!([{ "name": "costcenter", "value": value }]);
    let same =
        tenant.ask("assignTags", json!({ "selection": tenant.select(&[0]), "tags": tag("1010") })).await?;
    let other = tenant.assign(&[0], "costcenter", "2020").await?;

    assert_eq!(same["userErrors"][0]["code"], "NOTHING_TO_CHANGE", "{same}");
    assert_eq!(outcomes(&other), ["APPLIED"]);
    assert_eq!(tenant.tags(0), tags(&[("CostCenter", "2020")]));
    Ok(())
}

#[tokio::test]
async fn tags_are_removed_and_only_where_the_value_is_the_one_that_was_meant() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("old", "a"), ("stay", "1")]).await?;
    tenant.given(2, &[("old", "b")]).await?;

    let removed = tenant
        .to_the_end(
            "removeTags",
            json!({ "selection": tenant.select(&[0, 2]), "tags": [{ "name": "OLD", "value": "a" }] }),
        )
        .await?;

    assert_eq!(outcomes(&removed), ["APPLIED"]);
    assert_eq!((tenant.tags(0), tenant.tags(2)), (tags(&[("stay", "1")]), tags(&[("old", "b")])));
    Ok(())
}

#[tokio::test]
async fn a_tag_is_renamed_with_its_value_and_its_case_can_be_mended() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("kostenstelle", "1010")]).await?;
    tenant.given(2, &[("costCENTER", "2020")]).await?;
    let rename = |from: &str| json!({ "from": from, "to": "CostCenter" });

    let renamed = tenant
        .to_the_end(
            "renameTag",
            json!({ "selection": tenant.select(&[0]), "renaming": rename("KostenStelle") }),
        )
        .await?;
    let mended = tenant
        .to_the_end(
            "renameTag",
            json!({ "selection": tenant.select(&[2]), "renaming": rename("costcenter") }),
        )
        .await?;

    assert_eq!((outcomes(&renamed), outcomes(&mended)), (vec!["APPLIED", "APPLIED"], vec!["APPLIED"]));
    assert_eq!(tenant.tags(0), tags(&[("CostCenter", "1010")]));
    assert_eq!(tenant.tags(2), tags(&[("CostCenter", "2020")]));
    Ok(())
}

#[tokio::test]
async fn a_plan_sends_nothing_and_what_changed_since_is_planned_again_before_it_is_applied() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("env", "test")]).await?;
    let wish = json!({ "selection": tenant.select(&[0, 2]), "set": [{ "name": "env", "value": "prod" }] });
    let planned = tenant.ask("planChangeSet", wish).await?["changeSet"].take();
    let id = json!({ "changeSetId": planned["id"] });
    assert_eq!((planned["state"].as_str(), planned["writeCount"].as_i64()), (Some("PLANNED"), Some(2)));
    assert_eq!(planned["estimate"], json!({ "calls": 2, "durationSeconds": 0 }));
    assert_eq!(tenant.calls(), Vec::<String>::new());
    tenant.given(0, &[("env", "staging")]).await?;

    let refused = tenant.ask("applyChangeSet", id.clone()).await?;
    let applied = tenant.to_the_end("applyChangeSet", id.clone()).await?;
    let again = tenant.ask("applyChangeSet", id).await?;

    assert_eq!(refused["userErrors"][0]["code"], "CHANGED_SINCE_PLANNED", "{refused}");
    assert_eq!(outcomes(&refused["changeSet"]), ["none", "none"]);
    let befores = |of: &Value| {
        of["writes"]["nodes"]
            .as_array()
            .map(|all| all.iter().filter(|one| one["before"] == "staging").count())
    };
    assert_eq!(befores(&refused["changeSet"]), Some(1));
    assert_eq!(outcomes(&applied), ["APPLIED", "APPLIED"]);
    assert_eq!(again["userErrors"][0]["code"], "NOT_PLANNED");
    assert_eq!(tenant.tags(0)["env"], "prod");
    Ok(())
}

#[tokio::test]
async fn a_revert_takes_back_what_was_written_and_leaves_alone_what_somebody_changed_since() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("env", "test")]).await?;
    tenant.given(2, &[]).await?;
    let written = tenant.assign(&[0, 2, 4], "env", "prod").await?;
    let theirs = [("env", "theirs")];
    tenant.app.simulator.replace_tags(&tenant.arm_id(4), &theirs);

    let reverted = tenant.to_the_end("revertChangeSet", json!({ "changeSetId": written["id"] })).await?;

    let mut ends = outcomes(&reverted);
    ends.sort_unstable();
    assert_eq!(ends, ["APPLIED", "APPLIED", "LEFT_ALONE"]);
    assert_eq!(reverted["state"], "PARTIAL");
    assert_eq!((tenant.tags(0), tenant.tags(2)), (tags(&[("env", "test")]), tags(&[])));
    assert_eq!(tenant.tags(4), tags(&theirs));
    assert_eq!(misplaced(&tenant.app.database).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_divergence_of_the_same_tag_is_asked_about_and_decided() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[("env", "test")]).await?;
    tenant.given(2, &[("env", "test")]).await?;
    for number in [0, 2] {
        tenant.app.simulator.replace_tags(&tenant.arm_id(number), &[("env", "theirs")]);
    }

    let change_set = tenant.assign(&[0, 2], "env", "ours").await?;

    assert_eq!(outcomes(&change_set), ["CONFLICT", "CONFLICT"]);
    assert_eq!(change_set["state"], "FAILED");
    let waiting =
        tenant.app.ask("{ tagConflicts { totalCount nodes { id after found before } } }", json!({})).await?;
    let conflicts = &waiting["tagConflicts"]["nodes"];
    assert_eq!(waiting["tagConflicts"]["totalCount"], 2);
    assert_eq!(
        [&conflicts[0]["after"], &conflicts[0]["found"], &conflicts[0]["before"]],
        ["ours", "theirs", "test"]
    );
    let resolve =
        "mutation($ids: [ID!]!, $decision: ConflictDecision!) { resolveConflicts(input: { conflictIds: $ids,
        decision: $decision }) { conflicts { resolution } changeSet { id } userErrors { code } } }";
    let ids: Vec<_> =
        change_set["writes"]["nodes"].as_array().into_iter().flatten().map(|write| &write["id"]).collect();
    let ours = tenant.app.ask(resolve, json!({ "ids": [ids[0]], "decision": "KEEP_OURS" })).await?;
    let azure = tenant.app.ask(resolve, json!({ "ids": [ids[1]], "decision": "TAKE_AZURE" })).await?;
    tenant.app.run_jobs().await?;
    assert_eq!(ours["resolveConflicts"]["conflicts"][0]["resolution"], "KEEP_OURS", "{ours}");
    assert_eq!(azure["resolveConflicts"]["changeSet"], Value::Null, "{azure}");
    let mut both = [tenant.tags(0)["env"].clone(), tenant.tags(2)["env"].clone()];
    both.sort_unstable();
    assert_eq!(both, ["ours", "theirs"]);
    let left = tenant.app.ask("{ tagConflicts { totalCount } }", json!({})).await?;
    assert_eq!(left["tagConflicts"]["totalCount"], 0);
    Ok(())
}

#[tokio::test]
async fn a_tag_that_a_policy_puts_back_three_times_is_not_written_a_fourth_time() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    tenant.given(0, &[]).await?;
    let policy = TagPolicy::Modify { name: "env".to_owned(), value: "policy".to_owned() };
    tenant.app.simulator.add_tag_policy(tenant.azure, policy);

    for _ in 0..3 {
        let written = tenant.assign(&[0], "env", "ours").await?;
        assert_eq!(outcomes(&written), ["REWRITTEN_BY_POLICY"]);
        assert_eq!(written["writes"]["nodes"][0]["found"], "policy");
    }
    tenant.app.simulator.clear_calls();
    let fourth = tenant.assign(&[0], "env", "ours").await?;

    assert_eq!(outcomes(&fourth), ["CONFLICT"]);
    assert_eq!(fourth["writes"]["nodes"][0]["failure"]["code"], "PUT_BACK", "{fourth}");
    assert_eq!(tenant.calls(), ["GET"]);
    Ok(())
}

#[tokio::test]
async fn tags_of_a_subscription_whose_tags_live_here_are_stored_and_nothing_is_sent() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    tenant.change_access("RESOURCES_ONLY").await?;
    let before = tenant.tags(0);
    tenant.app.simulator.clear_calls();

    let change_set = tenant.assign(&[0], "team", "blue").await?;

    assert_eq!(outcomes(&change_set), ["STORED"]);
    assert_eq!((tenant.calls(), tenant.tags(0)), (Vec::new(), before));
    tenant.scan().await?;
    let shown = tenant.stored(0).await?;
    assert!(
        shown.as_array().is_some_and(|tags| tags.contains(&json!({ "name": "team", "value": "blue" }))),
        "{shown}"
    );
    Ok(())
}

#[tokio::test]
async fn a_resource_group_and_a_subscription_are_tagged_like_a_resource() -> Result<()> {
    let tenant = Tenant::writable(20).await?;
    let selection = json!({ "filter": { "scopes": ["RESOURCE_GROUP", "SUBSCRIPTION"] }, "expectedCount": 2 });
    let wish = json!({ "selection": selection, "tags": [{ "name": "owner", "value": "nobody else" }] });

    let written = tenant.to_the_end("assignTags", wish).await?;

    assert_eq!(outcomes(&written), ["APPLIED", "APPLIED"]);
    let subscription = format!("/subscriptions/{}", tenant.azure);
    for id in [subscription.clone(), format!("{subscription}/resourceGroups/rg-00000")] {
        let has = tenant.app.simulator.tags(&id).unwrap_or_default();
        assert_eq!(has.get("owner").map(String::as_str), Some("nobody else"), "{id}");
    }
    Ok(())
}
