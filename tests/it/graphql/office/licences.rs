//! Licences, storage, departments, and what reports add up to.

use anyhow::Result;
use entity::office::feed::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::directory::{Directory, GRANTED};
use crate::graphql::stage::Stage;

#[tokio::test]
async fn licences_tell_who_uses_them_and_what_was_bought() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let (named, nameless) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let query = "query($tenant: ID!) { licences(tenantId: $tenant) { ageDays concealedNames { inReports }
        products { totalCount nodes { product assigned active inactive assignedToDisabled purchased { __typename
          ... on PurchasedTotals { enabled consumed } ... on NotGranted { permission } } } } }
        departments(tenantId: $tenant) { departments { nodes { name users enabled licensed active } } } }";
    let mut told = Vec::new();
    for granted in [&["Reports.Read.All", "Organization.Read.All"][..], &["Reports.Read.All"]] {
        let directory = Directory::connect(&stage, viewer, Some(granted)).await?;
        let load = directory.current(Kind::UserActivity, 180, Some(false), &[]).await?;
        for (name, active, department) in [
            ("ada", Some(3), Some("IT")),
            ("bob", Some(90), Some("IT")),
            ("off", None, None),
            ("unreported", None, None),
        ] {
            let user = directory
                .user(name, |user| {
                    user.is_enabled = name != "off";
                    user.department = department.map(str::to_owned);
                    user.licence_count = 1;
                })
                .await?;
            directory.licence(&user, named).await?;
            if name == "ada" {
                directory.licence(&user, nameless).await?;
            }
            if name != "unreported" {
                let day = active.map(|days| directory.ago(days));
                directory
                    .row(Kind::UserActivity, load, &user.principal_name, |row| row.onedrive_on = day)
                    .await?;
            }
        }
        directory.purchased(named, "ENTERPRISEPACK", 25).await?;
        told.push(stage.ask(viewer, query, json!({ "tenant": directory.id() })).await?);
    }

    let product = |name: &str, counts: [i64; 4], purchased: Value| {
        json!({ "product": name, "assigned": counts[0], "active": counts[1], "inactive": counts[2],
            "assignedToDisabled": counts[3], "purchased": purchased })
    };
    let totals = json!({ "__typename": "PurchasedTotals", "enabled": 25, "consumed": 1 });
    let nodes = json!([
        product("00000000-0000-0000-0000-000000000002", [1, 1, 0, 0], json!(null)),
        product("ENTERPRISEPACK", [4, 1, 2, 1], totals),
    ]);
    assert_eq!(told[0]["licences"]["products"]["nodes"], nodes);
    assert_eq!(told[0]["licences"]["ageDays"], 2);
    assert_eq!(told[0]["licences"]["concealedNames"], json!(null));
    let missing = json!({ "__typename": "NotGranted", "permission": "Organization.Read.All" });
    assert_eq!(told[1]["licences"]["products"]["nodes"][1]["purchased"], missing);
    let departments = json!([
        { "name": null, "users": 2, "enabled": 1, "licensed": 2, "active": 0 },
        { "name": "IT", "users": 2, "enabled": 2, "licensed": 2, "active": 1 },
    ]);
    assert_eq!(told[0]["departments"]["departments"]["nodes"], departments);
    Ok(())
}

#[tokio::test]
async fn storage_tells_totals_growth_and_the_largest() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    directory.user("ada", |_| ()).await?;
    let terabytes = 9_000_000_000_000_000;
    directory
        .report(Kind::Mailboxes, 180, directory.ago(9), None, &[("used_bytes", 1), ("count", 2)])
        .await?;
    let totals = [("used_bytes", terabytes), ("quota_bytes", terabytes + 1), ("count", 3)];
    let load = directory.current(Kind::Mailboxes, 180, Some(false), &totals).await?;
    for (name, used) in [("small", Some(1)), ("ADA", Some(terabytes)), ("none", None)] {
        let name = format!("{name}@contoso.example");
        directory.row(Kind::Mailboxes, load, &name, |row| row.used_bytes = used).await?;
    }
    let query = "query($tenant: ID!) { storage(tenantId: $tenant, kind: MAILBOX) {
        reportRefreshDate ageDays usedBytes quotaBytes count growth { reportRefreshDate usedBytes count }
        top(first: 5) { name usedBytes user { displayName } } }
        sites: storage(tenantId: $tenant, kind: SITE) { reportRefreshDate usedBytes feed { state } top { name } growth { count } } }";

    let told = stage.ask(viewer, query, json!({ "tenant": directory.id() })).await?;

    let (then, now) = (directory.ago(9).to_string(), directory.ago(2).to_string());
    assert_eq!(
        told["storage"],
        json!({ "reportRefreshDate": now, "ageDays": 2, "usedBytes": terabytes, "quotaBytes": terabytes + 1,
            "count": 3, "growth": [{ "reportRefreshDate": then, "usedBytes": 1, "count": 2 },
                { "reportRefreshDate": now, "usedBytes": terabytes, "count": 3 }],
            "top": [{ "name": "ADA@contoso.example", "usedBytes": terabytes, "user": { "displayName": "ada" } },
                { "name": "small@contoso.example", "usedBytes": 1, "user": null }] })
    );
    assert_eq!(
        told["sites"],
        json!({ "reportRefreshDate": null, "usedBytes": null, "feed": null, "top": [], "growth": [] })
    );
    Ok(())
}

