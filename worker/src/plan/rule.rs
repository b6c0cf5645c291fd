//! What becomes of one subscription, by the rules of whoever carries it out.

use entity::estimate::Calls;
use entity::operation_step::Outcome;
use entity::role_assignment::Origin;
use entity::subscription::AccessLevel;
use entity::{Failure, subscription};
use microsoft::{Role, Verdict};

use super::{Aim, Basis, ByRole, Facts, Planned, Rights, Source};
use crate::{access, failures};

/// What becomes of the subscription.
pub(super) fn decide(aim: Aim, facts: Facts) -> Planned {
    match aim {
        Aim::Onboard => onboard(facts),
        Aim::Change { level, keep_reader } => change(level, keep_reader, facts),
    }
}

fn onboard(facts: Facts) -> Planned {
    if facts.is_seen == Some(false) {
        let failure = failures::not_visible();
        return Planned { failure: Some(failure), ..ended(facts, Outcome::NotPermitted, Calls::default()) };
    }
    if facts.is_read {
        let scan = Some(source(|role| facts.has(role)));
        return Planned { scan, ..ended(facts, Outcome::AlreadyGranted, Calls::default()) };
    }
    let wanted = access::wanted(None, |role| facts.has(role));
    let adds = missing(&facts, wanted);
    if let Some(refused) = refused(&facts, &adds, false) {
        return refused.planned(facts);
    }
    let has = |origin| match origin {
        Origin::Ours => !adds.is_empty(),
        // Whoever assigned it, this operation did not.
        Origin::Adopted => wanted.iter().any(|role| facts.direct.contains(role)),
        Origin::Inherited => true,
    };
    let outcome = access::outcome_of_held(has);
    let scan = Some(source(|role| facts.has(role) || adds.contains(&role)));
    let by_role = by_role(&facts, &adds);
    let calls = Calls { user_reads: looks(&adds, false), user_writes: count(&adds), ..Calls::default() };
    Planned { adds, by_role, scan, ..ended(facts, outcome, calls) }
}

fn change(level: AccessLevel, keep_reader: bool, facts: Facts) -> Planned {
    let needed = access::roles_of(level, keep_reader);
    let adds = missing(&facts, needed);
    let is_swap = facts.direct.iter().any(|role| !needed.contains(role));
    if let Some(refused) = refused(&facts, &adds, is_swap || !adds.is_empty()) {
        return refused.planned(facts);
    }
    let removes: Vec<_> = facts.ours.iter().copied().filter(|role| !needed.contains(role)).collect();
    let is_news = facts.access_level != level || !removes.is_empty() || !adds.is_empty();
    let outcome = if is_news { Outcome::Changed } else { Outcome::Unchanged };
    let calls = Calls {
        user_reads: looks(&adds, is_swap),
        user_writes: count(&adds),
        user_deletes: count(&removes),
        // It is looked at least once whether the roles work.
        app_reads: 1,
        token_requests: 1,
        ..Calls::default()
    };
    let stays = |role: Role| (facts.has(role) || adds.contains(&role)) && !removes.contains(&role);
    let scan = is_news.then(|| source(stays));
    let by_role = by_role(&facts, &adds);
    Planned { adds, removes, by_role, scan, ..ended(facts, outcome, calls) }
}

fn missing(facts: &Facts, wanted: &[Role]) -> Vec<Role> {
    wanted.iter().copied().filter(|role| !facts.has(*role)).collect()
}

/// Held roles are listed, and where something is to change the rights too.
fn looks(adds: &[Role], is_swap: bool) -> u64 {
    if adds.is_empty() && !is_swap { 1 } else { 2 }
}

fn count(roles: &[Role]) -> u64 {
    roles.len() as u64
}

/// Resource Graph shows nothing to Tag Contributor alone.
fn source(has: impl Fn(Role) -> bool) -> Source {
    if has(Role::Reader) { Source::ResourceGraph } else { Source::ResourceManager }
}

