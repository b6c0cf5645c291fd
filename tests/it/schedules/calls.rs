//! What has to be true of calls in a consenting user's name: the cloud's own log is the judge.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::consent;
use entity::delegated_call::{self, Outcome};
use simulator::Call;

use super::facts::Facts;
use super::ground::Stage;

/// Between a look at the clock and what is stored by it, others may look too.
const BESIDE: TimeDelta = TimeDelta::seconds(30);

/// Says what is not as it has to be.
pub fn judge(stage: &Stage, facts: &Facts, faults: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for call in &facts.calls {
        let Some(id) = call.client_request_id else {
            faults.push(format!("a call without an id: {call:?}"));
            continue;
        };
        if !seen.insert(id) {
            faults.push(format!("sent twice under one id: {call:?}"));
        }
        let Some(row) = facts.receipt.get(&id) else {
            faults.push(format!("missing in the receipt: {call:?}"));
            continue;
        };
        faults.extend(differs(call, row));
        faults.extend(outside(stage, call, row, &facts.consents[&row.consent_id]));
    }
    refused(stage, facts, faults);
    // Whoever dies, or sleeps for longer than the call may take, may have written down what was never sent.
    let unsent: Vec<_> = facts.receipt.values().filter(|row| !seen.contains(&row.id)).collect();
    let most = stage.life.died.get() * stage.world.hands + stage.life.leaps.get();
    if unsent.len() > most || unsent.iter().any(|row| row.status.is_some()) {
        faults.push(format!("in the receipt and never sent: {unsent:?}"));
    }
}

/// A token that was refused is not shown again: the first refusal closes the window. What was under way then ends, and
/// a worker that dies right after it may have told nobody.
fn refused(stage: &Stage, facts: &Facts, faults: &mut Vec<String>) {
    let mut since: HashMap<_, DateTime<Utc>> = HashMap::new();
    for row in facts.receipt.values().filter(|row| is_refusal(row)) {
        let ended = row.ended_at.unwrap_or(row.begun_at);
        since.entry(row.consent_id).and_modify(|first| *first = ended.min(*first)).or_insert(ended);
    }
    let later = facts.receipt.values().filter(|row| {
        let since = since.get(&row.consent_id);
        since.is_some_and(|since| row.begun_at > *since + BESIDE)
    });
    let later: Vec<_> = later.collect();
    if later.len() > stage.life.died.get() {
        faults.push(format!("a token that was refused is used again: {later:?}"));
    }
}

/// A subscription that was moved refuses a token of its former tenant, too; the others take it.
fn is_refusal(row: &delegated_call::Model) -> bool {
    row.status == Some(401) && row.microsoft_code.as_deref() != Some("InvalidAuthenticationTokenTenant")
}

fn differs(call: &Call, row: &delegated_call::Model) -> Option<String> {
    let path =
        if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
    let is_same = (&call.method, &path, call.correlation_id)
        == (&row.method, &row.path, Some(row.correlation_id))
        && row.status.is_none_or(|status| status == i32::from(call.status));
    let outcome = match row.status {
        None => matches!(row.outcome, Outcome::Unknown | Outcome::NotAnswered),
        Some(200..300) => row.outcome == Outcome::Succeeded,
        Some(429) => row.outcome == Outcome::Throttled,
        Some(500..) => row.outcome == Outcome::NotAnswered,
        Some(_) => row.outcome == Outcome::Refused,
    };
    (!is_same || !outcome).then(|| format!("the receipt tells it otherwise: {call:?} {row:?}"))
}

/// Whether a call came outside of its window.
fn outside(
    stage: &Stage,
    call: &Call,
    row: &delegated_call::Model,
    consent: &consent::Model,
) -> Option<String> {
    let (Some(opens), Some(closes)) = (consent.granted_at, consent.window_closes_at) else {
        return Some(format!("under no window: {call:?}"));
    };
    let beside = if stage.world.hands > 1 { BESIDE } else { TimeDelta::zero() };
    let is_inside = call.at >= opens && call.at <= closes && call.principal == consent.consenting_user_id;
    let is_before_end = consent.erased_at.is_none_or(|erased| row.begun_at <= erased + beside);
    (!is_inside || !is_before_end)
        .then(|| format!("outside of the window {opens} to {closes}, {:?}: {call:?}", consent.erased_at))
}
