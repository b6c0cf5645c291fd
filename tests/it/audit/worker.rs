//! What the jobs and a consenting user leave in the audit: once, and with Microsoft's ids.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::audit_event::{Action, ActorKind, ObjectKind};
use serde_json::{Value, json};
use simulator::{Decision, Fault};
use support::app::TestApp;
use worker::jobs::Sweep;
use worker::queue::When;

use super::{actions, events_of};

const PUT_ROLE: &str = "/subscriptions/*/providers/Microsoft.Authorization/roleAssignments/*";

#[tokio::test]
async fn an_onboarding_is_told_from_the_consent_to_the_erased_token() -> Result<()> {
    let app = TestApp::small(2, 10).await?;

    app.onboard().await?;

    let told = [
        Action::ConsentStarted,
        Action::ConsentGranted,
        Action::RoleAssigned,
        Action::RoleAssigned,
        Action::DelegatedTokenErased,
    ];
    assert_eq!(actions(&app).await?, told);
    let events = events_of(&app.database, app.member.organization_id).await?;
    let granted = &events[1];
    assert_eq!(granted.actor_kind, ActorKind::ConsentingUser);
    assert!(granted.actor_id.is_some() && granted.request_id.is_some());
    assert_eq!(granted.address.as_deref(), Some("127.0.0.1"));
    assert_eq!((granted.object_kind, granted.object_id), (ObjectKind::Consent, events[0].object_id));
    let puts = app.simulator.calls().into_iter().filter(|call| call.method == "PUT");
    let mut sent: Vec<_> = puts.filter_map(|call| Some(call.correlation_id?.to_string())).collect();
    let mut told: Vec<_> =
        events[2..4].iter().filter_map(|event| event.microsoft_correlation_id.clone()).collect();
    sent.sort_unstable();
    told.sort_unstable();
    assert_eq!((told.len(), &told), (2, &sent));
    assert!(events[2..].iter().all(|event| event.actor_kind == ActorKind::System));
    let after: Value = serde_json::from_str(events[2].after.as_deref().context("nothing is told")?)?;
    assert_eq!(after["outcome"], "GRANTED");
    Ok(())
}

#[tokio::test]
async fn answers_that_were_lost_and_a_second_consent_tell_nothing_twice() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    app.simulator.faults().plan(Fault::on("PUT", PUT_ROLE).times(3).truncate());

    app.onboard().await?;
    app.onboard().await?;

    let told = actions(&app).await?;
    let count = |action: Action| told.iter().filter(|told| **told == action).count();
    assert_eq!(count(Action::RoleAssigned), 2);
    assert_eq!(count(Action::RoleFound), 0);
    assert_eq!((count(Action::ConsentGranted), count(Action::DelegatedTokenErased)), (2, 2));
    Ok(())
}

#[tokio::test]
async fn roles_that_are_given_again_are_told_again() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    app.onboard().await?;
    app.simulator.delete_service_principal();

    app.onboard().await?;

    let told = actions(&app).await?;
    assert_eq!(told.iter().filter(|action| **action == Action::RoleAssigned).count(), 4);
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_with_microsofts_id_if_it_has_one() -> Result<()> {
    let app = TestApp::small(1, 1).await?;

    app.consent("owner", Decision::Cancel).await?;
    app.simulator.set_client_secret("rotated");
    app.consent("owner", Decision::Accept).await?;

    let events = events_of(&app.database, app.member.organization_id).await?;
    let refused: Vec<_> = events.iter().filter(|event| event.action == Action::ConsentRefused).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].microsoft_correlation_id, None);
    assert!(refused[1].microsoft_correlation_id.is_some(), "{refused:?}");
    let after: Value = serde_json::from_str(refused[0].after.as_deref().context("nothing is told")?)?;
    assert_eq!(after["failure"], json!("CONSENT_CANCELLED"));
    Ok(())
}

#[tokio::test]
async fn what_time_closes_is_told_once_however_often_it_is_swept() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.start_consent().await?;
    app.consent("owner", Decision::Accept).await?;
    app.clock.advance(TimeDelta::hours(2));

    for _ in 0..2 {
        app.context.queue.push(&Sweep {}, When::default()).await?;
        app.run_due().await?;
    }

    let told = actions(&app).await?;
    let count = |action: Action| told.iter().filter(|told| **told == action).count();
    assert_eq!((count(Action::ConsentExpired), count(Action::DelegatedTokenErased)), (1, 1));
    Ok(())
}
