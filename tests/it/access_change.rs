//! A change of access: roles are added, seen to work, and only then removed; what fails is taken back.

mod past_return;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::{BuiltInRole, Decision, Fault, Person, Scope};
use support::app::TestApp;
use uuid::Uuid;

const CHANGE: &str = "mutation($ids: [ID!]!, $level: AccessLevel!) {
    changeAccess(input: { subscriptionIds: $ids, level: $level }) {
      operation { id } userErrors { code message consentUrl } } }";

const STEPS: &str = "id state failure { code } steps(first: 100) { nodes { state outcome accessLevel
    failure { code } subscription { id accessLevel roleAssignments { role origin } } } }";

/// A tenant whose subscriptions are read already, and who asks for changes.
struct Tenant {
    app: TestApp,
    ids: Vec<String>,
    azure: Vec<Uuid>,
}

impl Tenant {
    async fn connected(subscriptions: u32) -> Result<Self> {
        let app = TestApp::small(subscriptions, 20).await?;
        app.onboard().await?;
        let data = app.ask("{ subscriptions { nodes { id azureSubscriptionId } } }", json!({})).await?;
        let nodes = data["subscriptions"]["nodes"].as_array().context("no subscriptions")?;
        let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let ids = nodes.iter().map(|node| text(&node["id"])).collect();
        let azure = nodes.iter().filter_map(|node| text(&node["azureSubscriptionId"]).parse().ok()).collect();
        app.simulator.clear_calls();
        Ok(Self { app, ids, azure })
    }

    /// Asks for the level at these; answers the payload.
    async fn ask(&self, ids: &[String], level: &str) -> Result<Value> {
        let mut data = self.app.ask(CHANGE, json!({ "ids": ids, "level": level })).await?;
        Ok(data["changeAccess"].take())
    }

    /// The owner follows the link that the api gives, and the change begins.
    async fn consent_to(&self, ids: &[String], level: &str) -> Result<()> {
        let asked = self.ask(ids, level).await?;
        let url = asked["userErrors"][0]["consentUrl"].as_str().context(asked.to_string())?;
        let page = Person::new("owner").consent(url, Decision::Accept).await?;
        assert_eq!(page.status, 200, "{}", page.body);
        let role = if level == "WRITE_TAGS" { "Tag Contributor role" } else { "Reader role" };
        assert!(page.body.contains(role), "the owner is not told of it: {}", page.body);
        Ok(())
    }

    /// The same for every subscription, to its end; answers the operation.
    async fn change(&self, level: &str) -> Result<Value> {
        self.consent_to(&self.ids, level).await?;
        self.app.run_jobs().await?;
        self.last().await
    }

    /// The newest operation.
    async fn last(&self) -> Result<Value> {
        let query = format!("{{ operations(first: 1) {{ nodes {{ kind {STEPS} }} }} }}");
        let mut data = self.app.ask(&query, json!({})).await?;
        Ok(data["operations"]["nodes"][0].take())
    }

    fn principal(&self) -> Uuid {
        self.app.simulator.service_principal_id().unwrap_or_default()
    }

    /// Methods and ends of the paths of those calls that change assignments.
    fn changes(&self) -> Vec<(String, u16)> {
        let calls = self.app.simulator.calls();
        let changing = calls.iter().filter(|call| ["PUT", "DELETE"].contains(&call.method.as_str()));
        changing.map(|call| (call.method.clone(), call.status)).collect()
    }
}

