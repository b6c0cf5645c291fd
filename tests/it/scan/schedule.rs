//! Tenants are scanned by themselves when their schedules say so.

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, Set};
use serde_json::{Value, json};
use support::app::TestApp;
use worker::jobs::Sweep;
use worker::queue::When;

struct Scheduled {
    app: TestApp,
    tenant: Value,
}

impl Scheduled {
    async fn tenant() -> Result<Self> {
        let app = TestApp::small(1, 20).await?;
        app.onboard().await?;
        let mut data = app.ask("{ tenants { nodes { id } } }", json!({})).await?;
        Ok(Self { app, tenant: data["tenants"]["nodes"][0]["id"].take() })
    }

    async fn schedule(&self, mut input: Value) -> Result<Value> {
        input["tenantId"] = self.tenant.clone();
        let query = "mutation($input: ScheduleScanInput!) { scheduleScan(input: $input) {
            tenant { scanSchedule { cron everyMinutes nextAt } } userErrors { code field message } } }";
        let mut data = self.app.ask(query, json!({ "input": input })).await?;
        Ok(data["scheduleScan"].take())
    }

    async fn next_at(&self) -> Result<DateTime<Utc>> {
        let data = self.app.ask("{ tenants { nodes { scanSchedule { nextAt } } } }", json!({})).await?;
        let at = data["tenants"]["nodes"][0]["scanSchedule"]["nextAt"].as_str().context("no schedule")?;
        Ok(at.parse()?)
    }

    async fn scans(&self) -> Result<u64> {
        let query = "{ operations(filter: { kinds: [SCAN_TENANT] }) { totalCount } }";
        Ok(self.app.ask(query, json!({})).await?["operations"]["totalCount"].as_u64().unwrap_or_default())
    }

    /// A sweep, and everything that it begins.
    async fn sweep(&self) -> Result<()> {
        self.app.context.queue.push(&Sweep {}, When::default()).await?;
        self.app.run_jobs().await
    }

    /// As if a worker were at them, or had ended them, just now.
    async fn state_of_operations(&self, state: &str) -> Result<()> {
        let now = self.app.clock.now();
        let all = entity::operation::ActiveModel { heartbeat_at: Set(now), ..Default::default() };
        let mut all = entity::operation::Entity::update_many().set(all);
        all = all.col_expr(entity::operation::Column::State, Expr::val(state));
        all.exec(&self.app.database).await?;
        Ok(())
    }

    fn come_to(&self, at: DateTime<Utc>) {
        self.app.clock.advance(at - self.app.clock.now());
    }
}

#[tokio::test]
async fn what_is_no_schedule_is_refused_and_says_why() -> Result<()> {
    let scheduled = Scheduled::tenant().await?;

    for (input, field) in [
        (json!({}), "cron"),
        (json!({ "cron": "0 2 * * *", "everyMinutes": 60 }), "cron"),
        (json!({ "cron": "every night" }), "cron"),
        (json!({ "cron": "99 2 * * *" }), "cron"),
        (json!({ "cron": "* * * * *" }), "cron"),
        (json!({ "everyMinutes": 14 }), "everyMinutes"),
        (json!({ "everyMinutes": -60 }), "everyMinutes"),
    ] {
        let refused = scheduled.schedule(input.clone()).await?;
        let error = &refused["userErrors"][0];
        assert_eq!(
            (error["code"].as_str(), error["field"][0].as_str()),
            (Some("INVALID_SCHEDULE"), Some(field)),
            "{input}"
        );
        assert!(error["message"].as_str().is_some_and(|message| message.ends_with('.')), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_scan_begins_when_it_is_due_once_and_not_before() -> Result<()> {
    let scheduled = Scheduled::tenant().await?;
    scheduled.schedule(json!({ "everyMinutes": 60 })).await?;
    let first = scheduled.next_at().await?;

    scheduled.come_to(first - TimeDelta::seconds(1));
    scheduled.sweep().await?;
    assert_eq!(scheduled.scans().await?, 0);
    scheduled.come_to(first);
    scheduled.sweep().await?;
    scheduled.sweep().await?;

    assert_eq!(scheduled.scans().await?, 1);
    let query =
        "{ tenants { nodes { scanSchedule { lastOperation { state kind } member { displayName } } } } }";
    let data = scheduled.app.ask(query, json!({})).await?;
    let schedule = &data["tenants"]["nodes"][0]["scanSchedule"];
    assert_eq!(schedule["lastOperation"], json!({ "state": "SUCCEEDED", "kind": "SCAN_TENANT" }));
    assert_eq!(schedule["member"]["displayName"], "Mona Member");
    assert!(scheduled.next_at().await? > first + TimeDelta::minutes(50));
    Ok(())
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once() -> Result<()> {
    let scheduled = Scheduled::tenant().await?;
    scheduled.schedule(json!({ "cron": "0 * * * *" })).await?;

    scheduled.app.clock.advance(TimeDelta::days(3));
    scheduled.sweep().await?;
    scheduled.sweep().await?;

    assert_eq!(scheduled.scans().await?, 1);
    assert!(scheduled.next_at().await? > scheduled.app.clock.now());
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_is_being_scanned_or_is_disconnected_is_let_be() -> Result<()> {
    let scheduled = Scheduled::tenant().await?;
    scheduled.schedule(json!({ "everyMinutes": 60 })).await?;
    let turn = scheduled.next_at().await?;
    scheduled.come_to(turn);
    scheduled.state_of_operations("RUNNING").await?;
    scheduled.sweep().await?;
    assert_eq!(scheduled.scans().await?, 0);
    assert!(scheduled.next_at().await? > turn);
    scheduled.state_of_operations("SUCCEEDED").await?;

    let disconnect =
        "mutation($id: ID!) { disconnectTenant(input: { tenantId: $id, data: KEEP, withoutWindow: true }) {
        userErrors { code } } }";
    scheduled.app.ask(disconnect, json!({ "id": scheduled.tenant })).await?;
    scheduled.app.run_jobs().await?;
    scheduled.come_to(scheduled.next_at().await?);
    scheduled.sweep().await?;

    assert_eq!(scheduled.scans().await?, 0);
    let refused = scheduled.schedule(json!({ "everyMinutes": 30 })).await?;
    assert_eq!(refused["userErrors"][0]["code"], "NOT_CONNECTED");
    Ok(())
}