/// What stands in the way.
struct Refused {
    outcome: Outcome,
    failure: Failure,
    calls: Calls,
}

impl Refused {
    fn planned(self, facts: Facts) -> Planned {
        Planned { failure: Some(self.failure), ..ended(facts, self.outcome, self.calls) }
    }
}

fn refused(facts: &Facts, adds: &[Role], changes: bool) -> Option<Refused> {
    let reads = |user_reads| Calls { user_reads, ..Calls::default() };
    if let Some((outcome, failure)) = &facts.refusal {
        return Some(Refused { outcome: *outcome, failure: failure.clone(), calls: reads(2) });
    }
    if adds.is_empty() && !changes {
        return None;
    }
    if access::is_frozen(facts.azure_state) {
        let (outcome, failure) = (Outcome::SubscriptionDisabled, failures::subscription_disabled());
        return Some(Refused { outcome, failure, calls: reads(1) });
    }
    let rights = facts.rights.as_ref()?;
    if !rights.may_assign || (changes && !rights.may_remove) {
        let (outcome, failure) = (Outcome::NotPermitted, failures::not_permitted());
        return Some(Refused { outcome, failure, calls: reads(2) });
    }
    let (outcome, failure) = stopped(rights, adds)?;
    if adds.len() > 1 {
        // Of several roles one could be added and another not: what there is goes again.
        let calls = Calls { user_reads: 3, user_writes: 1, ..Calls::default() };
        return Some(Refused { outcome: Outcome::RolledBack, failure, calls });
    }
    Some(Refused { outcome, failure, calls: Calls { user_reads: 2, user_writes: 1, ..Calls::default() } })
}

/// What Azure will say to the attempt.
fn stopped(rights: &Rights, adds: &[Role]) -> Option<(Outcome, Failure)> {
    if adds.iter().any(|role| verdict(rights, *role) == Verdict::Forbids) {
        return Some((Outcome::ConditionBlocked, failures::condition_blocked()));
    }
    let has_room = rights.room.is_none_or(|room| u64::from(room) >= count(adds));
    (!has_room).then(|| (Outcome::LimitReached, failures::limit_reached()))
}

/// One role that allows it is enough; a role that is not known here may allow it too.
fn verdict(rights: &Rights, role: Role) -> Verdict {
    let verdicts: Vec<_> =
        rights.owner_of.iter().map(|owner| owner.verdict(role, rights.principal_id)).collect();
    match () {
        () if verdicts.is_empty() || verdicts.contains(&Verdict::Allows) => Verdict::Allows,
        () if verdicts.contains(&Verdict::Unclear) => Verdict::Unclear,
        () => Verdict::Forbids,
    }
}

/// The role that lets most.
fn by_role(facts: &Facts, adds: &[Role]) -> Option<ByRole> {
    let rights = facts.rights.as_ref()?;
    let role = adds.first()?;
    let judged = rights
        .owner_of
        .iter()
        .map(|owner| ByRole { verdict: owner.verdict(*role, rights.principal_id), owner: owner.clone() });
    judged.min_by_key(|by_role| match by_role.verdict {
        Verdict::Allows => 0,
        Verdict::Unclear => 1,
        Verdict::Forbids => 2,
    })
}

fn ended(facts: Facts, outcome: Outcome, calls: Calls) -> Planned {
    Planned {
        basis: basis(&facts),
        outcome,
        failure: None,
        adds: Vec::new(),
        removes: Vec::new(),
        by_role: None,
        scan: None,
        calls,
        facts,
    }
}