/// What an operation says of its first step.
fn first(operation: &Value) -> Value {
    let step = &operation["steps"]["nodes"][0];
    let mut roles: Vec<_> = step["subscription"]["roleAssignments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|held| held["role"].as_str())
        .collect();
    roles.sort_unstable();
    json!([step["outcome"], step["failure"]["code"], step["subscription"]["accessLevel"], roles])
}

#[tokio::test]
async fn without_a_window_the_refusal_says_where_to_consent_and_the_change_begins_there() -> Result<()> {
    let tenant = Tenant::connected(1).await?;

    let refused = tenant.ask(&tenant.ids, "WRITE_TAGS").await?;

    assert_eq!(refused["operation"], Value::Null);
    assert_eq!(refused["userErrors"][0]["code"], "CONSENT_REQUIRED");
    assert_eq!(tenant.changes(), []);
    let operation = tenant.change("WRITE_TAGS").await?;
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(first(&operation), json!(["CHANGED", null, "WRITE_TAGS", ["TAG_CONTRIBUTOR"]]));
    assert_eq!(tenant.changes(), [("PUT".to_owned(), 201), ("DELETE".to_owned(), 200)]);
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_is_refused() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let unknown = format!("subscription:{}", Uuid::now_v7());

    for (ids, level, code) in [
        (vec![unknown, tenant.ids[0].clone()], "WRITE_TAGS", "NOT_FOUND"),
        (vec![], "WRITE_TAGS", "INVALID_SELECTION"),
        (tenant.ids.clone(), "NONE", "INVALID_LEVEL"),
    ] {
        assert_eq!(tenant.ask(&ids, level).await?["userErrors"][0]["code"], code);
    }
    Ok(())
}

#[tokio::test]
async fn the_new_role_is_seen_to_work_before_the_old_one_goes() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.app.simulator.set_propagation(TimeDelta::minutes(4));
    let begun = tenant.app.clock.now();

    let operation = tenant.change("WRITE_TAGS").await?;

    assert_eq!(first(&operation), json!(["CHANGED", null, "WRITE_TAGS", ["TAG_CONTRIBUTOR"]]));
    let calls = tenant.app.simulator.calls();
    let removed = calls.iter().find(|call| call.method == "DELETE").context("nothing was removed")?;
    assert!(removed.at - begun >= TimeDelta::minutes(4), "removed after {}", removed.at - begun);
    Ok(())
}

