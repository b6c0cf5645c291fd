//! What has to be true of roles: none twice, none of ours left behind, none of others' removed, no step repeated.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use entity::operation_step::{self, Outcome, State};
use entity::subscription::AccessLevel;
use simulator::{BuiltInRole, Call};
use uuid::Uuid;

use super::facts::Facts;
use super::ground::Stage;
use super::schedule::{Act, Event, Wish};

/// Says what is not as it has to be after `act`, before which it was like `before`.
pub fn judge(stage: &Stage, act: &Act, before: &Facts, after: &Facts, faults: &mut Vec<String>) {
    ended(after, faults);
    others(stage, after, faults);
    let news = &after.calls[before.calls.len()..];
    let writes = writes(news);
    let alone = alone(act);
    for at in &stage.subscriptions {
        let written = writes.get(at).map(Vec::as_slice).unwrap_or_default();
        once(stage, after, *at, written, faults);
        known(stage, after, *at, faults);
        if let Some(wish) = alone {
            repeated(stage, wish, before, after, *at, written, faults);
            if wish.level.is_some() && before.operations.len() < after.operations.len() {
                changed(stage, before, after, *at, faults);
                in_order(stage, before, after, *at, written, faults);
            }
        }
    }
}

/// The only wish of an act, if it is the only one.
fn alone(act: &Act) -> Option<&Wish> {
    let others = act.troubles.iter().any(|trouble| matches!(trouble.event, Event::Consent(_)));
    (!others).then_some(&act.wish)
}

/// Everything that was begun has come to its end.
fn ended(after: &Facts, faults: &mut Vec<String>) {
    for operation in &after.operations {
        if !operation.state.is_final() {
            faults.push(format!("never ended: {operation:?}"));
        }
    }
    for step in after.steps.values().flatten() {
        if step.state != State::Done || (step.outcome.is_none() && step.failure.is_none()) {
            faults.push(format!("its operation has ended, and it has not: {step:?}"));
        }
    }
    for consent in after.consents.values() {
        if consent.sealed_token.is_some() {
            faults.push(format!("the token is still there: {consent:?}"));
        }
    }
}

/// What others assigned is where they left it, and nothing of theirs is taken for ours.
fn others(stage: &Stage, after: &Facts, faults: &mut Vec<String>) {
    let others = stage.others.borrow();
    for at in &stage.subscriptions {
        let held = after.holdings.get(at).into_iter().flatten();
        let theirs: BTreeSet<_> =
            held.filter(|held| held.assigned_by.is_none()).map(|held| held.name).collect();
        let expected = others.theirs.get(at).cloned().unwrap_or_default();
        if theirs != expected {
            faults.push(format!("others assigned {expected:?} at {at}, and there is {theirs:?}"));
        }
        let taken_for_ours: Vec<_> = after.ours_by_rows(*at).intersection(&others.ever).copied().collect();
        if !taken_for_ours.is_empty() {
            faults.push(format!("taken for ours at {at}: {taken_for_ours:?}"));
        }
    }
    let deletes = after.calls.iter().filter(|call| call.method == "DELETE");
    let theirs = deletes.filter(|call| name(call).is_some_and(|name| others.ever.contains(&name)));
    faults.extend(theirs.map(|call| format!("removes what others assigned: {call:?}")));
}

/// No role is held twice, and none was assigned that was there.
fn once(stage: &Stage, after: &Facts, at: Uuid, written: &[&Call], faults: &mut Vec<String>) {
    let roles = after.roles(at);
    for role in [BuiltInRole::Reader, BuiltInRole::TagContributor] {
        if roles.iter().filter(|held| **held == role).count() > 1 {
            faults.push(format!("{role:?} is held twice at {at}"));
        }
    }
    let others = stage.others.borrow();
    let is_disturbed =
        others.changed.contains(&at) || others.theirs.contains_key(&at) || others.taken.contains(&at);
    for (index, put) in written.iter().enumerate().filter(|(_, call)| call.method == "PUT") {
        // An answer that was lost is asked for again, within the same call.
        let is_repeat = written[..index].iter().any(|before| before.correlation_id == put.correlation_id);
        if (put.status == 200 || put.status == 409) && !is_repeat && !is_disturbed {
            faults.push(format!("assigned though it was there: {put:?}"));
        }
    }
}

