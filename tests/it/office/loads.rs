//! What is read of Office 365, feed by feed: all of it once, then what has changed, and never less than before.

mod reports;

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::{Fault, GroupMember, RetryAfter, UserChange};
use support::app::TestApp;
use worker::jobs::Sweep;
use worker::queue::When;

/// A tenant that is connected to Office 365 and was loaded once.
pub(super) struct Loaded {
    pub(super) app: TestApp,
    pub(super) tenant: Value,
}

/// What tests read of a feed.
const FEED: &str =
    "kind period state rowsRead rowsRefused refusedRows { line reason } failure { code message fixableBy }
    loadedAt reportRefreshDate ageDays";

impl Loaded {
    pub(super) async fn office() -> Result<Self> {
        Self::over(TestApp::small(1, 1).await?).await
    }

    pub(super) async fn over(app: TestApp) -> Result<Self> {
        Ok(Self::ended(app, "SUCCEEDED").await?.0)
    }

    /// The same of a load that ends in this state; with the operation.
    async fn ended(app: TestApp, state: &str) -> Result<(Self, Value)> {
        let operation = app.connect_office().await?;
        assert_eq!(operation["state"], state, "{operation}");
        let tenant = operation["tenant"]["id"].clone();
        Ok((Self { app, tenant }, operation))
    }

    /// Loads once more; answers the operation with its feeds.
    async fn load(&self) -> Result<Value> {
        let query = "mutation($id: ID!) { loadOffice365(input: { tenantId: $id }) { operation { id } userErrors { code } } }";
        let data = self.app.ask(query, json!({ "id": self.tenant })).await?;
        self.app.run_jobs().await?;
        let query = format!(
            "query($id: ID!) {{ operation(id: $id) {{ id state failure {{ code }} feeds {{ {FEED} }} }} }}"
        );
        let id = &data["loadOffice365"]["operation"]["id"];
        Ok(self.app.ask(&query, json!({ "id": id })).await?["operation"].take())
    }

    /// The tenant's feed of this kind, of the longest period.
    async fn feed(&self, kind: &str) -> Result<Value> {
        let query = format!("query($id: ID!) {{ tenant(id: $id) {{ office365 {{ feeds {{ {FEED} }} }} }} }}");
        let mut data = self.app.ask(&query, json!({ "id": self.tenant })).await?;
        let feeds = data["tenant"]["office365"]["feeds"].as_array_mut().into_iter().flatten();
        let found =
            feeds.filter(|feed| feed["kind"] == kind).max_by_key(|feed| feed["period"].to_string().len());
        Ok(found.map(Value::take).unwrap_or_default())
    }

    /// Every user by name, with what is told of them.
    async fn users(&self) -> Result<BTreeMap<String, Value>> {
        let query =
            "query($after: String) { users(first: 200, after: $after) { nodes { principalName displayName
            isEnabled isGuest department licences { skuId product } } pageInfo { endCursor hasNextPage } } }";
        let (mut users, mut after) = (BTreeMap::new(), Value::Null);
        loop {
            let mut data = self.app.ask(query, json!({ "after": after })).await?;
            let page = &mut data["users"];
            for user in page["nodes"].as_array_mut().into_iter().flatten() {
                users.insert(user["principalName"].as_str().unwrap_or_default().to_owned(), user.take());
            }
            after = page["pageInfo"]["endCursor"].take();
            if page["pageInfo"]["hasNextPage"] != true {
                return Ok(users);
            }
        }
    }

    /// How many calls went to this path since they were forgotten.
    fn calls(&self, path: &str) -> usize {
        self.app.simulator.calls().iter().filter(|call| call.path.to_lowercase().ends_with(path)).count()
    }
}

