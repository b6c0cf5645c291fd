//! A plan of a change of the access level, and the change.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::subscription::AccessLevel;
use entity::{Owned, Work, consent, operation, subscription, tenant};
use sea_orm::{ActiveEnum, QueryOrder};
use serde_json::{Value, json};
use simulator::{BuiltInRole, Config, Scope};
use support::app::TestApp;
use uuid::Uuid;

use super::{PLAN, calls_of, counted, hold, nodes, of_user, steps, text};

async fn plan(app: &TestApp, subscriptions: &[Uuid], level: &str) -> Result<Value> {
    let query = format!(
        "query($ids: [ID!]!, $level: AccessLevel!) {{
           planAccessChange(subscriptionIds: $ids, level: $level) {{ {PLAN} }} }}"
    );
    let ids: Vec<_> = subscriptions.iter().map(|id| format!("subscription:{id}")).collect();
    let mut data = app.ask(&query, json!({ "ids": ids, "level": level })).await?;
    Ok(data["planAccessChange"].take())
}

/// Changes the level under this consent, and runs what follows to its end.
async fn change(
    app: &TestApp,
    held: &consent::Model,
    subscriptions: &[Uuid],
    level: AccessLevel,
) -> Result<operation::Model> {
    let tenant = tenant::Entity::owned_by(app.member.organization_id).one(&app.database).await?;
    let request = operation::Request {
        organization_id: app.member.organization_id,
        member_id: app.member.id,
        tenant_id: tenant.context("no tenant")?.id,
        consent_id: Some(held.id),
        work: Work::ChangeAccess { subscriptions: subscriptions.to_vec(), level },
    };
    let transaction = app.services.begin().await?;
    let stored = worker::operations::store(&transaction, request, app.clock.now()).await?;
    transaction.commit().await?;
    let operation = stored.context("a change is an operation")?;
    worker::operations::ring(&app.context.queue, &operation).await?;
    app.run_jobs().await?;
    Ok(operation)
}

async fn subscriptions(app: &TestApp) -> Result<Vec<Uuid>> {
    let all = subscription::Entity::owned_by(app.member.organization_id)
        .order_by_asc(subscription::Column::Id)
        .all(&app.database)
        .await?;
    Ok(all.into_iter().map(|one| one.id).collect())
}

#[tokio::test]
async fn what_is_planned_at_each_level_is_what_then_happens() -> Result<()> {
    for user in ["owner", "rbac-administrator", "contributor", "conditioned-owner"] {
        let app = TestApp::with(|config: &mut Config| config.subscriptions = 20).await?;
        app.onboard().await?;
        let principal = app.simulator.service_principal_id().context("a service principal")?;
        let all = app.simulator.subscriptions();
        app.simulator.grant(principal, BuiltInRole::TagContributor, Scope::Subscription(all[0].id));
        app.simulator.fill_assignments(all[2].id, 4_000);
        let ids = subscriptions(&app).await?;
        // Up, again the same, and down to where no role has to be swapped.
        for level in [
            AccessLevel::WriteTags,
            AccessLevel::WriteTags,
            AccessLevel::ReadTags,
            AccessLevel::ResourcesOnly,
        ] {
            // Who could consent is asked once in a window: this is a later one.
            app.clock.advance(TimeDelta::minutes(1));
            let held = hold(&app, user).await?;
            let plan = plan(&app, &ids, &level.to_value()).await?;
            app.simulator.clear_calls();

            let operation = change(&app, &held, &ids, level).await?;

            let ended = steps(&app, &operation).await?;
            for node in nodes(&plan) {
                let step = &ended[&text(&node["azureSubscriptionId"])];
                let outcome = step.outcome.map(|outcome| outcome.to_value());
                assert_eq!(node["outcome"], json!(outcome), "{user}, {level:?}: {node} {step:?}");
                let code = step.failure.as_ref().map(|failure| &failure.code);
                assert_eq!(node["failure"]["code"], json!(code), "{user}, {level:?}: {node}");
            }
            let calls = of_user(&plan["estimate"]["calls"]);
            assert_eq!(calls, counted(&calls_of(&app, user)), "{user}, {level:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_swap_says_which_roles_come_and_go() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let ids = subscriptions(&app).await?;

    let plan = plan(&app, &ids, "WRITE_TAGS").await?;

    for node in nodes(&plan) {
        assert_eq!((&node["basis"], &node["outcome"]), (&json!("KNOWN"), &json!("CHANGED")));
        assert_eq!(
            (&node["rolesAdded"], &node["rolesRemoved"]),
            (&json!(["TAG_CONTRIBUTOR"]), &json!(["READER"]))
        );
        assert_eq!(node["calls"], json!({ "userReads": 2, "userWrites": 1, "userDeletes": 1 }));
    }
    Ok(())
}

#[tokio::test]
async fn a_window_that_is_too_short_for_a_swap_does_not_fit() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    let ids = subscriptions(&app).await?;
    hold(&app, "owner").await?;
    app.clock.advance(chrono::TimeDelta::minutes(50));

    let plan = plan(&app, &ids, "WRITE_TAGS").await?;

    assert!(plan["windowClosesAt"].is_string());
    assert_eq!(plan["estimate"]["fitsWindow"], false);
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_has_no_plan() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    app.onboard().await?;
    let known = subscriptions(&app).await?[0];

    assert_eq!(plan(&app, &[known, Uuid::now_v7()], "WRITE_TAGS").await?, Value::Null);

    for (ids, level) in [(vec![known], "NONE"), (vec![], "READ_TAGS"), (vec![known; 501], "READ_TAGS")] {
        let ids: Vec<_> = ids.iter().map(|id| format!("subscription:{id}")).collect();
        let query = "query($ids: [ID!]!, $level: AccessLevel!) {
           planAccessChange(subscriptionIds: $ids, level: $level) { windowClosesAt } }";
        let answer = app.ask_as(&app.token, query, json!({ "ids": ids, "level": level })).await?;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_INPUT", "{answer}");
    }
    Ok(())
}