#[tokio::test]
async fn a_role_that_never_works_is_taken_back() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.app.simulator.set_propagation(TimeDelta::minutes(40));

    let operation = tenant.change("WRITE_TAGS").await?;

    assert_eq!(operation["state"], "FAILED");
    assert_eq!(first(&operation), json!(["ROLLED_BACK", "ROLE_NOT_EFFECTIVE", "READ_TAGS", ["READER"]]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    Ok(())
}

#[tokio::test]
async fn a_role_that_cannot_be_removed_takes_the_new_one_back() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let locked = r#"{"error":{"code":"ScopeLocked","message":"The scope is locked."}}"#;
    let removal = Fault::on("DELETE", "/subscriptions/*/providers/microsoft.authorization/roleassignments/*");
    tenant.app.simulator.faults().plan(removal.answer(409, &[], locked));

    let operation = tenant.change("WRITE_TAGS").await?;

    assert_eq!(first(&operation), json!(["ROLLED_BACK", "SCOPE_LOCKED", "READ_TAGS", ["READER"]]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    Ok(())
}

#[tokio::test]
async fn back_again_reader_returns_and_tag_contributor_goes() -> Result<()> {
    let tenant = Tenant::connected(2).await?;
    tenant.change("WRITE_TAGS").await?;

    let operation = tenant.change("READ_TAGS").await?;

    assert_eq!(operation["state"], "SUCCEEDED");
    assert_eq!(first(&operation), json!(["CHANGED", null, "READ_TAGS", ["READER"]]));
    Ok(())
}

#[tokio::test]
async fn reader_stays_where_the_organization_keeps_it() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let keep = "mutation { changeOrganization(input: { keepReader: true }) { organization { keepReader } } }";
    tenant.app.ask(keep, json!({})).await?;

    let operation = tenant.change("WRITE_TAGS").await?;

    assert_eq!(first(&operation), json!(["CHANGED", null, "WRITE_TAGS", ["READER", "TAG_CONTRIBUTOR"]]));
    assert_eq!(tenant.changes(), [("PUT".to_owned(), 201)]);
    Ok(())
}

#[tokio::test]
async fn what_others_assigned_and_what_is_inherited_stays() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.change("WRITE_TAGS").await?;
    let (principal, azure) = (tenant.principal(), tenant.azure[0]);
    tenant.app.simulator.grant(principal, BuiltInRole::Reader, Scope::Subscription(azure));
    tenant.app.simulator.grant(principal, BuiltInRole::TagContributor, Scope::GroupAbove(azure));

    let operation = tenant.change("READ_TAGS").await?;

    assert_eq!(first(&operation)[2], "READ_TAGS", "{operation}");
    let held = &operation["steps"]["nodes"][0]["subscription"]["roleAssignments"];
    let mut held: Vec<_> = held.as_array().into_iter().flatten().map(ToString::to_string).collect();
    held.sort_unstable();
    assert_eq!(
        held,
        [r#"{"origin":"ADOPTED","role":"READER"}"#, r#"{"origin":"INHERITED","role":"TAG_CONTRIBUTOR"}"#]
    );
    Ok(())
}

#[tokio::test]
async fn levels_that_hold_the_same_role_need_no_window_and_pull_tags_or_not() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let tags = "{ resources(first: 100) { nodes { tags { name value } } } }";
    let before = tenant.app.ask(tags, json!({})).await?;

    let asked = tenant.ask(&tenant.ids, "RESOURCES_ONLY").await?;
    tenant.app.run_jobs().await?;

    assert_eq!(asked["userErrors"], json!([]));
    assert_eq!(first(&tenant.last().await?), json!(["CHANGED", null, "RESOURCES_ONLY", ["READER"]]));
    tenant.app.simulator.set_tags(tenant.azure[0], 0, &[("only", "azure")]);
    let scanned = tenant.app.scan(&json!({ "tenant": { "id": tenant_id(&tenant).await? } })).await?;
    assert_eq!(scanned["state"], "SUCCEEDED");
    assert_eq!(tenant.app.ask(tags, json!({})).await?, before, "tags live here only");
    tenant.ask(&tenant.ids, "READ_TAGS").await?;
    tenant.app.run_jobs().await?;
    let after = tenant.app.ask(tags, json!({})).await?.to_string();
    assert!(after.contains(r#"{"name":"only","value":"azure"}"#), "Azure's value does not count: {after}");
    assert_eq!(tenant.changes(), []);
    Ok(())
}

async fn tenant_id(tenant: &Tenant) -> Result<Value> {
    let mut data = tenant.app.ask("{ tenants { nodes { id } } }", json!({})).await?;
    Ok(data["tenants"]["nodes"][0]["id"].take())
}

#[tokio::test]
async fn the_second_of_two_changes_waits_for_the_first() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.app.simulator.set_propagation(TimeDelta::minutes(3));
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.run_due().await?;

    let second = tenant.ask(&tenant.ids, "READ_TAGS").await?;
    let same = tenant.ask(&tenant.ids, "READ_TAGS").await?;
    tenant.app.run_jobs().await?;

    assert_eq!(second["userErrors"], json!([]), "the window is open");
    assert_eq!(second["operation"], same["operation"]);
    assert_eq!(first(&tenant.last().await?), json!(["CHANGED", null, "READ_TAGS", ["READER"]]));
    let methods: Vec<_> = tenant.changes().into_iter().map(|(method, _)| method).collect();
    assert_eq!(methods, ["PUT", "DELETE", "PUT", "DELETE"]);
    Ok(())
}

#[tokio::test]
async fn at_the_edge_of_the_window_what_was_added_is_taken_back() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.app.simulator.set_propagation(TimeDelta::hours(2));
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.clock.advance(TimeDelta::minutes(48));

    tenant.app.run_jobs().await?;

    let operation = tenant.last().await?;
    assert_eq!(
        first(&operation),
        json!(["ROLLED_BACK", "CONSENT_WINDOW_TOO_SHORT", "READ_TAGS", ["READER"]])
    );
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    Ok(())
}

#[tokio::test]
async fn a_swap_that_cannot_end_inside_the_window_is_not_begun() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.clock.advance(TimeDelta::minutes(50));

    tenant.app.run_jobs().await?;

    let operation = tenant.last().await?;
    assert_eq!(
        first(&operation),
        json!(["NEEDS_RECONSENT", "CONSENT_WINDOW_TOO_SHORT", "READ_TAGS", ["READER"]])
    );
    assert_eq!(tenant.changes(), []);
    Ok(())
}

