//! Office 365 as the api shows it: what is not known is said and never guessed, and nobody sees what is somebody else's.

pub mod directory;
mod licences;
mod lists;

use anyhow::Result;
use api::viewer::{Actor, Viewer};
use entity::office::feed::{Kind, RefusedRow, RefusedRows, State};
use entity::operation::State as OperationState;
use entity::{Failure, FixableBy, reach};
use sea_orm::{ActiveModelTrait, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::Stage;
use directory::{Directory, GRANTED};

const INACTIVE: &str = "query($tenant: ID!, $days: Int = 30, $services: [OfficeService!]) {
    inactiveUsers(tenantId: $tenant, days: $days, services: $services) { __typename
      ... on InactiveUserList { reportRefreshDate ageDays
        users { totalCount nodes { principalName lastActivity user { displayName } } } }
      ... on ConcealedNames { inReports bySetting reportRefreshDate howToReveal }
      ... on NotGranted { permission }
      ... on NotLoaded { feed { state failure { code } } } } }";

async fn inactive(stage: &Stage, viewer: Viewer, variables: Value) -> Result<Value> {
    Ok(stage.ask(viewer, INACTIVE, variables).await?["inactiveUsers"].take())
}

/// The names of the inactive users.
async fn idle(directory: &Directory<'_>, viewer: Viewer, days: i32, services: Value) -> Result<Vec<String>> {
    let variables = json!({ "tenant": directory.id(), "days": days, "services": services });
    let found = inactive(directory.stage, viewer, variables).await?;
    let nodes = found["users"]["nodes"].as_array().cloned().unwrap_or_default();
    let name = |node: &Value| node["principalName"].as_str().unwrap_or_default().to_owned();
    Ok(nodes.iter().map(|node| name(node).split('@').next().unwrap_or_default().to_owned()).collect())
}

#[tokio::test]
async fn what_was_never_loaded_or_is_not_granted_is_said() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let new = Directory::connect(&stage, viewer, None).await?;
    let refused = Directory::connect(&stage, viewer, Some(&["User.Read.All"])).await?;
    let failed = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let failure = Failure::new("THROTTLED", true, FixableBy::Operator, "Wait.");
    failed
        .feed(Kind::UserActivity, 180, |feed| (feed.state, feed.failure) = (State::Failed, Some(failure)))
        .await?;

    let of_new = inactive(&stage, viewer, json!({ "tenant": new.id() })).await?;
    let of_refused = inactive(&stage, viewer, json!({ "tenant": refused.id() })).await?;
    let of_failed = inactive(&stage, viewer, json!({ "tenant": failed.id() })).await?;

    assert_eq!(of_new, json!({ "__typename": "NotLoaded", "feed": null }));
    assert_eq!(of_refused, json!({ "__typename": "NotGranted", "permission": "Reports.Read.All" }));
    let feed = json!({ "state": "FAILED", "failure": { "code": "THROTTLED" } });
    assert_eq!(of_failed, json!({ "__typename": "NotLoaded", "feed": feed }));
    Ok(())
}

#[tokio::test]
async fn concealed_names_are_said_and_never_joined() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    directory.user("ada", |_| ()).await?;
    for kind in [Kind::UserActivity, Kind::Mailboxes] {
        let load = directory.current(kind, 180, Some(true), &[]).await?;
        // A name that happens to be that of somebody.
        directory.row(kind, load, "ada@contoso.example", |row| row.used_bytes = Some(7)).await?;
    }
    let tenant = json!({ "tenant": directory.id() });

    let inactive = inactive(&stage, viewer, tenant.clone()).await?;
    let rest = "query($tenant: ID!) {
        tenant(id: $tenant) { office365 { concealedNames { inReports bySetting } } }
        storage(tenantId: $tenant, kind: MAILBOX) { concealedNames { inReports } top { usedBytes user { id } } }
        licences(tenantId: $tenant) { concealedNames { inReports } }
        departments(tenantId: $tenant) { concealedNames { inReports }
          departments { nodes { name users enabled licensed active } } } }";
    let rest = stage.ask(viewer, rest, tenant).await?;

    assert_eq!((&inactive["__typename"], &inactive["inReports"]), (&json!("ConcealedNames"), &json!(true)));
    let how = inactive["howToReveal"].as_str().unwrap_or_default();
    assert!(how.contains("Display concealed user, group, and site names in all reports"), "{how}");
    let concealed = json!({ "inReports": true, "bySetting": null });
    assert_eq!(rest["tenant"]["office365"]["concealedNames"], concealed);
    assert_eq!(rest["storage"]["top"], json!([{ "usedBytes": 7, "user": null }]));
    let department = json!({ "name": null, "users": 1, "enabled": 1, "licensed": 0, "active": null });
    assert_eq!(rest["departments"]["departments"]["nodes"], json!([department]));
    for field in ["storage", "licences", "departments"] {
        assert_eq!(rest[field]["concealedNames"]["inReports"], true, "{field}");
    }
    Ok(())
}

