//! A role that is held for one change set: inside one window it is assigned, tags are written, and it goes again.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::{BuiltInRole, Decision, Fault, Person, Scope};

use super::Tenant;

const ESTIMATE: &str = "query($id: ID!) { changeSet(id: $id) { elevates state
    estimate { calls elevatedSubscriptions fitsWindow }
    operations { state failure { code } steps { nodes { state outcome failure { code } } } } } }";

impl Tenant {
    /// Plans a tag for these resources, with a role that is held for it.
    async fn plan_elevated(&self, numbers: &[u64]) -> Result<Value> {
        let set = json!([{ "name": "Team", "value": "blue" }]);
        let input = json!({ "selection": self.select(numbers), "set": set, "elevates": true });
        Ok(self.ask("planChangeSet", input).await?["changeSet"].take())
    }

    /// Plans it, applies it, and lets the owner consent: nothing is done yet. Answers its id.
    async fn consented(&self, numbers: &[u64]) -> Result<String> {
        let planned = self.plan_elevated(numbers).await?;
        let (page, _) = self.apply_as(&planned["id"], "owner").await?;
        assert!(page.contains("Thank you"), "{page}");
        Ok(planned["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Applies it, and follows the link that is given for that.
    async fn apply_as(&self, id: &Value, person: &str) -> Result<(String, Value)> {
        let asked = self.ask("applyChangeSet", json!({ "changeSetId": id })).await?;
        let url = asked["userErrors"][0]["consentUrl"].as_str().context(asked.to_string())?;
        Ok((Person::new(person).consent(url, Decision::Accept).await?.body, asked))
    }

    async fn told(&self, id: &str) -> Result<Value> {
        let mut data = self.app.ask(ESTIMATE, json!({ "id": id })).await?;
        Ok(data["changeSet"].take())
    }

    /// The step's outcome and why, the outcomes of the writes with theirs, the level, and our roles.
    async fn end(&self, id: &str) -> Result<Value> {
        let told = self.told(id).await?;
        let step = &told["operations"][0]["steps"]["nodes"][0];
        assert_eq!(step["state"], "DONE", "{told}");
        let change_set = self.change_set(id).await?;
        let writes = change_set["writes"]["nodes"].as_array().into_iter().flatten();
        let writes: Vec<_> = writes.map(|one| json!([one["outcome"], one["failure"]["code"]])).collect();
        let query = "query($id: ID!) { node(id: $id) { ... on AzureSubscription { accessLevel
            roleAssignments { role origin } } } }";
        let data = self.app.ask(query, json!({ "id": self.subscriptions[0] })).await?;
        let held = data["node"]["roleAssignments"].as_array().into_iter().flatten();
        let ours: Vec<_> = held.filter(|one| one["origin"] == "OURS").map(|one| &one["role"]).collect();
        Ok(json!([step["outcome"], step["failure"]["code"], writes, data["node"]["accessLevel"], ours]))
    }

    fn roles_in_azure(&self) -> usize {
        self.app.simulator.assignments_at(self.azure)
    }

    /// Another change of the second resource is under way, for so long that only the next attempt writes its tag.
    async fn second_waits(&self) -> Result<String> {
        let body = r#"{"error":{"code":"AnotherOperationInProgress","message":"Try again."}}"#;
        let fault = Fault::on("PATCH", "/subscriptions/**/providers/microsoft.resources/tags/default");
        self.app.simulator.faults().plan(fault.after(1).answer(409, &[], body));
        self.consented(&[0, 2]).await
    }
}

