//! Users, all of them once and then as they change.

use std::collections::HashSet;

use microsoft::delta::{Change, Next, Start, Told};
use microsoft::{MicrosoftError, User};
use simulator::{Config, UserChange};
use uuid::Uuid;

use super::{Kind, round, stored};
use crate::cloud::Cloud;

fn ids(changes: &[Change<User>]) -> Vec<Uuid> {
    let id = |change: &Change<User>| match change {
        Change::Is(user) => user.id,
        Change::Removed { id, .. } => *id,
    };
    changes.iter().map(id).collect()
}

fn of(changes: &[Change<User>], id: Uuid) -> &Change<User> {
    let found = ids(changes).iter().position(|known| *known == id);
    &changes[found.expect("a change of this user")]
}

#[tokio::test]
async fn a_dead_token_says_to_begin_again_and_that_works() {
    let cloud = Cloud::usual();
    let (_, _, end) = round::<User>(&cloud, Start::Beginning).await;
    cloud.simulator.expire_delta_tokens();
    let error = User::page(&cloud, &end).await.expect_err("a dead token");
    assert!(matches!(error, MicrosoftError::DeltaTokenDead { .. }), "{error}");
    assert_eq!((error.code(), error.retryable()), ("DELTA_TOKEN_DEAD", false));
    let (again, _, end) = round::<User>(&cloud, Start::Beginning).await;
    assert_eq!(again.len(), 250);

    cloud.pass(7 * 24 * 60 * 60 + 1);
    let error = User::page(&cloud, &end).await.expect_err("a token of last week");
    assert_eq!((error.code(), error.microsoft_code()), ("DELTA_TOKEN_DEAD", Some("syncStateNotFound")));
}

#[tokio::test]
async fn a_token_may_die_between_two_pages() {
    let cloud = Cloud::usual();
    let first = User::page(&cloud, &Start::Beginning).await.expect("a page");
    let Next::Page(link) = first.next else { panic!("250 users are more than a page") };
    cloud.simulator.expire_delta_tokens();
    let error = User::page(&cloud, &stored(&link)).await.expect_err("a dead token");
    assert!(matches!(error, MicrosoftError::DeltaTokenDead { .. }), "{error}");
}

#[tokio::test]
async fn every_user_comes_once_even_one_a_page_and_as_stored() {
    let cloud =
        Cloud::granted(Config { users: 30, graph_page_size: 1, ..Config::default() }, &["User.Read.All"]);
    let (changes, pages, end) = round::<User>(&cloud, Start::Beginning).await;
    let distinct: HashSet<_> = ids(&changes).into_iter().collect();
    assert_eq!((changes.len(), distinct.len()), (30, 30));
    assert!(pages >= 30, "{pages}");

    for known in cloud.simulator.office_users() {
        let Change::Is(user) = of(&changes, known.id) else { panic!("{} was not removed", known.id) };
        assert_eq!(user.user_principal_name, Told::Is(known.principal_name));
        assert_eq!(user.display_name, Told::Is(known.display_name));
        assert_eq!(user.account_enabled, Told::Is(known.is_enabled));
        assert_eq!(user.department.clone().value(), known.department);
        assert_eq!(user.user_type, Told::Is(if known.is_guest { "Guest" } else { "Member" }.to_owned()));
        let licences = user.sku_ids.clone().value().expect("licences, or none");
        assert_eq!(licences.len(), known.licences.len());
        assert!(user.created_at.is_some());
    }
    let (nothing, _, _) = round::<User>(&cloud, end).await;
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn changes_removals_and_returns_come_in_later_rounds() {
    let cloud = Cloud::usual();
    let simulator = &cloud.simulator;
    let (_, _, end) = round::<User>(&cloud, Start::Beginning).await;
    let user = |number| simulator.office_user(number).expect("a user").id;
    let (moved, deleted, purged) = (user(20), user(21), user(22));
    let added = simulator.add_user();
    simulator.change_user(moved, UserChange::Department(None));
    simulator.change_user(moved, UserChange::Licences(vec!["SPE_E5".to_owned()]));
    simulator.delete_user(deleted);
    simulator.purge_user(purged);

    let (changes, _, end) = round::<User>(&cloud, end).await;

    let Change::Is(user) = of(&changes, moved) else { panic!("it was not removed") };
    assert_eq!(user.department, Told::Empty);
    assert_eq!(user.sku_ids.clone().value().map(|skus| skus.len()), Some(1));
    assert!(matches!(of(&changes, added), Change::Is(_)));
    assert_eq!(*of(&changes, deleted), Change::Removed { id: deleted, deleted: false });
    assert_eq!(*of(&changes, purged), Change::Removed { id: purged, deleted: true });
    assert_eq!(changes.len(), 4);

    simulator.restore_user(deleted);
    let (changes, _, _) = round::<User>(&cloud, end).await;
    assert!(matches!(changes.as_slice(), [Change::Is(user)] if user.id == deleted));
}

#[tokio::test]
async fn one_user_may_come_twice_and_the_later_one_holds() {
    let cloud = Cloud::usual();
    let (_, _, end) = round::<User>(&cloud, Start::Beginning).await;
    cloud.simulator.set_graph_page_size(2);
    let rename = |name: &str| UserChange::DisplayName(name.to_owned());
    let ids: Vec<_> = (30..35).map(|place| cloud.simulator.office_user(place).expect("a user").id).collect();
    for id in &ids {
        cloud.simulator.change_user(*id, rename("Once"));
    }
    let first = User::page(&cloud, &end).await.expect("a page");
    let Next::Page(link) = first.next else { panic!("five are more than a page") };
    cloud.simulator.change_user(ids[0], rename("Twice"));

    let (rest, _, _) = round::<User>(&cloud, stored(&link)).await;

    let all: Vec<_> = first.changes.into_iter().chain(rest).collect();
    let names = all.iter().filter_map(|change| match change {
        Change::Is(user) if user.id == ids[0] => user.display_name.clone().value(),
        _ => None,
    });
    let names: Vec<_> = names.collect();
    assert_eq!((all.len(), names.len(), names[1].as_str()), (6, 2, "Twice"));
}
