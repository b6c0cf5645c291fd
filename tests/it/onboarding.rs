//! A customer's administrator consents, and every subscription ends with an outcome.

use anyhow::Result;
use chrono::TimeDelta;
use entity::{Owned, consent, operation, role_assignment};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set};
use serde_json::{Value, json};
use simulator::{BuiltInRole, Decision, Fault, Scope};
use support::app::{TestApp, outcomes};
use worker::queue::When;

const PUT_ROLE: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*";
const LIST_ROLES: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments";

fn counts(of: &[(&str, usize)]) -> std::collections::BTreeMap<String, usize> {
    of.iter().map(|&(outcome, count)| (outcome.to_owned(), count)).collect()
}

fn sum(operation: &Value, field: &str) -> u64 {
    let steps = operation["steps"]["nodes"].as_array();
    steps.into_iter().flatten().filter_map(|step| step[field].as_u64()).sum()
}

fn puts(app: &TestApp) -> usize {
    app.simulator.calls().iter().filter(|call| call.method == "PUT" && call.status < 300).count()
}

#[tokio::test]
async fn every_subscription_ends_with_an_outcome_and_its_resources() -> Result<()> {
    let app = TestApp::start().await?;

    let operation = app.onboard().await?;

    assert_eq!(operation["state"], "PARTIAL");
    let expected = [("GRANTED", 9), ("INHERITED", 1), ("NOT_PERMITTED", 1), ("SUBSCRIPTION_DISABLED", 1)];
    assert_eq!(outcomes(&operation), counts(&expected));
    let steps = operation["steps"]["nodes"].as_array().cloned().unwrap_or_default();
    for step in &steps {
        let azure_id = step["subscription"]["azureSubscriptionId"].as_str().unwrap_or_default();
        let real = app.simulator.subscriptions().into_iter().find(|one| one.id.to_string() == azure_id);
        let real = real.map_or(0, |one| one.resources);
        if step["scanned"] == true {
            assert_eq!(step["resourcesSeen"], real, "{step}");
            assert_eq!(step["failure"], Value::Null, "{step}");
        } else {
            assert_eq!(step["resourcesSeen"], 0, "{step}");
            assert!(step["failure"]["message"].is_string(), "{step}");
        }
    }
    let data =
        app.ask("{ resources(first: 1) { totalCount } tenants { nodes { state displayName } } }", json!({}));
    let data = data.await?;
    assert_eq!(data["resources"]["totalCount"], sum(&operation, "resourcesSeen"));
    assert_eq!(data["tenants"]["nodes"], json!([{ "state": "CONNECTED", "displayName": "Contoso" }]));
    Ok(())
}

#[tokio::test]
async fn a_second_consent_grants_nothing_twice() -> Result<()> {
    let app = TestApp::small(3, 60).await?;
    app.onboard().await?;
    let before = puts(&app);

    let operation = app.onboard().await?;

    assert_eq!(operation["state"], "SUCCEEDED");
    assert_eq!(outcomes(&operation), counts(&[("ALREADY_GRANTED", 3)]));
    assert_eq!(puts(&app), before);
    assert_eq!(sum(&operation, "resourcesWritten"), 0);
    Ok(())
}

#[tokio::test]
async fn who_may_assign_roles_is_decided_by_effective_permissions() -> Result<()> {
    for (user, outcome, state) in [
        ("user-access-administrator", "GRANTED", "SUCCEEDED"),
        ("rbac-administrator", "GRANTED", "SUCCEEDED"),
        ("group-owner", "GRANTED", "SUCCEEDED"),
        ("contributor", "NOT_PERMITTED", "FAILED"),
        ("reader", "NOT_PERMITTED", "FAILED"),
        ("conditioned-owner", "CONDITION_BLOCKED", "FAILED"),
    ] {
        let app = TestApp::small(2, 20).await?;

        let operation = app.onboard_as(user).await?;

        assert_eq!(outcomes(&operation), counts(&[(outcome, 2)]), "{user}");
        assert_eq!(operation["state"], state, "{user}");
    }
    Ok(())
}

#[tokio::test]
async fn a_user_who_sees_no_subscription_is_told_so() -> Result<()> {
    let app = TestApp::small(2, 20).await?;

    let operation = app.onboard_as("pim-eligible").await?;

    assert_eq!(operation["state"], "FAILED");
    assert_eq!(operation["failure"]["code"], "NO_SUBSCRIPTIONS");
    Ok(())
}

#[tokio::test]
async fn a_service_principal_that_is_new_everywhere_is_waited_for() -> Result<()> {
    let minute = std::time::Duration::from_mins(1);
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources) = (2, 20);
        (config.replication, config.propagation) = (minute, minute * 3);
    })
    .await?;

    let operation = app.onboard().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(outcomes(&operation), counts(&[("GRANTED", 2)]));
    Ok(())
}

#[tokio::test]
async fn a_role_that_never_works_ends_after_fifteen_minutes() -> Result<()> {
    let app = TestApp::with(|config| {
        (config.subscriptions, config.resources) = (1, 5);
        config.propagation = std::time::Duration::from_hours(2);
    })
    .await?;
    let begun = app.clock.now();

    let operation = app.onboard().await?;

    assert_eq!(operation["steps"]["nodes"][0]["failure"]["code"], "ROLE_NOT_EFFECTIVE");
    assert!(app.clock.now() - begun < TimeDelta::minutes(20));
    Ok(())
}