#[tokio::test]
async fn a_first_load_reads_every_user_group_and_report() -> Result<()> {
    let loaded = Loaded::office().await?;

    let expected = loaded.app.simulator.office_users();
    let users = loaded.users().await?;
    assert_eq!(users.len(), expected.len());
    for user in &expected {
        let told = &users[&user.principal_name];
        assert_eq!(told["displayName"], json!(user.display_name));
        assert_eq!((&told["isEnabled"], &told["isGuest"]), (&json!(user.is_enabled), &json!(user.is_guest)));
        assert_eq!(told["department"], json!(user.department), "{}", user.principal_name);
        assert_eq!(told["licences"].as_array().map(Vec::len), Some(user.licences.len()), "{told}");
    }
    for kind in [
        "USERS",
        "GROUPS",
        "USER_ACTIVITY",
        "ACTIVE_USERS",
        "SERVICE_USERS",
        "MAILBOXES",
        "ONEDRIVES",
        "SITES",
    ] {
        let feed = loaded.feed(kind).await?;
        assert_eq!((&feed["state"], &feed["rowsRefused"]), (&json!("LOADED"), &json!(0)), "{feed}");
        assert!(feed["rowsRead"].as_i64().is_some_and(|rows| rows > 0), "{feed}");
    }
    assert_eq!(loaded.feed("USER_ACTIVITY").await?["ageDays"], 2);
    Ok(())
}

#[tokio::test]
async fn what_needs_another_permission_says_which_and_stops_nothing_else() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.withhold_permissions(&["Group.Read.All"]);
    let loaded = Loaded::over(app).await?;

    for (kind, permission) in [
        ("GROUPS", "Group.Read.All"),
        ("PURCHASED_LICENCES", "Organization.Read.All"),
        ("SIGN_INS", "AuditLog.Read.All"),
    ] {
        let feed = loaded.feed(kind).await?;
        assert_eq!(
            (&feed["state"], &feed["failure"]["code"]),
            (&json!("NOT_GRANTED"), &json!("PERMISSION_NOT_GRANTED"))
        );
        assert!(
            feed["failure"]["message"].as_str().is_some_and(|message| message.contains(permission)),
            "{feed}"
        );
        assert_eq!(feed["failure"]["fixableBy"], "GLOBAL_ADMINISTRATOR");
    }
    assert_eq!(loaded.feed("USERS").await?["state"], "LOADED");
    let query = "query($id: ID!) { tenant(id: $id) { permissions { name granted neededFor } } }";
    let data = loaded.app.ask(query, json!({ "id": loaded.tenant })).await?;
    let granted = |name: &str| {
        let permissions = data["tenant"]["permissions"].as_array().into_iter().flatten();
        permissions.filter(|one| one["name"] == name).map(|one| one["granted"].clone()).next()
    };
    assert_eq!(granted("User.Read.All"), Some(json!(true)));
    assert_eq!(granted("Group.Read.All"), Some(json!(false)));

    // Once it is granted it is read, by the next load.
    loaded.app.simulator.withhold_permissions(&[]);
    loaded.app.simulator.grant_permissions(&["Group.Read.All", "Organization.Read.All", "AuditLog.Read.All"]);
    loaded.app.clock.advance(TimeDelta::minutes(5));
    let operation = loaded.load().await?;
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    for kind in ["GROUPS", "PURCHASED_LICENCES", "SIGN_INS"] {
        assert_eq!(loaded.feed(kind).await?["state"], "LOADED", "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_later_load_reads_only_what_has_changed() -> Result<()> {
    let loaded = Loaded::office().await?;
    let simulator = &loaded.app.simulator;
    let (changed, gone) =
        (simulator.office_user(3).expect("a user"), simulator.office_user(20).expect("a user"));
    simulator.change_user(changed.id, UserChange::Department(Some("Legal".to_owned())));
    simulator.change_user(changed.id, UserChange::Licences(vec!["SPE_E3".to_owned()]));
    simulator.delete_user(gone.id);
    simulator.add_user();
    let group = simulator.add_group("Newcomers");
    simulator.add_member(group, GroupMember::User(changed.id));
    loaded.app.clock.advance(TimeDelta::hours(1));

    let operation = loaded.load().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    let users = loaded.users().await?;
    assert_eq!(users[&changed.principal_name]["department"], "Legal");
    assert_eq!(users[&changed.principal_name]["licences"].as_array().map(Vec::len), Some(1));
    assert!(!users.contains_key(&gone.principal_name), "who was deleted is not listed");
    assert_eq!(users.len(), simulator.office_users().len());
    let feed = loaded.feed("USERS").await?;
    assert_eq!(feed["rowsRead"], 3, "{feed}");
    let query = "{ groups(search: \"Newcomers\") { nodes { displayName memberCount } } }";
    let data = loaded.app.ask(query, json!({})).await?;
    assert_eq!(data["groups"]["nodes"], json!([{ "displayName": "Newcomers", "memberCount": 1 }]));

    // And who leaves a group is out of it.
    simulator.remove_member(group, GroupMember::User(changed.id));
    loaded.load().await?;
    let data = loaded.app.ask(query, json!({})).await?;
    assert_eq!(data["groups"]["nodes"][0]["memberCount"], 0);
    Ok(())
}

#[tokio::test]
async fn a_link_that_died_lets_everything_be_read_again_and_finds_who_is_gone() -> Result<()> {
    let loaded = Loaded::office().await?;
    let simulator = &loaded.app.simulator;
    let gone = simulator.office_user(20).expect("a user");
    simulator.purge_user(gone.id);
    simulator.expire_delta_tokens();

    let operation = loaded.load().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    let users = loaded.users().await?;
    assert!(!users.contains_key(&gone.principal_name));
    assert_eq!(users.len(), simulator.office_users().len());
    Ok(())
}

#[tokio::test]
async fn links_that_keep_dying_end_a_load_and_the_next_one_begins_anew() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.set_graph_page_size(50);
    let dead = r#"{"error":{"code":"syncStateNotFound","message":"A planned fault."}}"#;
    for after in [1, 2] {
        let fault = Fault::on("GET", "/v1.0/users/delta").after(after);
        app.simulator.faults().plan(fault.answer(410, &[], dead));
    }

    let (loaded, _) = Loaded::ended(app, "PARTIAL").await?;

    let feed = loaded.feed("USERS").await?;
    assert_eq!(
        (&feed["state"], &feed["failure"]["code"]),
        (&json!("FAILED"), &json!("DELTA_TOKEN_DEAD")),
        "{feed}"
    );
    assert_eq!(loaded.calls("/users/delta"), 4, "it was begun anew once");
    loaded.load().await?;
    assert_eq!(loaded.feed("USERS").await?["state"], "LOADED");
    assert_eq!(loaded.users().await?.len(), loaded.app.simulator.office_users().len());
    Ok(())
}

