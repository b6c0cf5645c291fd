//! <https://learn.microsoft.com/en-us/graph/delta-query-groups>: groups, and who came into them or left.
//!
//! Members are tracked unless properties are selected and `members` is not among them. (An older example asks for
//! them with `$expand`, which the overview says is not supported.)

use serde_json::{Value, json};

use super::super::{Asked, groups as list, members};
use super::Round;
use crate::office::Office;
use crate::office::group::Member;
use crate::reply::Reply;

/// The most members of one group on a page; the group is there again on the next one.
const MEMBERS: usize = 1_000;

pub(in super::super) fn groups(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&list::READERS)?;
    let mut round = Round::of(asked, "groups")?;
    let select = round.token.select.clone();
    let is_members = |name: &String| name.eq_ignore_ascii_case("members");
    let tracks_members = select.as_ref().is_none_or(|select| select.iter().any(is_members));
    let own = select.map(|select| select.into_iter().filter(|name| !is_members(name)).collect::<Vec<_>>());
    let mut select = list::checked(own.as_deref())?;
    if !select.contains(&"id") {
        select.push("id");
    }
    let office = asked.office();
    let is_done = if round.token.is_first {
        everything(&mut round, &office, &select, tracks_members)
    } else {
        changed(&mut round, &office, &select, tracks_members)
    };
    Ok(round.reply(asked, &office, is_done))
}

fn everything(round: &mut Round, office: &Office, select: &[&'static str], tracks_members: bool) -> bool {
    while round.token.position < office.group_numbers() && !round.is_full() {
        let number = round.token.position;
        let group = office.group(number).filter(|group| round.wants(group.id));
        let Some(group) = group else {
            round.token.position += 1;
            continue;
        };
        let mut row = list::row(&group, select);
        if tracks_members {
            let (found, next) = members_from(office, number, round.token.place);
            if !found.is_empty() {
                row["members@delta"] = Value::Array(found);
            }
            round.rows.push(row);
            if let Some(next) = next {
                // It fills the page.
                round.token.place = next;
                return false;
            }
        } else {
            round.rows.push(row);
        }
        (round.token.position, round.token.place) = (number + 1, 0);
    }
    round.token.position >= office.group_numbers()
}

/// Members from a place on, and where the rest begins.
fn members_from(office: &Office, group: u64, place: u64) -> (Vec<Value>, Option<u64>) {
    let (mut found, mut place) = (Vec::new(), place);
    let places = office.places(group);
    while place < places && found.len() < MEMBERS {
        found.extend(office.member_at(group, place).map(|member| named(office, member)));
        place += 1;
    }
    (found, (place < places).then_some(place))
}

fn named(office: &Office, member: Member) -> Value {
    json!({ "@odata.type": members::type_of(member), "id": office.member_id(member) })
}

fn changed(round: &mut Round, office: &Office, select: &[&'static str], tracks_members: bool) -> bool {
    for (change, number) in office.groups_changed_since(round.token.position) {
        // One change, of a user who is deleted, may be of several groups.
        if round.is_full() && change != round.token.position {
            return false;
        }
        round.token.position = change;
        if round.wants(office.group_id(number)) {
            let row = row(round, office, number, select, tracks_members);
            round.rows.extend(row);
        }
    }
    true
}

fn row(
    round: &Round,
    office: &Office,
    number: u64,
    select: &[&'static str],
    tracks_members: bool,
) -> Option<Value> {
    if let Some(reason) = office.group_removal(number) {
        return Some(json!({ "id": office.group_id(number), "@removed": { "reason": reason } }));
    }
    let since = round.token.since;
    let changes = office.group_changes(number);
    let mut row = list::row(&office.any_group(number), select);
    if changes.is_some_and(|changes| changes.was_created_since(since)) {
        let everybody: Vec<_> = office.members(number).map(|member| named(office, member)).collect();
        if tracks_members && !everybody.is_empty() {
            row["members@delta"] = Value::Array(everybody);
        }
        return Some(row);
    }
    let came_or_left = if tracks_members { office.members_changed_since(number, since) } else { Vec::new() };
    let is_renamed = changes.is_some_and(|changes| changes.is_itself_new_since(since));
    if came_or_left.is_empty() && !(is_renamed && round.tracks(&["displayName", "mail", "mailNickname"])) {
        return None;
    }
    if round.is_minimal && !is_renamed {
        row = json!({ "id": office.group_id(number) });
    }
    if !came_or_left.is_empty() {
        let rows = came_or_left.into_iter().map(|(member, is_in)| {
            let mut row = named(office, member);
            if !is_in {
                row["@removed"] = json!({ "reason": "deleted" });
            }
            row
        });
        row["members@delta"] = Value::Array(rows.collect());
    }
    Some(row)
}
