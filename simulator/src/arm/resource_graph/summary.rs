//! <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/paging-results>: how many resources
//! each subscription has.
//!
//! A subscription without resources has no row. Paged like every result that has a column of plain values; each
//! page costs a query of the quota.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Options, bad};
use crate::reply::Reply;

/// Whether this is what is summarized here.
pub(super) fn is_known(summary: &str) -> bool {
    let spaced = summary.replace("()", "() ");
    let words: Vec<_> = spaced.split_whitespace().map(str::to_lowercase).collect();
    words == ["count()", "by", "subscriptionid"]
}

pub(super) fn answer(counted: &[(Uuid, u64)], options: &Options, top: usize, asked: u64) -> Reply {
    let rows: Vec<_> = counted.iter().filter(|(_, count)| *count > 0).collect();
    let begin = match options.skip_token.as_deref() {
        Some(token) => position(token, asked),
        None => Some(usize::try_from(options.skip.unwrap_or(0)).unwrap_or(usize::MAX)),
    };
    let Some(begin) = begin else { return bad("The skip token is invalid, or belongs to another query.") };
    let begin = begin.min(rows.len());
    let end = rows.len().min(begin + top);
    let page = rows[begin..end].iter();
    let data = if options.is_table() {
        json!({
            "columns": [{ "name": "subscriptionId", "type": "string" }, { "name": "count_", "type": "integer" }],
            "rows": page.map(|(id, count)| json!([id, count])).collect::<Vec<_>>(),
        })
    } else {
        page.map(|(id, count)| json!({ "subscriptionId": id, "count_": count })).collect()
    };
    let mut body = json!({
        "totalRecords": rows.len(), "count": end - begin, "resultTruncated": "false", "facets": [], "data": data,
    });
    if end < rows.len() {
        body["$skipToken"] = Value::String(URL_SAFE_NO_PAD.encode(format!("{end}:{asked}")));
    }
    Reply::json(200, &body)
}

fn position(token: &str, asked: u64) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (begin, of) = text.split_once(':')?;
    (of.parse::<u64>().ok()? == asked).then_some(begin.parse().ok()?)
}
