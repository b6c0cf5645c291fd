//! Groups and who is in them, all of them once and then as they change.

use std::collections::{BTreeMap, BTreeSet};

use microsoft::delta::{Change, Start, Told};
use microsoft::{Group, GroupMemberKind, MembershipChange};
use simulator::{Config, GroupMember};
use uuid::Uuid;

use super::round;
use crate::cloud::Cloud;

type Members = BTreeMap<Uuid, BTreeSet<Uuid>>;

/// Applies changes as whoever stores them would.
fn apply(members: &mut Members, changes: &[Change<Group>]) {
    for change in changes {
        match change {
            Change::Is(group) => {
                let inside = members.entry(group.id).or_default();
                for MembershipChange { member, is_in } in &group.members {
                    if *is_in {
                        inside.insert(member.id)
                    } else {
                        inside.remove(&member.id)
                    };
                }
            }
            Change::Removed { id, .. } => {
                members.remove(id);
            }
        }
    }
}

fn of(changes: &[Change<Group>], id: Uuid) -> &Group {
    let mut groups = changes.iter().filter_map(|change| match change {
        Change::Is(group) if group.id == id => Some(group),
        _ => None,
    });
    groups.next().expect("a group of this id")
}

#[tokio::test]
async fn groups_of_every_kind_come_with_their_members() {
    let cloud = Cloud::usual();
    let (changes, _, _) = round::<Group>(&cloud, Start::Beginning).await;
    let groups: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::Is(group) => group,
            Change::Removed { .. } => panic!("nothing was removed"),
        })
        .collect();
    assert_eq!(groups.len(), 40);
    let of_type = |name: &str| Told::Is(vec![name.to_owned()]);
    assert!(groups.iter().any(|group| group.group_types == of_type("Unified")));
    let by_rule = groups.iter().find(|group| group.group_types == of_type("DynamicMembership"));
    let by_rule = by_rule.expect("a group whose members a rule names");
    assert!(matches!(&by_rule.membership_rule, Told::Is(rule) if !rule.is_empty()));
    assert_eq!((&by_rule.mail_enabled, &by_rule.security_enabled), (&Told::Is(false), &Told::Is(true)));
    assert!(groups.iter().any(|group| group.description == Told::Empty));
    assert!(groups.iter().all(|group| group.created_at.is_some()));

    let mixed = cloud.simulator.office_group(4).expect("a group of every kind of member");
    let kinds: BTreeSet<_> = of(&changes, mixed).members.iter().map(|change| change.member.kind).collect();
    let wanted = [
        GroupMemberKind::User,
        GroupMemberKind::Group,
        GroupMemberKind::Device,
        GroupMemberKind::ServicePrincipal,
    ];
    assert_eq!(kinds, BTreeSet::from(wanted));
}

#[tokio::test]
async fn who_came_and_who_left_is_told_in_later_rounds() {
    let cloud = Cloud::usual();
    let simulator = &cloud.simulator;
    let (changes, _, end) = round::<Group>(&cloud, Start::Beginning).await;
    let mut members = Members::new();
    apply(&mut members, &changes);
    let (group, gone) =
        (simulator.office_group(7).expect("a group"), simulator.office_group(8).expect("a group"));
    let leaver =
        members[&group].iter().copied().find(|id| simulator.office_users().iter().any(|user| user.id == *id));
    let leaver = leaver.expect("a user in the group");
    let newcomer = simulator.add_user();
    simulator.add_member(group, GroupMember::User(newcomer));
    simulator.remove_member(group, GroupMember::User(leaver));
    simulator.delete_group(gone);
    let fresh = simulator.add_group("Fresh");
    simulator.add_member(fresh, GroupMember::Group(group));

    let (changes, _, end) = round::<Group>(&cloud, end).await;

    let told: BTreeSet<_> =
        of(&changes, group).members.iter().map(|change| (change.member.id, change.is_in)).collect();
    assert_eq!(told, BTreeSet::from([(newcomer, true), (leaver, false)]));
    assert!(changes.contains(&Change::Removed { id: gone, deleted: false }));
    apply(&mut members, &changes);
    assert!(members[&group].contains(&newcomer) && !members[&group].contains(&leaver));
    assert_eq!(members[&fresh], BTreeSet::from([group]));
    assert!(!members.contains_key(&gone));
    assert!(round::<Group>(&cloud, end).await.0.is_empty());
}

#[tokio::test]
async fn a_large_group_comes_again_with_its_other_members() {
    let cloud = Cloud::granted(Config { users: 2_500, ..Config::default() }, &["Group.Read.All"]);
    let (changes, pages, _) = round::<Group>(&cloud, Start::Beginning).await;
    assert!(pages > 1);
    let everybody = cloud.simulator.office_group(2).expect("the group of everybody");
    let times = changes.iter().filter(|change| matches!(change, Change::Is(group) if group.id == everybody));
    assert!(times.count() > 1);
    let mut members = Members::new();
    apply(&mut members, &changes);
    let wanted = cloud.simulator.office_users().iter().filter(|user| !user.is_guest).count();
    assert_eq!(members[&everybody].len(), wanted);
}