#[tokio::test]
async fn unknown_periods_and_days_out_of_bounds_are_refused() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let tenant = Directory::connect(&stage, viewer, Some(&GRANTED)).await?.id();
    for days in [0, -1, 181] {
        for field in [
            format!("inactiveUsers(tenantId: \"{tenant}\", days: {days}) {{ __typename }}"),
            format!("licences(tenantId: \"{tenant}\", days: {days}) {{ ageDays }}"),
            format!("departments(tenantId: \"{tenant}\", days: {days}) {{ ageDays }}"),
        ] {
            let (code, message) = stage.refusal(viewer, &format!("{{ {field} }}"), json!({})).await?;
            assert_eq!(code, "BAD_INPUT", "{field}");
            assert!(message.contains("from 1 to 180"), "{message}");
        }
    }
    for field in ["activeUsers", "teamsActivity", "appActivations"] {
        let query = format!("{{ {field}(tenantId: \"{tenant}\", period: D14) {{ ageDays }} }}");
        let answer = stage.answer(viewer, &query, json!({})).await?;
        assert!(answer["errors"][0]["message"].as_str().is_some_and(|it| it.contains("D14")), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn inactive_is_who_was_there_and_did_nothing_before_the_report_refresh_date() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let load = directory.current(Kind::UserActivity, 180, Some(false), &[]).await?;
    // The report is two days old: what was 32 days ago was 30 days before it.
    let active = |days| Some(directory.ago(days));
    for name in ["ada", "edge", "gone", "never", "quiet"] {
        directory.user(name, |_| ()).await?;
    }
    directory.user("newcomer", |user| user.entra_created_at = Some(stage.clock.now())).await?;
    let row = |name: &str| format!("{name}@Contoso.example");
    directory.row(Kind::UserActivity, load, &row("ada"), |row| row.exchange_on = active(3)).await?;
    directory.row(Kind::UserActivity, load, &row("edge"), |row| row.teams_on = active(32)).await?;
    directory.row(Kind::UserActivity, load, &row("gone"), |row| row.is_deleted = true).await?;
    directory.row(Kind::UserActivity, load, &row("never"), |_| ()).await?;
    directory.row(Kind::UserActivity, load, &row("newcomer"), |_| ()).await?;
    directory.row(Kind::UserActivity, load, &row("quiet"), |row| row.teams_on = active(33)).await?;
    directory.row(Kind::UserActivity, Uuid::now_v7(), &row("older"), |_| ()).await?;

    let found = inactive(&stage, viewer, json!({ "tenant": directory.id(), "days": 30 })).await?;

    assert_eq!((&found["ageDays"], &found["users"]["totalCount"]), (&json!(2), &json!(2)));
    assert_eq!(found["reportRefreshDate"], directory.ago(2).to_string());
    let quiet = json!({ "principalName": "quiet@Contoso.example", "lastActivity": directory.ago(33).to_string(),
        "user": { "displayName": "quiet" } });
    assert_eq!(found["users"]["nodes"][1], quiet);
    assert_eq!(idle(&directory, viewer, 30, json!(null)).await?, ["never", "quiet"]);
    assert_eq!(idle(&directory, viewer, 29, json!([])).await?, ["edge", "never", "quiet"]);
    assert_eq!(idle(&directory, viewer, 31, json!(["TEAMS"])).await?, ["ada", "never"]);
    assert_eq!(idle(&directory, viewer, 31, json!(["TEAMS", "EXCHANGE"])).await?, ["never"]);
    assert_eq!(idle(&directory, viewer, 180, json!(["SKYPE"])).await?, ["ada", "edge", "never", "quiet"]);
    Ok(())
}

#[tokio::test]
async fn another_organization_and_who_reaches_only_a_part_of_the_tenant_see_nothing() -> Result<()> {
    let stage = Stage::behind_wall().await?;
    let viewer = stage.viewer().await?;
    let stranger = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let subscription = stage.subscription(&directory.tenant, "one").await?;
    directory.current(Kind::UserActivity, 180, Some(false), &[]).await?;
    directory.user("ada", |_| ()).await?;
    let reached = reach::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(viewer.organization_id),
        holder_id: Set(viewer.member_id),
        tenant_id: Set(directory.tenant.id),
        subscription_id: Set(Some(subscription.id)),
    };
    let reached = reached.insert(&stage.database).await?;
    let limited = Viewer { limited_by: Some(viewer.member_id), ..viewer };
    let query = "query($tenant: ID!) { users { totalCount } reports(tenantId: $tenant) { totalCount }
        inactiveUsers(tenantId: $tenant, days: 30) { __typename } licences(tenantId: $tenant) { ageDays } }";
    let ask = async |viewer| stage.ask(viewer, query, json!({ "tenant": directory.id() })).await;
    let connection =
        "query($tenant: ID!) { tenant(id: $tenant) { office365 { connectedAt } permissions { name } } }";

    let nothing = json!({ "users": { "totalCount": 0 }, "reports": { "totalCount": 0 },
        "inactiveUsers": null, "licences": null });
    assert_eq!(ask(stranger).await?, nothing);
    assert_eq!(ask(limited).await?, nothing);
    let part = stage.ask(limited, connection, json!({ "tenant": directory.id() })).await?;
    assert_eq!(part["tenant"], json!({ "office365": null, "permissions": null }));
    let whole = reach::ActiveModel { id: Set(reached.id), subscription_id: Set(None), ..Default::default() };
    whole.update(&stage.database).await?;
    let everything = ask(limited).await?;
    assert_eq!(
        (&everything["users"]["totalCount"], &everything["licences"]["ageDays"]),
        (&json!(1), &json!(2))
    );
    Ok(())
}