#[tokio::test]
async fn figures_of_a_period_say_to_which_day_they_go() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    directory.current(Kind::ServiceUsers, 7, None, &[("teams.active", 4), ("teams.inactive", 6)]).await?;
    directory
        .current(Kind::TeamsActivity, 7, Some(true), &[("users", 9), ("audio_seconds", 5_000_000_000)])
        .await?;
    directory.current(Kind::AppUsage, 30, Some(true), &[("windows", 3)]).await?;
    for (day, refreshed) in [(12, 10), (9, 3), (4, 3), (3, 3)] {
        directory.day(directory.ago(day), directory.ago(refreshed), Some(1)).await?;
    }
    let query = "query($tenant: ID!) {
        activeUsers(tenantId: $tenant, period: D7) { reportRefreshDate ageDays days { day office365 teams exchange }
          services { service active inactive ageDays } }
        teamsActivity(tenantId: $tenant, period: D7) { ageDays users audioSeconds calls }
        nothing: teamsActivity(tenantId: $tenant, period: D180) { ageDays reportRefreshDate users }
        appActivations(tenantId: $tenant, period: D30) { ageDays windows mac } }";

    let told = stage.ask(viewer, query, json!({ "tenant": directory.id() })).await?;

    let day = |days| json!({ "day": directory.ago(days).to_string(), "office365": 5, "teams": 1, "exchange": null });
    assert_eq!(told["activeUsers"]["days"], json!([day(9), day(4), day(3)]));
    assert_eq!(told["activeUsers"]["ageDays"], 3);
    let teams = json!({ "service": "TEAMS", "active": 4, "inactive": 6, "ageDays": 2 });
    assert_eq!(told["activeUsers"]["services"][6], teams);
    assert_eq!(told["activeUsers"]["services"][0]["active"], json!(null));
    assert_eq!(
        told["teamsActivity"],
        json!({ "ageDays": 2, "users": 9, "audioSeconds": 5_000_000_000_i64, "calls": null })
    );
    assert_eq!(told["nothing"], json!({ "ageDays": null, "reportRefreshDate": null, "users": null }));
    assert_eq!(told["appActivations"], json!({ "ageDays": 2, "windows": 3, "mac": null }));
    Ok(())
}

#[tokio::test]
async fn reports_are_paged_by_their_refresh_dates() -> Result<()> {
    let stage = Stage::start().await?;
    let viewer = stage.viewer().await?;
    let directory = Directory::connect(&stage, viewer, Some(&GRANTED)).await?;
    for days in [2, 4, 3] {
        directory.report(Kind::Sites, 180, directory.ago(days), Some(false), &[("count", 1)]).await?;
        directory.report(Kind::AppUsage, 30, directory.ago(days), None, &[]).await?;
    }
    let query = "query($tenant: ID!, $after: String) { reports(tenantId: $tenant, kind: SITES, period: D180,
        first: 2, after: $after) { totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
        nodes { period ageDays concealsNames totals { name value } } } }";

    let first = stage.ask(viewer, query, json!({ "tenant": directory.id() })).await?["reports"].take();
    let after = json!({ "tenant": directory.id(), "after": first["pageInfo"]["endCursor"] });
    let rest = stage.ask(viewer, query, after).await?["reports"].take();

    let report = |age: i64| {
        json!({ "period": "D180", "ageDays": age, "concealsNames": false,
            "totals": [{ "name": "count", "value": 1 }] })
    };
    assert_eq!((&first["totalCount"], &first["nodes"]), (&json!(3), &json!([report(2), report(3)])));
    assert_eq!((&rest["nodes"], &rest["pageInfo"]["hasNextPage"]), (&json!([report(4)]), &json!(false)));
    let bad = "query($tenant: ID!) { reports(tenantId: $tenant, after: \"x\") { totalCount } }";
    let (code, _) = stage.refusal(viewer, bad, json!({ "tenant": directory.id() })).await?;
    assert_eq!(code, "BAD_CURSOR");
    Ok(())
}