#[tokio::test]
async fn a_load_that_broke_goes_on_where_it_was() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.set_graph_page_size(50);
    let refused = r#"{"error":{"code":"Request_BadRequest","message":"A planned fault."}}"#;
    app.simulator.faults().plan(Fault::on("GET", "/v1.0/users/delta").after(2).answer(400, &[], refused));
    let (loaded, operation) = Loaded::ended(app, "PARTIAL").await?;
    assert_eq!(loaded.feed("USERS").await?["state"], "FAILED");
    assert_eq!(loaded.users().await?.len(), 100, "what was read is kept");
    loaded.app.simulator.clear_calls();

    let query =
        "mutation($id: ID!) { retryOperation(input: { operationId: $id }) { userErrors { message } } }";
    loaded.app.ask(query, json!({ "id": operation["id"] })).await?;
    loaded.app.run_jobs().await?;

    let expected = loaded.app.simulator.office_users().len();
    assert_eq!(loaded.users().await?.len(), expected);
    assert_eq!(loaded.calls("/users/delta"), expected.div_ceil(50) - 2, "no page twice");
    assert_eq!(loaded.calls("/groups/delta"), 0, "what was read is not read again");
    Ok(())
}

#[tokio::test]
async fn a_throttle_that_does_not_say_for_how_long_is_waited_out() -> Result<()> {
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources, config.throttle) = (1, 1, true);
    })
    .await?;
    app.simulator.set_graph_units(Some(3));
    app.simulator.set_retry_after(RetryAfter::Missing);

    let loaded = Loaded::over(app).await?;

    assert_eq!(loaded.users().await?.len(), loaded.app.simulator.office_users().len());
    Ok(())
}

#[tokio::test]
async fn a_tenant_without_office_365_is_told_so() -> Result<()> {
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources, config.office365) = (1, 1, false);
    })
    .await?;

    let (loaded, _) = Loaded::ended(app, "PARTIAL").await?;
    let feed = loaded.feed("USER_ACTIVITY").await?;
    assert_eq!(feed["failure"]["code"], "REPORT_EMPTY");
    assert!(feed["failure"]["message"].as_str().is_some_and(|text| text.contains("not at all")), "{feed}");
    assert_eq!(loaded.feed("USERS").await?["state"], "LOADED");
    Ok(())
}