/// What is ours is known to be ours, so that it can be removed.
fn known(stage: &Stage, after: &Facts, at: Uuid, faults: &mut Vec<String>) {
    let by_rows = after.ours_by_rows(at);
    let is_settled = after.last_step(at).is_some_and(is_settled);
    let steps = after.steps.get(&at).into_iter().flatten();
    let planned: BTreeSet<Uuid> = steps
        .filter_map(|step| step.roles_added.as_ref())
        .flat_map(|roles| roles.0.iter().copied())
        .collect();
    for ours in after.ours(at) {
        let is_known = by_rows.contains(&ours.name) || (!is_settled && planned.contains(&ours.role.id()));
        if !is_known {
            faults.push(format!("not known to be ours at {at}: {ours:?}, {:?}", after.last_step(at)));
        }
    }
    let others = stage.others.borrow();
    let is_change = after.last_step(at).is_some_and(|step| step.access_level.is_some());
    if is_settled && is_change && !others.taken.contains(&at) && after.here.contains(&at) {
        let held: BTreeSet<_> = after.ours(at).map(|held| held.name).collect();
        let gone: Vec<_> = by_rows.difference(&held).collect();
        if !gone.is_empty() {
            faults.push(format!("thought to be held at {at}, and gone: {gone:?}"));
        }
    }
}

/// Whether a step went through every assignment: an onboarding leaves alone what is granted, and to the next change
/// what an earlier one began.
fn is_settled(step: &operation_step::Model) -> bool {
    let is_well = step.outcome.is_some_and(|outcome| outcome.is_access() || outcome == Outcome::RolledBack);
    is_well && (step.access_level.is_some() || step.outcome == Some(Outcome::Granted))
}

/// What was done before is not done again.
fn repeated(
    stage: &Stage,
    wish: &Wish,
    before: &Facts,
    after: &Facts,
    at: Uuid,
    written: &[&Call],
    faults: &mut Vec<String>,
) {
    let others = stage.others.borrow();
    let had = before.effective(at);
    let is_done = match wish.level {
        None => reads(&had) && before.levels.get(&at).is_some_and(|level| *level != AccessLevel::None),
        Some(level) => {
            let needed = needed(level, stage.world.keeps_reader);
            before.levels.get(&at) == Some(&level)
                && needed.iter().all(|role| had.contains(role))
                && before.ours(at).all(|ours| needed.contains(&ours.role))
        }
    };
    let is_taken = others.taken.contains(&at) || !after.here.contains(&at);
    if is_done && !is_taken && !written.is_empty() {
        faults.push(format!("done before, and done again at {at}: {written:?}"));
    }
    if wish.level.is_none() && written.iter().any(|call| call.method == "DELETE") {
        faults.push(format!("an onboarding removes something at {at}: {written:?}"));
    }
}

/// How a change that was asked for alone left a subscription.
fn changed(stage: &Stage, before: &Facts, after: &Facts, at: Uuid, faults: &mut Vec<String>) {
    let known = before.steps.get(&at).map_or(0, Vec::len);
    let Some(step) = after.steps.get(&at).and_then(|steps| steps.get(known..)?.last()) else { return };
    let (Some(level), Some(outcome)) = (step.access_level, step.outcome) else { return };
    let others = stage.others.borrow();
    let is_taken = others.taken.contains(&at);
    let names = |facts: &Facts| facts.ours(at).map(|held| held.name).collect::<BTreeSet<_>>();
    let (was, is) = (names(before), names(after));
    let has = after.effective(at);
    let needed = needed(level, stage.world.keeps_reader);
    let left = || format!("{outcome:?} at {at} left {:?}, {was:?} before, {step:?}", after.holdings.get(&at));
    match outcome {
        Outcome::Changed | Outcome::Unchanged => {
            let is_spare = after.ours(at).any(|ours| !needed.contains(&ours.role));
            let is_missing = !is_taken && !needed.iter().all(|role| has.contains(role));
            if is_spare || is_missing {
                faults.push(left());
            }
        }
        Outcome::RolledBack => rolled_back(stage, before, &has, at, (&was, &is), is_taken, step, faults),
        _ => {}
    }
}