#[tokio::test]
async fn an_assignment_of_another_name_is_adopted_whichever_way_azure_says_so() -> Result<()> {
    for names_id in [true, false] {
        let app = TestApp::small(1, 5).await?;
        app.onboard().await?;
        let subscription = app.simulator.subscriptions()[0].id;
        let principal = app.simulator.service_principal_id().unwrap_or_default();
        app.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(subscription));
        app.simulator.grant(principal, BuiltInRole::Reader, Scope::Subscription(subscription));
        app.simulator.set_conflict_names_id(names_id);
        // The first list does not show it, so that the assignment is tried.
        app.simulator.faults().plan(Fault::on("GET", LIST_ROLES).answer(200, &[], r#"{"value":[]}"#));

        let operation = app.onboard().await?;

        assert_eq!(outcomes(&operation), counts(&[("ALREADY_GRANTED", 1)]), "{operation}");
        assert_eq!(app.simulator.assignments_at(subscription), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_service_principal_that_was_created_again_is_given_its_roles_again() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.onboard().await?;
    app.simulator.delete_service_principal();

    let operation = app.onboard().await?;

    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(outcomes(&operation), counts(&[("GRANTED", 2)]));
    Ok(())
}

#[tokio::test]
async fn what_the_window_does_not_see_done_is_done_by_the_next_consent_and_nothing_twice() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    let too_late = [("retry-after", "7200")];
    app.simulator.faults().plan(Fault::on("PUT", PUT_ROLE).answer(
        429,
        &too_late,
        r#"{"code":"TooManyRequests"}"#,
    ));

    let first = app.onboard().await?;
    let second = app.onboard().await?;

    assert_eq!(first["state"], "PARTIAL", "{first}");
    assert_eq!(outcomes(&first), counts(&[("GRANTED", 2), ("NEEDS_RECONSENT", 1)]));
    assert_eq!(second["state"], "SUCCEEDED");
    assert_eq!(outcomes(&second), counts(&[("ALREADY_GRANTED", 2), ("GRANTED", 1)]));
    assert_eq!(puts(&app), 3);
    Ok(())
}

#[tokio::test]
async fn a_revoked_session_closes_the_window_at_once() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    let (consent, _) = app.consent("owner", Decision::Accept).await?;
    app.simulator.set_continuous_access(true);
    app.simulator.revoke_sessions("owner");

    app.run_jobs().await?;

    let operation = app.operation_of(&consent).await?;
    assert_eq!(operation["state"], "FAILED");
    assert!(operation["failure"]["message"].is_string());
    assert_eq!(puts(&app), 0);
    Ok(())
}

#[tokio::test]
async fn the_delegated_token_is_gone_when_the_roles_are_assigned() -> Result<()> {
    let app = TestApp::small(2, 20).await?;

    let (_, page) = app.consent("owner", Decision::Accept).await?;

    assert_eq!(page.status, 200);
    let consents = || consent::Entity::owned_by(app.member.organization_id).one(&app.database);
    let open = consents().await?.expect("a consent");
    assert!(open.is_open(app.clock.now()));
    let sealed = open.sealed_token.expect("a sealed token");
    // A token in clear would begin as every JWT does.
    assert!(!String::from_utf8_lossy(&sealed).contains("eyJ"));
    app.run_jobs().await?;
    let closed = consents().await?.expect("a consent");
    assert_eq!((closed.state, closed.sealed_token), (consent::State::Closed, None));
    assert!(closed.erased_at.is_some());
    Ok(())
}

#[tokio::test]
async fn the_token_is_erased_when_the_window_closes_though_no_worker_came() -> Result<()> {
    let app = TestApp::small(2, 20).await?;
    app.consent("owner", Decision::Accept).await?;
    app.clock.advance(TimeDelta::minutes(61));

    app.context.queue.push(&worker::jobs::Sweep {}, When::default()).await?;
    app.run_jobs().await?;

    let consent = consent::Entity::owned_by(app.member.organization_id).one(&app.database).await?;
    assert_eq!(consent.and_then(|consent| consent.sealed_token), None);
    assert_eq!(puts(&app), 0);
    Ok(())
}

#[tokio::test]
async fn assignments_are_remembered_with_where_they_come_from() -> Result<()> {
    let app = TestApp::start().await?;

    app.onboard().await?;

    for (origin, expected) in [(role_assignment::Origin::Ours, 9), (role_assignment::Origin::Inherited, 1)] {
        let found = role_assignment::Entity::owned_by(app.member.organization_id)
            .filter(role_assignment::Column::Origin.eq(origin))
            .filter(role_assignment::Column::VerifiedAt.is_not_null())
            .count(&app.database)
            .await?;
        assert_eq!(found, expected, "{origin:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_discovery_that_was_cut_off_before_it_said_so_is_repeated_without_harm() -> Result<()> {
    let app = TestApp::small(3, 30).await?;
    app.consent("owner", Decision::Accept).await?;
    let consents = || consent::Entity::owned_by(app.member.organization_id).one(&app.database);
    let open = consents().await?.expect("a consent");
    app.run_jobs().await?;
    // As if the worker had died right after it stored the steps: their operation does not know of them.
    open.clone().into_active_model().reset_all().update(&app.database).await?;
    let operations = || operation::Entity::owned_by(app.member.organization_id).one(&app.database);
    let mut cut_off = operations().await?.expect("an operation").into_active_model();
    cut_off.state = Set(operation::State::Running);
    cut_off.discovered = Set(false);
    let cut_off = cut_off.update(&app.database).await?;

    worker::operations::ring(&app.context.queue, &cut_off).await?;
    app.run_jobs().await?;

    let operation = app.operation_of(&format!("consent:{}", open.id)).await?;
    assert_eq!(operation["state"], "SUCCEEDED", "{operation}");
    assert_eq!(outcomes(&operation), counts(&[("GRANTED", 3)]));
    Ok(())
}