#[tokio::test]
async fn the_role_is_held_for_as_long_as_tags_are_written() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let planned = tenant.plan_elevated(&[0, 2]).await?;
    let told = tenant.told(planned["id"].as_str().unwrap_or_default()).await?;
    assert_eq!(planned["problemCount"], 0, "{planned}");
    assert_eq!(told["estimate"], json!({ "calls": 2, "elevatedSubscriptions": 1, "fitsWindow": true }));

    let (page, asked) = tenant.apply_as(&planned["id"], "owner").await?;

    assert_eq!(asked["userErrors"][0]["code"], "CONSENT_REQUIRED");
    assert_eq!(asked["changeSet"]["state"], "PLANNED");
    assert!(page.contains("and then removes the role again"), "the owner is not told: {page}");
    tenant.app.run_jobs().await?;
    let id = planned["id"].as_str().unwrap_or_default();
    let written = json!(["APPLIED", null]);
    assert_eq!(tenant.end(id).await?, json!(["WRITTEN", null, [written, written], "READ_TAGS", ["READER"]]));
    assert_eq!(tenant.told(id).await?["state"], "APPLIED");
    assert_eq!(tenant.tags(0).get("Team").map(String::as_str), Some("blue"));
    assert_eq!(tenant.roles_in_azure(), 1, "the role stays");
    let consents = tenant.app.ask("{ consents(first: 1) { nodes { state } } }", json!({})).await?;
    assert_eq!(consents["consents"]["nodes"][0]["state"], "CLOSED");
    let audit = "{ auditEvents(first: 500) { nodes { action } } }";
    let actions = tenant.app.ask(audit, json!({})).await?.to_string();
    let count = |action: &str| actions.matches(action).count();
    assert_eq!((count("ROLE_ASSIGNED"), count("ROLE_REMOVED"), count("ACCESS_CHANGED")), (2, 1, 0));
    Ok(())
}

#[tokio::test]
async fn what_was_written_is_taken_back_in_another_window() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let id = tenant.consented(&[0]).await?;
    tenant.app.run_jobs().await?;

    let asked = tenant.ask("revertChangeSet", json!({ "changeSetId": id })).await?;
    let url = asked["userErrors"][0]["consentUrl"].as_str().context(asked.to_string())?;
    Person::new("owner").consent(url, Decision::Accept).await?;
    tenant.app.run_jobs().await?;

    let revert = asked["changeSet"]["id"].as_str().unwrap_or_default();
    assert_eq!(tenant.told(revert).await?["state"], "APPLIED");
    assert!(!tenant.tags(0).contains_key("Team"));
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn a_window_that_is_held_open_is_used() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let start = "mutation($input: StartConsentInput!) { startConsent(input: $input) { authorizationUrl } }";
    let input = json!({ "tenant": tenant.app.simulator.tenant_id(), "holdWindow": true });
    let data = tenant.app.ask(start, json!({ "input": input })).await?;
    let url = data["startConsent"]["authorizationUrl"].as_str().context("no link")?;
    Person::new("owner").consent(url, Decision::Accept).await?;
    let planned = tenant.plan_elevated(&[0]).await?;

    let change_set = tenant.to_the_end("applyChangeSet", json!({ "changeSetId": planned["id"] })).await?;

    assert_eq!(change_set["state"], "APPLIED");
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn without_asking_for_it_nothing_is_elevated() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let set = json!([{ "name": "Team", "value": "blue" }]);

    let refused = tenant.ask("assignTags", json!({ "selection": tenant.select(&[0]), "tags": set })).await?;

    assert_eq!(refused["changeSet"]["writes"]["nodes"][0]["problems"][0]["code"], "ACCESS_LEVEL_TOO_LOW");
    Ok(())
}

