//! When a change of role assignments shows: to whom, and what is seen of it at once.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use simulator::{BuiltInRole, Config, Scope};
use uuid::Uuid;

use crate::cloud::{ARM, Cloud, Got, OWNED, assignment_path, subscription_path};

const NAME: Uuid = Uuid::from_u128(1);
const READER: BuiltInRole = BuiltInRole::Reader;

/// A cloud in which changes take a minute, and the service principal holds a role that works.
async fn with_a_reader() -> (Cloud, String, Uuid) {
    let cloud = Cloud::with(Config { propagation: Duration::from_mins(1), ..Config::default() });
    let owner = cloud.user_token("owner").await;
    let principal = cloud.simulator.service_principal_id().expect("created by the consent");
    let at = cloud.subscription(OWNED);
    let made = cloud.assign(&owner, at, NAME, (principal, READER)).await;
    assert_eq!(made.status, 201);
    cloud.pass(240);
    (cloud, owner, at)
}

async fn names(cloud: &Cloud, token: &str, at: Uuid) -> BTreeSet<String> {
    let path = format!(
        "/subscriptions/{at}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    );
    let pages = cloud.pages(token, &path).await;
    pages.iter().flat_map(Got::rows).map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn an_assignment_works_later_and_sooner_for_a_fresh_token() {
    let cloud = Cloud::with(Config { propagation: Duration::from_mins(1), ..Config::default() });
    let token = cloud.user_token("owner").await;
    let principal = cloud.simulator.service_principal_id().unwrap();
    let path = subscription_path(cloud.subscription(OWNED));
    let before = cloud.app_token().await;
    cloud.pass(10);
    cloud.assign(&token, cloud.subscription(OWNED), NAME, (principal, READER)).await;
    let fresh = cloud.app_token().await;
    let statuses = async || (cloud.get(&before, &path).await.status, cloud.get(&fresh, &path).await.status);

    assert_eq!(statuses().await, (403, 403));
    cloud.pass(59);
    assert_eq!(statuses().await, (403, 403));
    cloud.pass(1);
    assert_eq!(statuses().await, (403, 200));
    cloud.pass(179);
    assert_eq!(statuses().await, (403, 200));
    cloud.pass(1);
    assert_eq!(statuses().await, (200, 200));
}

#[tokio::test]
async fn what_was_taken_away_works_on_and_longer_for_an_older_token() {
    let (cloud, owner, at) = with_a_reader().await;
    let path = subscription_path(at);
    let before = cloud.app_token().await;
    cloud.pass(10);
    let deleted = cloud.delete(&owner, &assignment_path(at, &NAME.to_string())).await;
    assert_eq!(deleted.status, 200);
    let fresh = cloud.app_token().await;
    let statuses = async || (cloud.get(&before, &path).await.status, cloud.get(&fresh, &path).await.status);

    assert!(!names(&cloud, &owner, at).await.contains(&NAME.to_string()), "the list shows it at once");
    assert_eq!(cloud.simulator.assignments_at(at), 0);
    assert_eq!(statuses().await, (200, 200));
    cloud.pass(59);
    assert_eq!(statuses().await, (200, 200));
    cloud.pass(1);
    assert_eq!(statuses().await, (200, 403));
    cloud.pass(179);
    assert_eq!(statuses().await, (200, 403));
    cloud.pass(1);
    assert_eq!(statuses().await, (403, 403));
}

#[tokio::test]
async fn a_role_that_is_revoked_from_outside_works_on_too() {
    let (cloud, _, at) = with_a_reader().await;
    let path = subscription_path(at);
    let principal = cloud.simulator.service_principal_id().unwrap();
    cloud.simulator.revoke(principal, READER, Scope::Subscription(at));
    let fresh = async || cloud.get(&cloud.app_token().await, &path).await.status;

    assert_eq!(fresh().await, 200);
    cloud.pass(60);
    assert_eq!(fresh().await, 403);

    cloud.simulator.set_propagation(TimeDelta::zero());
    cloud.simulator.grant(principal, READER, Scope::Subscription(at));
    assert_eq!(fresh().await, 200);
    cloud.simulator.revoke(principal, READER, Scope::Subscription(at));
    assert_eq!(fresh().await, 403, "at once where nothing propagates");
}

#[tokio::test]
async fn what_is_taken_away_before_it_worked_never_works() {
    let (cloud, owner, _) = with_a_reader().await;
    let (at, name) = (cloud.subscription(OWNED + 1), Uuid::from_u128(2));
    let principal = cloud.simulator.service_principal_id().unwrap();
    cloud.assign(&owner, at, name, (principal, READER)).await;
    cloud.pass(30);
    cloud.delete(&owner, &assignment_path(at, &name.to_string())).await;
    for _ in 0..5 {
        let fresh = cloud.app_token().await;
        assert_eq!(cloud.get(&fresh, &subscription_path(at)).await.status, 403);
        cloud.pass(20);
    }
}

#[tokio::test]
async fn what_is_made_again_waits_again() {
    let (cloud, owner, at) = with_a_reader().await;
    let principal = cloud.simulator.service_principal_id().unwrap();
    cloud.delete(&owner, &assignment_path(at, &NAME.to_string())).await;
    cloud.pass(61);
    let again = cloud.assign(&owner, at, NAME, (principal, READER)).await;
    assert_eq!(again.status, 201);
    let fresh = async || cloud.get(&cloud.app_token().await, &subscription_path(at)).await.status;

    assert_eq!(fresh().await, 403);
    assert!(names(&cloud, &owner, at).await.contains(&NAME.to_string()));
    cloud.pass(60);
    assert_eq!(fresh().await, 200);
}

/// After how many seconds a fresh token shows each of some assignments.
async fn seconds_until_shown(seed: u64) -> Vec<i64> {
    let cloud = Cloud::with(Config {
        seed,
        propagation: Duration::from_secs(10),
        propagation_spread: Duration::from_secs(50),
        ..Config::default()
    });
    cloud.user_token("owner").await;
    let principal = cloud.simulator.service_principal_id().expect("created by the consent");
    let automation = cloud.automation_token(ARM).await;
    let places = [0, 1, 2, 4, 5, 6, 8, 10, 11].map(|place| cloud.subscription(place));
    for (number, at) in places.into_iter().enumerate() {
        let name = Uuid::from_u128(number as u128);
        assert_eq!(cloud.assign(&automation, at, name, (principal, READER)).await.status, 201);
    }
    let mut shown = [None; 9];
    for second in 0..=60 {
        let fresh = cloud.app_token().await;
        for (at, shown) in places.into_iter().zip(&mut shown) {
            let status = cloud.get(&fresh, &subscription_path(at)).await.status;
            assert!(shown.is_none() || status == 200, "what is shown stays");
            if status == 200 {
                shown.get_or_insert(second);
            }
        }
        cloud.pass(1);
    }
    shown.into_iter().map(|second| second.expect("shown within a minute")).collect()
}

#[tokio::test]
async fn each_takes_its_own_time_which_the_seed_decides() {
    let first = seconds_until_shown(7).await;

    assert!(first.iter().all(|second| (10..=60).contains(second)), "{first:?}");
    assert!(first.iter().collect::<BTreeSet<_>>().len() > 4, "{first:?}");
    assert_eq!(seconds_until_shown(7).await, first);
    assert_ne!(seconds_until_shown(8).await, first);
}

#[tokio::test]
async fn a_test_is_told_what_is_held_by_whom_and_from_when_it_works() {
    let (cloud, _, at) = with_a_reader().await;
    let principal = cloud.simulator.service_principal_id().expect("created by the consent");
    cloud.simulator.grant(principal, BuiltInRole::TagContributor, Scope::Subscription(at));

    let held = cloud.simulator.holdings(at);

    let owner = cloud.user_id("owner");
    let told: Vec<_> = held.iter().map(|one| (one.role, one.assigned_by)).collect();
    assert_eq!(told, [(READER, Some(owner)), (BuiltInRole::TagContributor, None)]);
    assert_eq!(held[1].works_from - held[0].works_from, TimeDelta::minutes(3));
}