fn basis(facts: &Facts) -> Basis {
    let is_known = facts.is_read
        || access::is_frozen(facts.azure_state)
        || facts.access_level != subscription::AccessLevel::None;
    match () {
        () if facts.is_asked => Basis::Asked,
        () if is_known => Basis::Known,
        () => Basis::Assumed,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use entity::subscription::AzureState;
    use microsoft::{Owner, OwnerRole};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    pub(in crate::plan) fn facts() -> Facts {
        Facts {
            azure_subscription_id: Uuid::from_u128(7),
            subscription_id: None,
            display_name: "Production".to_owned(),
            azure_state: AzureState::Enabled,
            access_level: AccessLevel::None,
            is_read: false,
            is_seen: Some(true),
            direct: Vec::new(),
            inherited: Vec::new(),
            ours: Vec::new(),
            rights: Some(rights()),
            refusal: None,
            resources: Some(100),
            is_asked: true,
        }
    }

    fn rights() -> Rights {
        Rights {
            may_assign: true,
            may_remove: true,
            owner_of: vec![owner(None)],
            principal_id: Uuid::from_u128(8),
            room: Some(100),
        }
    }

    fn owner(condition: Option<&str>) -> Owner {
        let condition = condition.map(str::to_owned);
        Owner {
            principal_id: Uuid::from_u128(9),
            principal_type: Some("User".to_owned()),
            role: OwnerRole::Owner,
            scope: "/".to_owned(),
            is_inherited: true,
            condition,
        }
    }

    /// As they are at a level.
    fn at(level: AccessLevel, role: Role) -> Facts {
        Facts { access_level: level, is_read: true, direct: vec![role], ours: vec![role], ..facts() }
    }

    const WRITE: Aim = Aim::Change { level: AccessLevel::WriteTags, keep_reader: false };
    const ONLY_BACKUP: &str = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] \
        ForAnyOfAnyValues:GuidEquals{5e467623-bb1f-42f4-a55d-6e525e11384b}";

    #[test]
    fn what_fails_is_told_with_its_reason_and_changes_nothing() {
        let unseen = Facts { is_seen: Some(false), ..facts() };
        let disabled = Facts { azure_state: AzureState::Disabled, ..facts() };
        let may_not = Facts { rights: Some(Rights { may_assign: false, ..rights() }), ..facts() };
        let conditioned = Facts {
            rights: Some(Rights { owner_of: vec![owner(Some(ONLY_BACKUP))], ..rights() }),
            ..facts()
        };
        let full = Facts { rights: Some(Rights { room: Some(0), ..rights() }), ..facts() };
        for (facts, outcome, reads, writes) in [
            (unseen, Outcome::NotPermitted, 0, 0),
            (disabled, Outcome::SubscriptionDisabled, 1, 0),
            (may_not, Outcome::NotPermitted, 2, 0),
            (conditioned, Outcome::ConditionBlocked, 2, 1),
            (full, Outcome::LimitReached, 2, 1),
        ] {
            let planned = decide(Aim::Onboard, facts);

            assert_eq!(planned.outcome, outcome);
            assert!(planned.failure.is_some() && planned.adds.is_empty() && planned.scan.is_none());
            assert_eq!((planned.calls.user_reads, planned.calls.user_writes), (reads, writes), "{outcome:?}");
        }
    }

    #[test]
    fn an_onboarding_takes_what_is_held_and_adds_reader_where_nothing_is() {
        let granted = decide(Aim::Onboard, facts());
        assert_eq!((granted.outcome, granted.adds), (Outcome::Granted, vec![Role::Reader]));
        assert_eq!(granted.by_role.map(|by| by.owner.role), Some(OwnerRole::Owner));
        let held = decide(Aim::Onboard, Facts { direct: vec![Role::TagContributor], ..facts() });
        assert_eq!((held.outcome, held.scan), (Outcome::AlreadyGranted, Some(Source::ResourceManager)));
        let above = decide(Aim::Onboard, Facts { inherited: vec![Role::Reader], ..facts() });
        assert_eq!((above.outcome, above.calls.user_writes), (Outcome::Inherited, 0));
        let read = decide(Aim::Onboard, at(AccessLevel::ReadTags, Role::Reader));
        assert_eq!((read.outcome, read.calls.delegated()), (Outcome::AlreadyGranted, 0));
    }

    #[test]
    fn a_swap_adds_one_role_and_removes_ours_alone() {
        let swap = decide(WRITE, at(AccessLevel::ReadTags, Role::Reader));
        assert_eq!(swap.outcome, Outcome::Changed);
        assert_eq!((swap.adds, swap.removes), (vec![Role::TagContributor], vec![Role::Reader]));
        let others = Facts { ours: Vec::new(), ..at(AccessLevel::ReadTags, Role::Reader) };
        assert!(decide(WRITE, others).removes.is_empty());
        let same = decide(WRITE, at(AccessLevel::WriteTags, Role::TagContributor));
        assert_eq!((same.outcome, same.scan), (Outcome::Unchanged, None));
        let down = Aim::Change { level: AccessLevel::ResourcesOnly, keep_reader: false };
        let less = decide(down, at(AccessLevel::ReadTags, Role::Reader));
        assert_eq!((less.outcome, less.calls.user_writes), (Outcome::Changed, 0));
    }

    #[test]
    fn who_may_assign_and_not_remove_changes_no_level() {
        let rights = Some(Rights { may_remove: false, ..rights() });
        let planned = decide(WRITE, Facts { rights, ..at(AccessLevel::ReadTags, Role::Reader) });
        assert_eq!(planned.outcome, Outcome::NotPermitted);
    }

    #[test]
    fn of_two_roles_that_are_not_both_added_none_stays() {
        let both = Aim::Change { level: AccessLevel::WriteTags, keep_reader: true };
        let planned = decide(both, Facts { rights: Some(Rights { room: Some(1), ..rights() }), ..facts() });
        assert_eq!(planned.outcome, Outcome::RolledBack);
        assert_eq!(planned.failure.map(|failure| failure.code).as_deref(), Some("LIMIT_REACHED"));
    }

    #[test]
    fn what_nobody_asked_for_is_said_to_be_known_or_assumed() {
        let unasked = Facts { is_asked: false, rights: None, is_seen: None, ..facts() };
        assert_eq!(decide(Aim::Onboard, unasked.clone()).basis, Basis::Assumed);
        let read = Facts { is_asked: false, rights: None, ..at(AccessLevel::ReadTags, Role::Reader) };
        assert_eq!(decide(Aim::Onboard, read).basis, Basis::Known);
        let frozen = decide(Aim::Onboard, Facts { azure_state: AzureState::Disabled, ..unasked });
        assert_eq!((frozen.basis, frozen.outcome), (Basis::Known, Outcome::SubscriptionDisabled));
    }

    fn roles() -> impl Strategy<Value = Vec<Role>> {
        prop::sample::subsequence(vec![Role::Reader, Role::TagContributor], 0..=2)
    }

    proptest! {
        /// What a level needs is held in the end, and what is removed was ours and is not needed.
        #[test]
        fn a_change_leaves_what_the_level_needs(
            direct in roles(), inherited in roles(), ours in roles(), keep_reader: bool,
            level in prop::sample::select(vec![
                AccessLevel::ResourcesOnly, AccessLevel::ReadTags, AccessLevel::WriteTags,
            ]),
        ) {
            let ours: Vec<_> = ours.into_iter().filter(|role| direct.contains(role)).collect();
            let given = Facts { direct: direct.clone(), inherited: inherited.clone(), ours: ours.clone(), ..facts() };
            let planned = decide(Aim::Change { level, keep_reader }, given);
            let needed = access::roles_of(level, keep_reader);
            for role in needed {
                let is_held = direct.contains(role) || inherited.contains(role) || planned.adds.contains(role);
                prop_assert!(is_held && !planned.removes.contains(role));
            }
            prop_assert!(planned.removes.iter().all(|role| ours.contains(role)));
            prop_assert!(planned.adds.iter().all(|role| needed.contains(role) && !direct.contains(role)));
            // Nothing is removed before what replaces it was looked for.
            prop_assert!(planned.removes.is_empty() || planned.calls.app_reads > 0);
        }
    }
}
