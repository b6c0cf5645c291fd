//! <https://learn.microsoft.com/en-us/graph/query-parameters> and <https://learn.microsoft.com/en-us/graph/paging>:
//! what a list is asked for, and its pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Asked, error};
use crate::reply::Reply;
use crate::server::Incoming;

/// Rows of a page unless told otherwise, and at most.
/// <https://learn.microsoft.com/en-us/graph/api/user-list>
pub(super) const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;

/// What is asked of a list.
pub(super) struct Query {
    pub(super) select: Option<Vec<String>>,
    top: usize,
    pub(super) counts: bool,
    /// Whether `ConsistencyLevel: eventual` came with it: every page needs it again.
    pub(super) is_eventual: bool,
    pub(super) filter: Option<String>,
    /// Where the page begins; none: at the beginning.
    begins: Option<u64>,
}

impl Query {
    /// What the call asks for; the parameters that are not understood are refused, so that drift is caught.
    pub(super) fn of(asked: &Asked<'_>) -> Result<Self, Reply> {
        let incoming = asked.incoming;
        for (name, _) in &incoming.query {
            if matches!(name.to_lowercase().as_str(), "$expand" | "$orderby" | "$search" | "$skip") {
                return Err(error::unsupported(&format!("'{name}' is not supported by the service.")));
            }
        }
        Ok(Self {
            select: selected(incoming),
            top: top(incoming)?.min(asked.dials.graph_page_size),
            counts: incoming.parameter("$count") == Some("true"),
            is_eventual: is_eventual(incoming),
            filter: incoming.parameter("$filter").map(str::to_owned),
            begins: incoming.parameter("$skiptoken").map(position).transpose()?,
        })
    }

    /// How many rows the page has at most, if this kind of row allows no more than `most`.
    pub(super) fn page_size(&self, most: usize) -> usize {
        self.top.min(most)
    }

    pub(super) fn begins(&self) -> u64 {
        self.begins.unwrap_or(0)
    }

    /// Whether the rows are to be counted: only where the header asks for it too, and on the first page alone.
    pub(super) fn wants_count(&self) -> bool {
        self.counts && self.is_eventual && self.begins.is_none()
    }

    /// Refuses what needs both the header and `$count=true`.
    pub(super) fn must_be_advanced(&self) -> Result<(), Reply> {
        if self.counts && self.is_eventual {
            return Ok(());
        }
        Err(error::unsupported("Unsupported Query. It needs ConsistencyLevel: eventual and $count=true."))
    }
}

/// The properties that `$select` names.
pub(super) fn selected(incoming: &Incoming) -> Option<Vec<String>> {
    let names = incoming.parameter("$select")?.split(',').map(|name| name.trim().to_owned());
    Some(names.filter(|name| !name.is_empty()).collect())
}

pub(super) fn is_eventual(incoming: &Incoming) -> bool {
    incoming.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

/// An answer to `/$count`.
/// <https://github.com/microsoftgraph/microsoft-graph-docs/issues/13226>
pub(super) fn only_count(asked: &Asked<'_>, count: u64) -> Result<Reply, Reply> {
    if !is_eventual(asked.incoming) {
        return Err(error::refusal(400, "Request_BadRequest", "$count is not currently supported."));
    }
    if asked.incoming.parameter("$filter").is_some() {
        return Err(error::unsupported("$filter is not understood here."));
    }
    Ok(Reply::raw(200, "text/plain", count.to_string().into_bytes()))
}

fn top(incoming: &Incoming) -> Result<usize, Reply> {
    let Some(top) = incoming.parameter("$top") else { return Ok(DEFAULT_PAGE) };
    let asked = top.parse().ok().filter(|top| (1..=LARGEST_PAGE).contains(top));
    // Graph clamps where it does not refuse, see "signInActivity"; what it does here is not documented.
    asked.ok_or_else(|| {
        error::unsupported(&format!(
            "Invalid page size specified: '{top}'. Must be between 1 and {LARGEST_PAGE} inclusive."
        ))
    })
}

fn position(token: &str) -> Result<u64, Reply> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = decoded.and_then(|text| text.strip_prefix("at:")?.parse().ok());
    position.ok_or_else(|| {
        let message =
            "The specified page token value has expired and can no longer be included in your request.";
        error::refusal(400, "Directory_ExpiredPageToken", message)
    })
}

/// One page of rows.
pub(super) struct Page {
    pub(super) rows: Vec<Value>,
    /// Where the next one begins.
    pub(super) next: Option<u64>,
    /// How many rows all pages have, if that is asked for.
    pub(super) count: Option<u64>,
}

impl Page {
    /// The page that begins at a place: what is at the places from there on, as far as there is something.
    pub(super) fn filled(
        query: &Query,
        size: usize,
        places: u64,
        mut at: impl FnMut(u64) -> Option<Value>,
    ) -> Self {
        let (mut rows, mut place) = (Vec::new(), query.begins());
        while place < places && rows.len() < size {
            rows.extend(at(place));
            place += 1;
        }
        // A link to a page on which nothing is left is legal.
        Self { rows, next: (place < places).then_some(place), count: None }
    }

    pub(super) fn reply(self, asked: &Asked<'_>, context: &str) -> Reply {
        let mut body = json!({ "@odata.context": asked.context(context) });
        if let Some(count) = self.count {
            body["@odata.count"] = json!(count);
        }
        if let Some(next) = self.next {
            let token = URL_SAFE_NO_PAD.encode(format!("at:{next}"));
            body["@odata.nextLink"] = json!(link(asked, &[("$skiptoken", &token)]));
        }
        body["value"] = Value::Array(self.rows);
        Reply::json(200, &body)
    }
}

/// The address of this call with other tokens.
fn link(asked: &Asked<'_>, tokens: &[(&str, &str)]) -> String {
    let kept = asked.incoming.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let kept = kept.filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken"));
    let pairs = kept.chain(tokens.iter().copied()).map(|(name, value)| {
        let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        format!("{name}={value}")
    });
    let pairs: Vec<_> = pairs.collect();
    format!("{}{}?{}", asked.state.base_url(), asked.incoming.path, pairs.join("&"))
}

/// `users(id,displayName)`, as a context names what was selected.
pub(super) fn context(what: &str, select: Option<&[String]>) -> String {
    select.map_or_else(|| what.to_owned(), |select| format!("{what}({})", select.join(",")))
}
