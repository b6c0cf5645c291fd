//! <https://learn.microsoft.com/en-us/graph/api/group-list>: groups.

use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::query::{self, Page, Query};
use super::{Asked, error};
use crate::office::group::{EVERYBODY, Group, Kind};
use crate::reply::Reply;

/// Who may read groups and who is in them.
pub(super) const READERS: [&str; 3] = ["Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"];

/// The type, as its rows and contexts name it.
pub(super) const TYPE: &str = "#microsoft.graph.group";

const PROPERTIES: [&str; 16] = [
    "id",
    "deletedDateTime",
    "classification",
    "createdDateTime",
    "description",
    "displayName",
    "groupTypes",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "onPremisesSyncEnabled",
    "resourceProvisioningOptions",
    "securityEnabled",
    "visibility",
];

pub(super) fn list(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    let query = Query::of(asked)?;
    let select = checked(query.select.as_deref())?;
    let filter = Filter::of(&query, &PROPERTIES)?;
    let office = asked.office();
    let fits = |group: &Group| filter.as_ref().is_none_or(|filter| filter.holds(&row(group, &PROPERTIES)));
    let numbers = office.group_numbers();
    let mut page = Page::filled(&query, query.page_size(usize::MAX), numbers, |number| {
        Some(row(&office.group(number).filter(&fits)?, &select))
    });
    page.count = query.wants_count().then(|| {
        let all = (0..numbers).filter_map(|number| office.group(number));
        all.filter(&fits).count() as u64
    });
    Ok(page.reply(asked, &query::context("groups", query.select.as_deref())))
}

pub(super) fn count(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    query::only_count(asked, asked.office().count_groups())
}

/// <https://learn.microsoft.com/en-us/graph/api/group-get>
pub(super) fn get(asked: &Asked<'_>, id: &str) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    let names = query::selected(asked.incoming);
    let select = checked(names.as_deref())?;
    let office = asked.office();
    let group = office.find_group(id).and_then(|number| office.group(number));
    let mut row = row(&group.ok_or_else(|| error::not_found(id))?, &select);
    row["@odata.context"] = asked.context(&format!("{}/$entity", query::context("groups", names.as_deref())));
    Ok(Reply::json(200, &row))
}

/// The properties that are to be answered, in their own case.
pub(super) fn checked(select: Option<&[String]>) -> Result<Vec<&'static str>, Reply> {
    let Some(select) = select else { return Ok(PROPERTIES.to_vec()) };
    let found = select.iter().map(|name| {
        let message = format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.group'."
        );
        property(name).ok_or_else(|| error::refusal(400, "BadRequest", &message))
    });
    found.collect()
}

fn property(name: &str) -> Option<&'static str> {
    PROPERTIES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// The properties of a group that can be selected and are known here; others of its type are left out.
pub(super) fn known(select: &[String]) -> Vec<&'static str> {
    select.iter().filter_map(|name| property(name)).collect()
}

pub(super) fn row(group: &Group, select: &[&'static str]) -> Value {
    let pairs = select.iter().map(|&name| (name.to_owned(), value(group, name)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn value(group: &Group, name: &str) -> Value {
    let is_dynamic = group.kind == Kind::Dynamic;
    let is_unified = group.kind == Kind::Microsoft365;
    match name {
        "id" => json!(group.id),
        "displayName" => json!(group.name),
        "description" => {
            json!((!group.luck.is_multiple_of(3)).then(|| format!("{}, and who is in it", group.name)))
        }
        "createdDateTime" => json!(group.created.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        "groupTypes" => match group.kind {
            Kind::Microsoft365 => json!(["Unified"]),
            Kind::Dynamic => json!(["DynamicMembership"]),
            Kind::Security | Kind::MailSecurity => json!([]),
        },
        "mail" => json!(group.mail()),
        "mailEnabled" => json!(group.has_mail()),
        "mailNickname" => json!(group.alias()),
        "membershipRule" => json!(is_dynamic.then_some("user.department -eq \"Sales\"")),
        "membershipRuleProcessingState" => json!(is_dynamic.then_some("On")),
        "resourceProvisioningOptions" => json!(if has_team(group) { vec!["Team"] } else { Vec::new() }),
        "securityEnabled" => json!(!is_unified),
        "visibility" => {
            json!(is_unified.then_some(if group.number == EVERYBODY { "Public" } else { "Private" }))
        }
        _ => Value::Null,
    }
}

fn has_team(group: &Group) -> bool {
    group.kind == Kind::Microsoft365 && group.luck.is_multiple_of(2)
}
