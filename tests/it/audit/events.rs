//! Each mutation leaves one event, with who asked, from where, and by which request.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use async_graphql::Request;
use entity::audit_event::Action;
use sea_orm::{ConnectionTrait, DbBackend};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{Decision, Person};
use support::app::TestApp;
use support::http::client;

use super::{actions, events_of};

/// One mutation that does what it is asked to.
struct Case {
    mutation: &'static str,
    query: &'static str,
    action: &'static str,
    /// Where in the payload the id of what it was done to is.
    object: &'static str,
    /// Under which name later cases know an id of the payload, and where that is.
    keeps: (&'static str, &'static str),
    /// Whether the jobs run before the next case.
    works: bool,
}

/// Every mutation, in an order in which each has something to do.
fn cases() -> [Case; 7] {
    let operation = ("operation", "/operation/id");
    let access_token = ("accessToken", "/accessToken/id");
    [
        Case {
            mutation: "startConsent",
            query: "mutation($entraTenant: String!) { startConsent(input: { tenant: $entraTenant }) {
                consent { id } authorizationUrl userErrors { code } } }",
            action: "CONSENT_STARTED",
            object: "/consent/id",
            keeps: ("link", "/authorizationUrl"),
            works: false,
        },
        Case {
            mutation: "scanTenant",
            query: "mutation($tenant: ID!) { scanTenant(input: { tenantId: $tenant }) {
                operation { id tenant { id } } userErrors { code } } }",
            action: "SCAN_STARTED",
            object: "/operation/tenant/id",
            keeps: operation,
            works: false,
        },
        Case {
            mutation: "cancelOperation",
            query: "mutation($operation: ID!) { cancelOperation(input: { operationId: $operation }) {
                operation { id } userErrors { code } } }",
            action: "OPERATION_CANCELLED",
            object: "/operation/id",
            keeps: operation,
            works: true,
        },
        Case {
            mutation: "retryOperation",
            query: "mutation($operation: ID!) { retryOperation(input: { operationId: $operation }) {
                operation { id } userErrors { code } } }",
            action: "OPERATION_RETRIED",
            object: "/operation/id",
            keeps: operation,
            works: true,
        },
        Case {
            mutation: "createAccessToken",
            query:
                "mutation($expiresAt: DateTime!, $tenant: ID!) { createAccessToken(input: { name: \"partner\",
                scopes: [INVENTORY_READ], expiresAt: $expiresAt, tenants: [$tenant] }) {
                accessToken { id } userErrors { code } } }",
            action: "ACCESS_TOKEN_CREATED",
            object: "/accessToken/id",
            keeps: access_token,
            works: false,
        },
        Case {
            mutation: "rotateAccessToken",
            query: "mutation($accessToken: ID!) { rotateAccessToken(input: { accessTokenId: $accessToken }) {
                accessToken { id replaces } userErrors { code } } }",
            action: "ACCESS_TOKEN_ROTATED",
            object: "/accessToken/replaces",
            keeps: access_token,
            works: false,
        },
        Case {
            mutation: "revokeAccessToken",
            query: "mutation($accessToken: ID!) { revokeAccessToken(input: { accessTokenId: $accessToken }) {
                accessToken { id } userErrors { code } } }",
            action: "ACCESS_TOKEN_REVOKED",
            object: "/accessToken/id",
            keeps: access_token,
            works: false,
        },
    ]
}

/// Asks as the member, under this request id; answers the payload.
async fn ask(app: &TestApp, case: &Case, ids: &BTreeMap<String, String>, request_id: &str) -> Result<Value> {
    let request = client()?
        .post(format!("http://{}/graphql", app.address()))
        .bearer_auth(app.token.expose_secret())
        .header("x-request-id", request_id)
        .json(&json!({ "query": case.query, "variables": ids }));
    let mut answer: Value = request.send().await?.json().await?;
    Ok(answer["data"][case.mutation].take())
}

/// The events that a request left, as the api shows them.
async fn events_by(app: &TestApp, request_id: &str) -> Result<Vec<Value>> {
    let data = app
        .ask(
            "{ auditEvents(first: 500) { nodes { action actorKind actor object address requestId
               member { displayName } before after } } }",
            json!({}),
        )
        .await?;
    let events = data["auditEvents"]["nodes"].as_array().context("no events")?;
    Ok(events.iter().filter(|event| event["requestId"] == request_id).cloned().collect())
}

fn starting_ids(app: &TestApp) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("entraTenant".to_owned(), app.simulator.tenant_id().to_string()),
        ("expiresAt".to_owned(), (app.clock.now() + chrono::TimeDelta::days(30)).to_rfc3339()),
    ])
}

