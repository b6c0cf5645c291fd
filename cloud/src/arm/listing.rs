//! Lists in pages, each linked to the next.
//!
//! <https://learn.microsoft.com/en-us/rest/api/azure/#async-operations-throttling-and-paging>

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Caller;
use crate::reply::Reply;
use crate::server::Incoming;

/// Where the asked page begins; an error for a link that is not ours.
pub(super) fn begins(incoming: &Incoming) -> Result<u64, Reply> {
    let Some(token) = incoming.parameter("$skiptoken") else { return Ok(0) };
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let begins = decoded.and_then(|text| text.strip_prefix("at:")?.parse().ok());
    begins.ok_or_else(|| Reply::error(400, "InvalidSkipToken", "The skip token is invalid."))
}

/// How many rows a page of this call has at most.
pub(super) fn page_size(caller: &Caller<'_>, incoming: &Incoming) -> usize {
    let asked = incoming.parameter("$top").and_then(|top| top.parse().ok()).unwrap_or(usize::MAX);
    asked.clamp(1, caller.dials.page_size)
}

/// A page, linked to the one that begins at `next`. The spelling of the link's parameter varies, as Azure's.
pub(super) fn page(caller: &Caller<'_>, incoming: &Incoming, rows: &[Value], next: Option<u64>) -> Reply {
    let mut body = json!({ "value": rows });
    if let Some(next) = next {
        let token = URL_SAFE_NO_PAD.encode(format!("at:{next}"));
        let name = ["%24skiptoken", "$skipToken", "$skiptoken"][usize::try_from(next % 3).unwrap_or(0)];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(
            incoming.query.iter().filter(|(known, _)| !known.eq_ignore_ascii_case("$skiptoken")),
        );
        let query = query.finish();
        body["nextLink"] =
            Value::String(format!("{}{}?{query}&{name}={token}", caller.state.base_url(), incoming.path));
    }
    Reply::json(200, &body)
}

/// A page of rows that are all at hand.
pub(super) fn cut(caller: &Caller<'_>, incoming: &Incoming, rows: &[Value]) -> Reply {
    let begin = match begins(incoming) {
        Ok(begin) => usize::try_from(begin).unwrap_or(usize::MAX).min(rows.len()),
        Err(refusal) => return refusal,
    };
    let end = rows.len().min(begin + page_size(caller, incoming));
    page(caller, incoming, &rows[begin..end], (end < rows.len()).then_some(end as u64))
}