#[tokio::test]
async fn a_connection_tells_what_is_granted_and_how_each_feed_stands() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    let unlooked = Directory::connect(&stage, viewer, None).await?;
    let operation = stage.onboarding(viewer, &directory.tenant, OperationState::Running).await?;
    let refused =
        RefusedRows(vec![RefusedRow { line: 3, reason: "Last Activity Date is no day".to_owned() }]);
    directory.current(Kind::TeamsActivity, 7, Some(false), &[]).await?;
    directory
        .feed(Kind::Users, 0, |feed| {
            feed.operation_id = Some(operation.id);
            (feed.rows_read, feed.rows_refused, feed.refused) = (12, 1, Some(refused));
        })
        .await?;
    let query = "query($tenant: ID!, $operation: ID!) {
        tenant(id: $tenant) { permissions { name granted }
          office365 { permissions { name } feeds { kind period state rowsRead rowsRefused
            refusedRows { line reason } failure { code } reportRefreshDate ageDays } } }
        operation(id: $operation) { feeds { kind } } }";
    let variables = |id: String| json!({ "tenant": id, "operation": format!("operation:{}", operation.id) });

    let told = stage.ask(viewer, query, variables(directory.id())).await?;
    let nothing = stage.ask(viewer, query, variables(unlooked.id())).await?;
    let of_operation = "query($operation: ID!) { operation(id: $operation) { feeds { kind ageDays } } }";
    let actor = Actor::AccessToken {
        id: Uuid::now_v7(),
        scopes: [entity::access_token::AccessScope::OperationsRead].into_iter().collect(),
    };
    let token = Viewer { actor, ..viewer };
    let feeds = stage.ask(token, of_operation, variables(directory.id())).await?;

    let granted = |told: &Value| -> Vec<Value> {
        told["tenant"]["permissions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| it["granted"].clone())
            .collect()
    };
    assert_eq!(json!(granted(&told)), json!([true, true, true, false, false, false]));
    assert_eq!(json!(granted(&nothing)), json!([null, null, null, null, null, null]));
    let users = json!({ "kind": "USERS", "period": null, "state": "LOADED", "rowsRead": 12, "rowsRefused": 1,
        "refusedRows": [{ "line": 3, "reason": "Last Activity Date is no day" }], "failure": null,
        "reportRefreshDate": null, "ageDays": null });
    let teams = json!({ "kind": "TEAMS_ACTIVITY", "period": "D7", "state": "LOADED", "rowsRead": 0,
        "rowsRefused": 0, "refusedRows": [], "failure": null,
        "reportRefreshDate": directory.ago(2).to_string(), "ageDays": 2 });
    assert_eq!(told["tenant"]["office365"]["feeds"], json!([users, teams]));
    assert_eq!(feeds["operation"]["feeds"], json!([{ "kind": "USERS", "ageDays": null }]));
    assert_eq!(nothing["tenant"]["office365"]["feeds"], json!([]));
    Ok(())
}
