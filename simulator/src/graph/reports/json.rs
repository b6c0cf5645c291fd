//! The one report that comes as JSON too, in v1.0.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getm365appuserdetail>

use serde_json::{Map, Value, json};

use super::super::query::{Page, Query};
use super::super::{Asked, error};
use super::view::View;
use super::{Report, Row, apps};
use crate::reply::Reply;

/// Rows of a page.
const PAGE: usize = 200;
/// Columns that are not in the block of details; the rest is.
const ABOUT_THE_USER: usize = 4;

pub(super) fn answer(asked: &Asked<'_>, report: &Report, view: &View<'_>) -> Result<Reply, Reply> {
    if report.name != apps::REPORT.name {
        return Err(error::refusal(400, "BadRequest", "The format is not supported for this report."));
    }
    let query = Query::of(asked)?;
    let mut rows = Vec::new();
    (report.rows)(view, &mut |row| rows.push(row));
    let header: Vec<_> = report.header.split(',').collect();
    let page = Page::filled(&query, PAGE, rows.len() as u64, |place| {
        Some(named(&header, rows.get(usize::try_from(place).ok()?)?))
    });
    Ok(page.reply(asked, "Collection(microsoft.graph.m365AppUserDetail)"))
}

fn named(header: &[&str], row: &Row) -> Value {
    let pairs = header.iter().zip(row).map(|(name, value)| (camel(name), typed(value)));
    let (mut own, mut details) = (Map::new(), Map::new());
    for (index, (name, value)) in pairs.enumerate() {
        let map = if index < ABOUT_THE_USER { &mut own } else { &mut details };
        map.insert(name, value);
    }
    own.insert("details".to_owned(), json!([details]));
    Value::Object(own)
}

fn typed(value: &str) -> Value {
    match value {
        "Yes" => json!(true),
        "No" => json!(false),
        "" => Value::Null,
        _ => value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number)),
    }
}

/// `Outlook (Windows)` is `outlookWindows`.
fn camel(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let (first, rest) = name.split_at(1);
    // As in `powerPoint`, and in `oneNote`.
    first.to_lowercase() + rest
}
