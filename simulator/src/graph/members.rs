//! <https://learn.microsoft.com/en-us/graph/api/group-list-members> and
//! <https://learn.microsoft.com/en-us/graph/api/group-list-transitivemembers>: who is in a group.

use serde_json::{Value, json};

use super::query::{self, Page, Query};
use super::{Asked, error, groups, users};
use crate::office::Office;
use crate::office::account;
use crate::office::group::Member;
use crate::reply::Reply;

pub(super) fn answer(
    asked: &Asked<'_>,
    group: &str,
    is_transitive: bool,
    rest: &[&str],
) -> Result<Reply, Reply> {
    asked.must(&groups::READERS)?;
    let query = Query::of(asked)?;
    if query.filter.is_some() {
        return Err(error::unsupported("$filter is not supported here."));
    }
    let office = asked.office();
    let number = office.find_group(group).ok_or_else(|| error::not_found(group))?;
    let cast = match rest {
        [] | ["$count"] => None,
        [kind @ ("user" | "group" | "serviceprincipal" | "device")] => {
            query.must_be_advanced()?;
            Some(*kind)
        }
        _ => return Err(error::refusal(400, "BadRequest", "Resource not found for the segment.")),
    };
    let is_wanted = |member: &Member| cast.is_none_or(|kind| kind == kind_of(*member));
    let everybody = if is_transitive { office.transitive_members(number) } else { Vec::new() };
    let places = if is_transitive { everybody.len() as u64 } else { office.places(number) };
    let at = |place: u64| {
        let member = if is_transitive {
            usize::try_from(place).ok().and_then(|place| everybody.get(place)).copied()
        } else {
            office.member_at(number, place)
        };
        member.filter(is_wanted)
    };
    let all = || (0..places).filter(|&place| at(place).is_some()).count() as u64;
    if rest == ["$count"] {
        return query::only_count(asked, all());
    }
    let select = query.select.as_deref();
    let mut page = Page::filled(&query, query.page_size(usize::MAX), places, |place| {
        Some(row(asked, &office, at(place)?, select, cast.is_none()))
    });
    page.count = query.wants_count().then(all);
    Ok(page.reply(asked, &query::context("directoryObjects", select)))
}

/// A type's name, as a path casts to it.
fn kind_of(member: Member) -> &'static str {
    match member {
        Member::User(_) => "user",
        Member::Group(_) => "group",
        Member::ServicePrincipal => "serviceprincipal",
        Member::Device(_) => "device",
    }
}

/// The type of a member, as rows name it.
pub(super) fn type_of(member: Member) -> &'static str {
    match member {
        Member::User(_) => users::TYPE,
        Member::Group(_) => groups::TYPE,
        Member::ServicePrincipal => "#microsoft.graph.servicePrincipal",
        Member::Device(_) => "#microsoft.graph.device",
    }
}

/// A member, of which an app that may not read its type sees type and id alone. (What else of it is there is not
/// documented.)
fn row(
    asked: &Asked<'_>,
    office: &Office,
    member: Member,
    select: Option<&[String]>,
    says_type: bool,
) -> Value {
    let mut row = match member {
        Member::User(number) if asked.may(&users::READERS) => {
            let names = select.map_or_else(|| users::checked(None).unwrap_or_default(), users::known);
            users::row(&office.account(number), &names, account::day(asked.now))
        }
        Member::Group(number) => {
            let names = select.map_or_else(|| groups::checked(None).unwrap_or_default(), groups::known);
            groups::row(&office.any_group(number), &names)
        }
        Member::ServicePrincipal if asked.may(&["Application.Read.All", "Directory.Read.All"]) => {
            json!({ "id": office.member_id(member), "displayName": "Simulated" })
        }
        Member::Device(number) if asked.may(&["Device.Read.All", "Directory.Read.All"]) => {
            json!({ "id": office.member_id(member), "displayName": format!("PC-{number:03}") })
        }
        _ => json!({ "id": office.member_id(member) }),
    };
    if says_type {
        row["@odata.type"] = json!(type_of(member));
    }
    row
}
