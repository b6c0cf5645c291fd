//! Each mutation leaves one event, with who asked, from where, and by which request.

mod access;
mod consents;
mod members;
mod tags;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use async_graphql::Request;
use entity::audit_event::Action;
use sea_orm::{ConnectionTrait, DbBackend};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{Decision, Person, ReportView};
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
fn cases() -> Vec<Case> {
    let mut cases = cases_of_work();
    cases.extend(consents::cases());
    cases.extend(tags::cases());
    cases.extend(access::cases());
    cases.extend(members::cases());
    cases.push(case_of_disconnection());
    cases
}

/// What begins nothing and changes nothing itself: the job writes what it finds.
const CHANGES_NOTHING: [&str; 2] = ["checkEnrollmentKey", "checkTenant"];

fn cases_of_work() -> Vec<Case> {
    let operation = ("operation", "/operation/id");
    vec![
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
            mutation: "loadOffice365",
            query: "mutation($tenant: ID!) { loadOffice365(input: { tenantId: $tenant }) {
                operation { id tenant { id } } userErrors { code } } }",
            action: "OFFICE_365_LOAD_STARTED",
            object: "/operation/tenant/id",
            keeps: ("load", "/operation/id"),
            works: false,
        },
        Case {
            mutation: "changeAccess",
            query: "mutation($subscription: ID!) { changeAccess(input: { subscriptionIds: [$subscription],
                level: RESOURCES_ONLY }) { operation { id tenant { id } } userErrors { code } } }",
            action: "ACCESS_CHANGE_STARTED",
            object: "/operation/tenant/id",
            keeps: ("change", "/operation/id"),
            works: false,
        },
        Case {
            mutation: "changeOrganization",
            query: "mutation { changeOrganization(input: { keepReader: true }) {
                organization { id } userErrors { code } } }",
            action: "ORGANIZATION_CHANGED",
            object: "/organization/id",
            keeps: ("organization", "/organization/id"),
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
    ]
}

/// The last one: nothing can be begun in the tenant then.
fn case_of_disconnection() -> Case {
    Case {
        mutation: "disconnectTenant",
        query: "mutation($tenant: ID!) { disconnectTenant(input: { tenantId: $tenant, data: KEEP,
            withoutWindow: true }) { tenant { id } userErrors { code } } }",
        action: "TENANT_DISCONNECTED",
        object: "/tenant/id",
        keeps: ("tenant", "/tenant/id"),
        works: false,
    }
}

/// What decides without naming anything that could be gone.
const NAMES_NOTHING: [&str; 2] = ["changeOrganization", "changeTagName"];

/// What makes another thing each time, or counts from another moment.
const REPEATABLE: [&str; 12] = [
    "createAccessToken",
    "rotateAccessToken",
    "registerEnrollmentKey",
    "inviteMember",
    "signOutEverywhere",
    "addSubscriptions",
    "createOwnerLink",
    "assignTags",
    "removeTags",
    "renameTag",
    "planChangeSet",
    "revertChangeSet",
];

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
        ("enrollmentNumber".to_owned(), "100".to_owned()),
        ("key".to_owned(), "no enrollment key".to_owned()),
    ])
}

#[tokio::test]
async fn each_mutation_leaves_one_event_and_repeated_in_vain_no_other() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let mut ids = starting_ids(&app);
    let key = app.simulator.make_enrollment_key("100", chrono::TimeDelta::days(180), ReportView::System)?;
    ids.insert("key".to_owned(), key);
    let colleague = app.signed_in("colleague", "VIEWER").await?;
    let answered = colleague.ask("{ viewer { member { id } } }").await?;
    let colleague = answered.json["data"]["viewer"]["member"]["id"].as_str().context("nobody signed in")?;
    ids.insert("member".to_owned(), colleague.to_owned());
    app.connect_office().await?;
    ids.insert("held".to_owned(), app.hold_window("owner").await?);
    for case in cases() {
        if case.mutation == "resolveConflicts" {
            ids.insert("conflict".to_owned(), tags::conflict(&app).await?);
        }
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
            let both = "{ tenants { nodes { id } } subscriptions(first: 1) { nodes { id } } }";
            let data = app.ask(both, json!({})).await?;
            for (name, nodes) in [("tenant", &data["tenants"]), ("subscription", &data["subscriptions"])] {
                let id = nodes["nodes"][0]["id"].as_str().context(name)?;
                ids.insert(name.to_owned(), id.to_owned());
            }
        } else if !REPEATABLE.contains(&case.mutation) {
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
    let cases = cases();
    let mut tested: Vec<_> = cases.iter().map(|case| case.mutation).chain(CHANGES_NOTHING).collect();
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
    for (name, kind) in [
        ("tenant", "tenant"),
        ("operation", "operation"),
        ("accessToken", "access-token"),
        ("enrollmentKey", "enrollment-key"),
        ("invitation", "invitation"),
        ("member", "member"),
        ("subscription", "subscription"),
        ("held", "consent"),
        ("ownerLink", "owner-link"),
        ("changeSet", "change-set"),
        ("removed", "change-set"),
        ("conflict", "tag-write"),
    ] {
        ids.insert(name.to_owned(), format!("{kind}:{gone}"));
    }

    for case in cases().into_iter().filter(|case| !NAMES_NOTHING.contains(&case.mutation)) {
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
async fn an_invitation_a_sign_in_and_a_sign_out_are_told_of_the_person_who_did_it() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("colleague", "VIEWER").await?;
    let answered = browser.ask("{ viewer { member { id } } }").await?;
    let member = answered.json["data"]["viewer"]["member"]["id"].clone();

    browser.sign_out().await?;

    let query = "{ auditEvents(last: 10) { nodes { action actorKind actor address } } }";
    let events = app.ask(query, json!({})).await?["auditEvents"]["nodes"].take();
    let of = |action: &str, actor: &Value| json!({ "action": action, "actorKind": "MEMBER", "actor": actor, "address": "127.0.0.1" });
    let administrator = json!(format!("member:{}", app.member.id));
    let told = json!([
        of("SIGNED_OUT", &member),
        of("SIGNED_IN", &member),
        of("INVITATION_ACCEPTED", &member),
        of("MEMBER_INVITED", &administrator),
    ]);
    assert_eq!(events, told);
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