#[tokio::test]
async fn each_mutation_leaves_one_event_and_repeated_in_vain_no_other() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let mut ids = starting_ids(&app);
    for case in cases() {
        let payload = ask(&app, &case, &ids, case.mutation).await?;
        let object = payload.pointer(case.object).with_context(|| format!("{}: {payload}", case.mutation))?;

        let mut events = events_by(&app, case.mutation).await?;
        let mut event = events.pop().with_context(|| format!("{} leaves no event", case.mutation))?;
        assert_eq!(events, Vec::<Value>::new(), "{} leaves more than one", case.mutation);
        let (before, after) = (event["before"].take(), event["after"].take());
        assert!(before.is_object() || after.is_object(), "{} says nothing", case.mutation);
        let expected = json!({ "action": case.action, "actorKind": "MEMBER", "object": object,
            "actor": format!("member:{}", app.member.id), "member": { "displayName": "Mona Member" },
            "address": "127.0.0.1", "requestId": case.mutation, "before": null, "after": null });
        assert_eq!(event, expected, "{before} {after}");

        let (name, place) = case.keeps;
        let kept = payload.pointer(place).and_then(Value::as_str).context("nothing to keep")?;
        ids.insert(name.to_owned(), kept.to_owned());
        if let Some(link) = ids.remove("link") {
            Person::new("owner").consent(&link, Decision::Accept).await?;
            app.run_jobs().await?;
            let data = app.ask("{ tenants { nodes { id } } }", json!({})).await?;
            let tenant = data["tenants"]["nodes"][0]["id"].as_str().context("no tenant")?;
            ids.insert("tenant".to_owned(), tenant.to_owned());
        } else if !matches!(case.mutation, "createAccessToken" | "rotateAccessToken") {
            // It is done already, or cannot be done again.
            ask(&app, &case, &ids, "again").await?;
            assert_eq!(events_by(&app, "again").await?, Vec::<Value>::new(), "{}", case.mutation);
        }
        if case.works {
            app.run_jobs().await?;
        }
    }
    actions(&app).await?;
    Ok(())
}

#[tokio::test]
async fn every_mutation_has_a_case() -> Result<()> {
    let query = "{ __schema { mutationType { fields { name } } } }";

    let answer = api::graphql::schema(None).execute(Request::new(query)).await;

    let answer = serde_json::to_value(answer)?;
    let fields = answer["data"]["__schema"]["mutationType"]["fields"].as_array().context("no mutations")?;
    let mut named: Vec<_> = fields.iter().filter_map(|field| field["name"].as_str()).collect();
    let mut tested: Vec<_> = cases().iter().map(|case| case.mutation).collect();
    named.sort_unstable();
    tested.sort_unstable();
    assert_eq!(named, tested);
    Ok(())
}

#[tokio::test]
async fn a_mutation_that_changes_nothing_leaves_no_event() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let gone = "01930000-0000-7000-8000-000000000000";
    let mut ids = starting_ids(&app);
    ids.insert("entraTenant".to_owned(), "nobody.example".to_owned());
    for (name, kind) in [("tenant", "tenant"), ("operation", "operation"), ("accessToken", "access-token")] {
        ids.insert(name.to_owned(), format!("{kind}:{gone}"));
    }

    for case in cases() {
        let payload = ask(&app, &case, &ids, case.mutation).await?;
        assert!(payload["userErrors"][0]["code"].is_string(), "{}: {payload}", case.mutation);
    }

    assert_eq!(actions(&app).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_change_that_cannot_be_told_is_not_made() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let jam = if app.database.get_database_backend() == DbBackend::Postgres {
        "create function jam() returns trigger language plpgsql as $$ begin raise exception 'full'; end $$;
         create trigger jam before insert on audit_event for each row execute function jam()"
    } else {
        "create trigger jam before insert on audit_event begin select raise(abort, 'full'); end"
    };
    app.database.execute_unprepared(jam).await?;

    for case in cases().iter().filter(|case| case.mutation.starts_with("start")) {
        assert_eq!(ask(&app, case, &starting_ids(&app), "jammed").await?, Value::Null);
    }

    let data = app.ask("{ consents { totalCount } }", json!({})).await?;
    assert_eq!(data["consents"]["totalCount"], 0);
    Ok(())
}

#[tokio::test]
async fn no_event_holds_a_secret() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let (_, link) = app.start_consent().await?;
    Person::new("owner").consent(&link, Decision::Accept).await?;
    app.consent("owner", Decision::Cancel).await?;
    app.run_jobs().await?;
    let access_token = super::access_token(&app, &["AUDIT_READ"], None).await?;

    let events = events_of(&app.database, app.member.organization_id).await?;
    let told = format!("{events:?}");

    let Some((_, state)) = link.split_once("state=") else { bail!("the link has no state: {link}") };
    let client_secret = app.simulator.client_secret();
    for secret in [state, &access_token, &access_token[4..], &client_secret, "eyJ", "tnt_", "@"] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
    assert!(events.iter().any(|event| event.action == Action::AccessTokenCreated));
    Ok(())
}