/// What is needed no more was removed only when what is needed instead had begun to work.
fn in_order(
    stage: &Stage,
    before: &Facts,
    after: &Facts,
    at: Uuid,
    written: &[&Call],
    faults: &mut Vec<String>,
) {
    let Some(step) = after.last_step(at).filter(|step| step.outcome == Some(Outcome::Changed)) else {
        return;
    };
    let others = stage.others.borrow();
    // What was removed before works on for a while, and looks like what was added.
    let is_blurred = others.taken.contains(&at)
        || others.above.contains_key(&at)
        || before.calls.iter().any(|call| call.method == "DELETE");
    let Some(removed) = written.iter().find(|call| call.method == "DELETE").filter(|_| !is_blurred) else {
        return;
    };
    let needed = needed(step.access_level.unwrap_or(AccessLevel::None), stage.world.keeps_reader);
    let removed_at = removed.at + TimeDelta::seconds(stage.world.skew);
    for held in after.ours(at).filter(|held| needed.contains(&held.role) && held.works_from > removed_at) {
        faults.push(format!("removed at {removed_at} before {held:?} worked: {removed:?}"));
    }
}

/// Everything is as it was before.
#[expect(clippy::too_many_arguments, reason = "each is one side of the comparison")]
fn rolled_back(
    stage: &Stage,
    before: &Facts,
    has: &[BuiltInRole],
    at: Uuid,
    (was, is): (&BTreeSet<Uuid>, &BTreeSet<Uuid>),
    is_taken: bool,
    step: &operation_step::Model,
    faults: &mut Vec<String>,
) {
    if !is.is_subset(was) {
        faults.push(format!("rolled back at {at}, and left behind: {:?}, {step:?}", is.difference(was)));
    }
    let level = before.levels.get(&at).copied().unwrap_or(AccessLevel::None);
    let had = before.effective(at);
    let mut lost = needed(level, stage.world.keeps_reader).iter().filter(|role| had.contains(role));
    if !is_taken && lost.any(|role| !has.contains(role)) {
        faults.push(format!("rolled back at {at}, and lost what was held: {had:?} {has:?}, {step:?}"));
    }
}

fn reads(roles: &[BuiltInRole]) -> bool {
    roles.iter().any(|role| matches!(role, BuiltInRole::Reader | BuiltInRole::TagContributor))
}

/// The roles that a level holds.
pub fn needed(level: AccessLevel, keeps_reader: bool) -> &'static [BuiltInRole] {
    match level {
        AccessLevel::None => &[],
        AccessLevel::ResourcesOnly | AccessLevel::ReadTags => &[BuiltInRole::Reader],
        AccessLevel::WriteTags if keeps_reader => &[BuiltInRole::TagContributor, BuiltInRole::Reader],
        AccessLevel::WriteTags => &[BuiltInRole::TagContributor],
    }
}

/// Calls that change assignments, by subscription.
fn writes(calls: &[Call]) -> BTreeMap<Uuid, Vec<&Call>> {
    let mut sorted: BTreeMap<Uuid, Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.method == "PUT" || call.method == "DELETE") {
        let at = call.path.split('/').nth(2).and_then(|id| Uuid::try_parse(id).ok());
        if let Some(at) = at {
            sorted.entry(at).or_default().push(call);
        }
    }
    sorted
}

/// The name of the assignment that a call is about.
fn name(call: &Call) -> Option<Uuid> {
    Uuid::try_parse(call.path.rsplit('/').next()?).ok()
}
