//! <https://learn.microsoft.com/en-us/graph/api/user-delta>

use serde_json::{Map, Value, json};

use super::super::{Asked, error, users as list};
use super::Round;
use crate::office::Office;
use crate::office::account;
use crate::reply::Reply;

pub(in super::super) fn users(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&list::READERS)?;
    let mut round = Round::of(asked, "users")?;
    let mut select = list::checked(round.token.select.as_deref())?;
    if select.contains(&list::SIGN_IN_ACTIVITY) {
        return Err(error::unsupported("signInActivity cannot be tracked."));
    }
    if !select.contains(&"id") {
        select.push("id");
    }
    let office = asked.office();
    let is_done = if round.token.is_first {
        everybody(&mut round, &office, asked, &select)
    } else {
        changed(&mut round, &office, asked, &select)
    };
    Ok(round.reply(asked, &office, is_done))
}

/// Goes on through all users; whether the last one was reached.
fn everybody(round: &mut Round, office: &Office, asked: &Asked<'_>, select: &[&'static str]) -> bool {
    let today = account::day(asked.now);
    while round.token.position < office.user_numbers() && !round.is_full() {
        if let Some(user) = office.user(round.token.position).filter(|user| round.wants(user.id)) {
            round.rows.push(list::row(&user, select, today));
        }
        round.token.position += 1;
    }
    round.token.position >= office.user_numbers()
}

/// Goes on through the changes, in their order.
fn changed(round: &mut Round, office: &Office, asked: &Asked<'_>, select: &[&'static str]) -> bool {
    for (change, number) in office.users_changed_since(round.token.position) {
        if round.is_full() {
            return false;
        }
        round.token.position = change;
        let id = office.user_id(number);
        if round.wants(id) {
            let row = row(round, office, asked, number, select);
            round.rows.extend(row);
        }
    }
    true
}

fn row(
    round: &Round,
    office: &Office,
    asked: &Asked<'_>,
    number: u64,
    select: &[&'static str],
) -> Option<Value> {
    if let Some(reason) = office.user_removal(number) {
        return Some(json!({ "id": office.user_id(number), "@removed": { "reason": reason } }));
    }
    let row = list::row(&office.account(number), select, account::day(asked.now));
    let Some(changed) = office.account_changes(number)?.since(round.token.since) else { return Some(row) };
    if !round.tracks(&changed) {
        return None;
    }
    if !round.is_minimal {
        return Some(row);
    }
    let Value::Object(row) = row else { return None };
    let kept = row.into_iter().filter(|(name, _)| name == "id" || changed.contains(&name.as_str()));
    Some(Value::Object(kept.collect::<Map<_, _>>()))
}