#[tokio::test]
async fn a_token_that_may_write_tags_and_not_change_access_elevates_nothing() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let planned = tenant.plan_elevated(&[0]).await?;
    let create = "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { secret } }";
    let expires_at = (tenant.app.clock.now() + TimeDelta::days(1)).to_rfc3339();
    let scopes = ["TAGS_WRITE", "INVENTORY_READ"];
    let input = json!({ "name": "tags", "scopes": scopes, "expiresAt": expires_at });
    let data = tenant.app.ask(create, json!({ "input": input })).await?;
    let token = data["createAccessToken"]["secret"].as_str().context("no token")?.into();

    let apply = "mutation($id: ID!) { applyChangeSet(input: { changeSetId: $id }) { userErrors { code } } }";
    let plan = "mutation($of: [ID!]!) { planChangeSet(input: { selection: { ids: $of }, elevates: true,
        set: [{ name: \"a\", value: \"b\" }] }) { userErrors { code } } }";
    for (query, variables) in
        [(apply, json!({ "id": planned["id"] })), (plan, json!({ "of": [tenant.ids[&0]] }))]
    {
        let refused = tenant.app.ask_as(&token, query, variables).await?;
        assert_eq!(refused["errors"][0]["extensions"]["reason"], "INSUFFICIENT_SCOPE", "{refused}");
        assert!(refused.to_string().contains("consents:write"), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn what_changed_before_the_owner_consented_is_not_written_unseen() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let planned = tenant.plan_elevated(&[0]).await?;
    let asked = tenant.ask("applyChangeSet", json!({ "changeSetId": planned["id"] })).await?;
    let url = asked["userErrors"][0]["consentUrl"].as_str().context(asked.to_string())?;
    tenant.app.clock.advance(TimeDelta::minutes(1));
    tenant.given(0, &[("Team", "red")]).await?;

    let page = Person::new("owner").consent(url, Decision::Accept).await?;

    assert!(page.body.contains("CHANGED_SINCE_PLANNED"), "{}", page.body);
    tenant.app.run_jobs().await?;
    assert_eq!(tenant.tags(0).get("Team").map(String::as_str), Some("red"));
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn what_was_cancelled_before_the_owner_consented_stays_so() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let planned = tenant.plan_elevated(&[0]).await?;
    let asked = tenant.ask("applyChangeSet", json!({ "changeSetId": planned["id"] })).await?;
    let url = asked["userErrors"][0]["consentUrl"].as_str().context(asked.to_string())?;
    tenant.ask("cancelChangeSet", json!({ "changeSetId": planned["id"] })).await?;

    let page = Person::new("owner").consent(url, Decision::Accept).await?;

    assert!(page.body.contains("CHANGE_SET_NOT_PLANNED"), "{}", page.body);
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn who_may_not_assign_roles_elevates_nothing() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let planned = tenant.plan_elevated(&[0]).await?;
    let id = planned["id"].as_str().unwrap_or_default();

    tenant.apply_as(&planned["id"], "reader").await?;
    tenant.app.run_jobs().await?;

    let missing = json!(["MISSING_ROLE", "NOT_PERMITTED"]);
    assert_eq!(
        tenant.end(id).await?,
        json!(["NOT_PERMITTED", "NOT_PERMITTED", [missing], "READ_TAGS", ["READER"]])
    );
    assert_eq!(tenant.told(id).await?["state"], "FAILED");
    Ok(())
}

#[tokio::test]
async fn a_role_that_never_works_is_taken_back_and_nothing_is_written() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    tenant.app.simulator.set_propagation(TimeDelta::minutes(40));

    let id = tenant.consented(&[0]).await?;
    tenant.app.run_jobs().await?;

    let missing = json!(["MISSING_ROLE", "ROLE_NOT_EFFECTIVE"]);
    assert_eq!(
        tenant.end(&id).await?,
        json!(["ROLLED_BACK", "ROLE_NOT_EFFECTIVE", [missing], "READ_TAGS", ["READER"]])
    );
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn before_the_window_closes_the_role_goes_and_what_is_left_says_so() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let id = tenant.second_waits().await?;
    tenant.app.clock.advance(TimeDelta::minutes(40));
    tenant.app.run_due().await?;
    assert_eq!(tenant.roles_in_azure(), 2, "the role is held");
    tenant.app.clock.advance(TimeDelta::minutes(17));

    tenant.app.run_jobs().await?;

    let end = tenant.end(&id).await?;
    assert_eq!((&end[0], &end[1]), (&json!("PARTLY_WRITTEN"), &json!("CONSENT_WINDOW_CLOSES")), "{end}");
    let writes = end[2].to_string();
    assert!(writes.contains(r#"["APPLIED",null]"#), "{writes}");
    assert!(writes.contains(r#"["MISSING_ROLE","CONSENT_WINDOW_CLOSES"]"#), "{writes}");
    assert_eq!((&end[3], &end[4]), (&json!("READ_TAGS"), &json!(["READER"])));
    assert_eq!(tenant.roles_in_azure(), 1);

    let rest = tenant.consented(&[0, 2]).await?;
    assert_eq!(tenant.change_set(&rest).await?["writeCount"], 1, "only the rest is left");
    tenant.app.run_jobs().await?;
    assert_eq!(tenant.told(&rest).await?["state"], "APPLIED");
    Ok(())
}

#[tokio::test]
async fn a_role_that_outlasts_its_window_is_told_of_and_taken_away_by_the_next() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let id = tenant.second_waits().await?;
    tenant.app.run_due().await?;
    tenant.app.clock.advance(TimeDelta::hours(2));

    tenant.app.run_jobs().await?;

    let end = tenant.end(&id).await?;
    assert_eq!((&end[0], &end[1]), (&json!("NEEDS_RECONSENT"), &json!("ELEVATION_REMAINS")), "{end}");
    assert_eq!(end[4], json!(["READER", "TAG_CONTRIBUTOR"]));
    assert_eq!(tenant.told(&id).await?["operations"][0]["state"], "PARTIAL");
    tenant.change_access("READ_TAGS").await?;
    assert_eq!(tenant.end(&id).await?[4], json!(["READER"]));
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn a_throttle_that_outlasts_the_window_does_not_keep_the_role() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let body = r#"{"error":{"code":"SubscriptionRequestsThrottled","message":"Too many."}}"#;
    let fault = Fault::on("PATCH", "/subscriptions/**/providers/microsoft.resources/tags/default");
    tenant.app.simulator.faults().plan(fault.after(1).answer(429, &[("retry-after", "7200")], body));
    let id = tenant.consented(&[0, 2]).await?;

    tenant.app.run_jobs().await?;

    let end = tenant.end(&id).await?;
    assert_eq!((&end[0], &end[1]), (&json!("PARTLY_WRITTEN"), &json!("CONSENT_WINDOW_CLOSES")), "{end}");
    assert_eq!(end[4], json!(["READER"]));
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn cancelled_while_it_waits_the_role_goes_again() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let id = tenant.second_waits().await?;
    tenant.app.run_due().await?;
    assert_eq!(tenant.roles_in_azure(), 2, "the role is held");

    tenant.ask("cancelChangeSet", json!({ "changeSetId": id })).await?;
    tenant.app.run_jobs().await?;

    let end = tenant.end(&id).await?;
    assert_eq!((&end[0], &end[4]), (&json!("ROLLED_BACK"), &json!(["READER"])), "{end}");
    assert_eq!(tenant.told(&id).await?["state"], "CANCELLED");
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn a_role_of_somebody_elses_is_used_and_stays() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let principal = tenant.app.simulator.service_principal_id().unwrap_or_default();
    tenant.app.simulator.grant(principal, BuiltInRole::TagContributor, Scope::Subscription(tenant.azure));

    let id = tenant.consented(&[0]).await?;
    tenant.app.run_jobs().await?;

    assert_eq!(
        tenant.end(&id).await?,
        json!(["WRITTEN", null, [["APPLIED", null]], "READ_TAGS", ["READER"]])
    );
    assert_eq!(tenant.roles_in_azure(), 2);
    Ok(())
}

#[tokio::test]
async fn a_change_of_access_waits_until_the_role_is_back() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let id = tenant.second_waits().await?;
    tenant.app.run_due().await?;

    tenant.change_access("WRITE_TAGS").await?;

    assert_eq!(
        tenant.end(&id).await?,
        json!(["WRITTEN", null, [["APPLIED", null], ["APPLIED", null]], "WRITE_TAGS", ["TAG_CONTRIBUTOR"]])
    );
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_given_up_takes_its_role_along() -> Result<()> {
    let tenant = Tenant::readable(20).await?;
    let body = r#"{"error":{"code":"AnotherOperationInProgress","message":"Try again."}}"#;
    let fault = Fault::on("PATCH", "/subscriptions/**/providers/microsoft.resources/tags/default");
    tenant.app.simulator.faults().plan(fault.after(1).answer(409, &[], body).times(1_000));
    let id = tenant.consented(&[0, 2]).await?;

    tenant.app.run_jobs().await?;

    let end = tenant.end(&id).await?;
    assert_eq!((&end[0], &end[4]), (&json!("ROLLED_BACK"), &json!(["READER"])), "{end}");
    assert!(end[2].to_string().contains(r#"["APPLIED",null]"#), "{end}");
    assert_ne!(end[1], Value::Null, "nobody says why");
    assert_eq!(tenant.told(&id).await?["state"], "PARTIAL");
    assert_eq!(tenant.roles_in_azure(), 1);
    Ok(())
}
