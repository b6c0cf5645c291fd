//! <https://learn.microsoft.com/en-us/graph/delta-query-overview>: everything once, then what has changed since.

mod groups;
mod token;
mod users;

use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use groups::groups;
use token::Token;
pub(super) use users::users;

use super::query::{self, DEFAULT_PAGE};
use super::{Asked, error};
use crate::office::Office;
use crate::reply::Reply;

/// A page of a delta query.
struct Round {
    token: Token,
    rows: Vec<Value>,
    size: usize,
    /// Whether only what changed of an object is answered.
    is_minimal: bool,
}

impl Round {
    /// Begins or goes on, as the tokens of the call say.
    fn of(asked: &Asked<'_>, what: &str) -> Result<Self, Reply> {
        let incoming = asked.incoming;
        for name in ["$top", "$expand", "$orderby", "$search", "$count"] {
            if incoming.parameter(name).is_some() {
                return Err(error::unsupported(&format!("'{name}' is not supported by delta queries.")));
            }
        }
        let select = query::selected(incoming);
        let known = incoming.parameter("$skiptoken").or_else(|| incoming.parameter("$deltatoken"));
        let mut token = match known {
            None | Some("") => {
                let ids = incoming.parameter("$filter").map(ids).transpose()?.unwrap_or_default();
                Token::first(asked, what, select, ids)
            }
            Some("latest") => {
                let mut token = Token::first(asked, what, select, Vec::new());
                token.position = u64::MAX;
                token
            }
            Some(text) => {
                let mut token = Token::read(asked, what, text)?;
                if select.is_some() {
                    if incoming.parameter("$skiptoken").is_some() {
                        return Err(error::unsupported("$select and $skiptoken cannot be combined."));
                    }
                    token.select = select;
                }
                token
            }
        };
        token.issued = asked.now.timestamp();
        let prefers = incoming.header("prefer").unwrap_or_default();
        Ok(Self {
            token,
            rows: Vec::new(),
            size: DEFAULT_PAGE.min(asked.dials.graph_page_size),
            is_minimal: prefers.contains("return=minimal"),
        })
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.size
    }

    fn wants(&self, id: Uuid) -> bool {
        self.token.ids.is_empty() || self.token.ids.contains(&id)
    }

    /// Whether a change of these properties is one that is looked for.
    fn tracks(&self, changed: &[&str]) -> bool {
        let Some(select) = &self.token.select else { return true };
        changed.iter().any(|name| select.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)))
    }

    /// The answer: with a link to go on, or one to come back with.
    fn reply(mut self, asked: &Asked<'_>, office: &Office, is_done: bool) -> Reply {
        let what = self.token.what.clone();
        let context = query::context(&what, self.token.select.as_deref());
        let mut body = json!({ "@odata.context": asked.context(&context) });
        let (name, parameter) =
            if is_done { ("@odata.deltaLink", "$deltatoken") } else { ("@odata.nextLink", "$skiptoken") };
        if is_done {
            self.token.turn(office);
        }
        let base = asked.state.base_url();
        body[name] = json!(format!("{base}/v1.0/{what}/delta?{parameter}={}", self.token.write()));
        body["value"] = Value::Array(self.rows);
        Reply::json(200, &body)
    }
}

/// `id eq '…' or id eq '…'`: the one filter that there is.
fn ids(filter: &str) -> Result<Vec<Uuid>, Reply> {
    let one = |clause: &str| {
        let id = clause.trim().strip_prefix("id eq ")?.trim().trim_matches('\'');
        Uuid::try_parse(id).ok()
    };
    let ids: Option<Vec<_>> = filter.split(" or ").map(one).collect();
    ids.ok_or_else(|| error::unsupported("Only filters by object id are supported by delta queries."))
}