#[tokio::test]
async fn a_new_consent_goes_on_where_the_window_closed() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.app.simulator.set_propagation(TimeDelta::minutes(5));
    tenant.app.simulator.set_continuous_access(true);
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.run_due().await?;
    tenant.app.simulator.revoke_sessions("owner");
    tenant.app.run_jobs().await?;
    let interrupted = tenant.last().await?;
    assert_eq!(first(&interrupted)[0], "NEEDS_RECONSENT", "{interrupted}");
    tenant.app.clock.advance(TimeDelta::seconds(5));

    let resumed = tenant.change("WRITE_TAGS").await?;

    assert_eq!(first(&resumed), json!(["CHANGED", null, "WRITE_TAGS", ["TAG_CONTRIBUTOR"]]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    let puts = tenant.changes().into_iter().filter(|(method, _)| method == "PUT").count();
    assert_eq!(puts, 1, "the role was assigned twice");
    Ok(())
}

#[tokio::test]
async fn cancelled_in_the_middle_everything_is_as_before() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    tenant.app.simulator.set_propagation(TimeDelta::minutes(5));
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.run_due().await?;
    let operation = tenant.last().await?;
    assert_eq!(operation["steps"]["nodes"][0]["state"], "VERIFYING");

    let cancel =
        "mutation($id: ID!) { cancelOperation(input: { operationId: $id }) { userErrors { code } } }";
    tenant.app.ask(cancel, json!({ "id": operation["id"] })).await?;
    tenant.app.run_jobs().await?;

    let operation = tenant.last().await?;
    assert_eq!(operation["state"], "CANCELLED", "{operation}");
    assert_eq!(first(&operation), json!(["ROLLED_BACK", "CANCELLED", "READ_TAGS", ["READER"]]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    Ok(())
}

#[tokio::test]
async fn an_assignment_whose_answer_was_lost_is_known_as_ours() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let put = "/subscriptions/*/providers/microsoft.authorization/roleassignments/*";
    // Azure does it, and the answer never arrives.
    tenant.app.simulator.faults().plan(Fault::on("PUT", put).truncate().times(100));
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.run_due().await?;
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 2);
    tenant.app.simulator.faults().clear();

    tenant.app.run_jobs().await?;

    assert_eq!(first(&tenant.last().await?), json!(["CHANGED", null, "WRITE_TAGS", ["TAG_CONTRIBUTOR"]]));
    let back = tenant.change("READ_TAGS").await?;
    assert_eq!(first(&back), json!(["CHANGED", null, "READ_TAGS", ["READER"]]), "it was not removed");
    Ok(())
}

#[tokio::test]
async fn an_assignment_whose_answer_was_lost_is_still_ours_to_the_next_consent() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let put = "/subscriptions/*/providers/microsoft.authorization/roleassignments/*";
    tenant.app.simulator.faults().plan(Fault::on("PUT", put).truncate().times(100));
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.run_due().await?;
    tenant.app.simulator.faults().clear();
    tenant.app.clock.advance(TimeDelta::hours(2));
    tenant.app.run_jobs().await?;
    assert_eq!(first(&tenant.last().await?)[0], "NEEDS_RECONSENT");
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 2, "the role that nobody heard of");

    tenant.change("WRITE_TAGS").await?;
    let back = tenant.change("READ_TAGS").await?;

    assert_eq!(first(&back), json!(["CHANGED", null, "READ_TAGS", ["READER"]]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    Ok(())
}

#[tokio::test]
async fn a_change_that_is_given_up_is_taken_back() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let permissions = "/subscriptions/*/providers/microsoft.authorization/permissions";
    // The consenting user's look is answered, the service principal's is not understood.
    let odd = Fault::on("GET", permissions).after(1).answer(400, &[], r#"{"error":{"code":"Odd"}}"#);
    tenant.app.simulator.faults().plan(odd);

    let operation = tenant.change("WRITE_TAGS").await?;

    assert_eq!(first(&operation), json!(["ROLLED_BACK", "UNEXPECTED_ANSWER", "READ_TAGS", ["READER"]]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1);
    Ok(())
}