#[tokio::test]
async fn a_tenant_is_loaded_once_a_day_by_itself() -> Result<()> {
    let loaded = Loaded::office().await?;
    let loads = async || -> Result<u64> {
        let query = "{ operations(filter: { kinds: [LOAD_OFFICE_365] }) { totalCount } }";
        Ok(loaded.app.ask(query, json!({})).await?["operations"]["totalCount"].as_u64().unwrap_or_default())
    };
    let sweep = async || -> Result<()> {
        loaded.app.context.queue.push(&Sweep {}, When::default()).await?;
        loaded.app.run_jobs().await
    };

    loaded.app.clock.advance(TimeDelta::hours(23));
    sweep().await?;
    assert_eq!(loads().await?, 1);
    loaded.app.clock.advance(TimeDelta::hours(3));
    sweep().await?;
    sweep().await?;
    assert_eq!(loads().await?, 2);
    loaded.app.clock.advance(TimeDelta::hours(24));
    sweep().await?;
    assert_eq!(loads().await?, 3);
    assert_eq!(loaded.feed("USER_ACTIVITY").await?["ageDays"], 2);
    Ok(())
}

#[tokio::test]
async fn nobody_loads_a_tenant_that_is_not_connected_to_office_365() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let operation = app.onboard().await?;

    let query = "mutation($id: ID!) { loadOffice365(input: { tenantId: $id }) { operation { id } userErrors { code message } } }";
    let data = app.ask(query, json!({ "id": operation["tenant"]["id"] })).await?;

    let error = &data["loadOffice365"]["userErrors"][0];
    assert_eq!(error["code"], "NOT_CONNECTED");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("OFFICE_365")), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_disconnected_tenant_leaves_nothing_of_office_365_where_that_was_asked() -> Result<()> {
    let loaded = Loaded::office().await?;
    let query =
        "mutation($id: ID!) { disconnectTenant(input: { tenantId: $id, data: DELETE, withoutWindow: true }) {
        userErrors { message } } }";
    let data = loaded.app.ask(query, json!({ "id": loaded.tenant })).await?;
    assert_eq!(data["disconnectTenant"]["userErrors"], json!([]), "{data}");

    loaded.app.run_jobs().await?;

    assert!(loaded.users().await?.is_empty());
    let query =
        "query($id: ID!) { tenant(id: $id) { state office365 { nextLoadAt } } groups { nodes { id } } }";
    let data = loaded.app.ask(query, json!({ "id": loaded.tenant })).await?;
    assert_eq!(data["tenant"], json!({ "state": "DISCONNECTED", "office365": null }));
    assert_eq!(data["groups"]["nodes"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_disconnected_tenant_keeps_what_was_read_and_is_read_no_more() -> Result<()> {
    let loaded = Loaded::office().await?;
    let before = loaded.users().await?.len();
    let query =
        "mutation($id: ID!) { disconnectTenant(input: { tenantId: $id, data: KEEP, withoutWindow: true }) {
        userErrors { message } } }";
    loaded.app.ask(query, json!({ "id": loaded.tenant })).await?;
    loaded.app.run_jobs().await?;

    // An owner's consent for Azure is none of the administrator's for Office 365.
    loaded.app.onboard().await?;
    loaded.app.simulator.clear_calls();
    loaded.app.clock.advance(TimeDelta::days(2));
    loaded.app.context.queue.push(&Sweep {}, When::default()).await?;
    loaded.app.run_jobs().await?;
    let query = "mutation($id: ID!) { loadOffice365(input: { tenantId: $id }) { userErrors { code } } }";
    let refused = loaded.app.ask(query, json!({ "id": loaded.tenant })).await?;

    assert_eq!(refused["loadOffice365"]["userErrors"], json!([{ "code": "NOT_CONNECTED" }]));
    assert_eq!(loaded.calls("/users/delta"), 0);
    assert_eq!(loaded.users().await?.len(), before);
    let query = "query($id: ID!) { tenant(id: $id) { office365 { nextLoadAt } } storage(tenantId: $id, kind: MAILBOX) {
        reportRefreshDate } }";
    let data = loaded.app.ask(query, json!({ "id": loaded.tenant })).await?;
    assert_eq!(data["tenant"]["office365"], json!({ "nextLoadAt": null }));
    assert!(data["storage"]["reportRefreshDate"].is_string(), "{data}");
    Ok(())
}
