//! <https://learn.microsoft.com/en-us/rest/api/azure-resourcegraph/resourcegraph/resources/resources>: queries.
//!
//! Understands what is sent here: of `resourcecontainers` one query (`containers.rs`), and of `resources`, then `where subscriptionId in~ (…)`, `project`, `order by id asc`,
//! `limit`, `count`, in any order, or `summarize count() by subscriptionId` as the last. Everything else is refused,
//! so that drift is noticed.

mod containers;
mod summary;

use std::collections::{HashMap, HashSet};
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Caller, resources};
use crate::directory::{Directory, Overlay};
use crate::reply::Reply;
use crate::server::Incoming;
use crate::world::{Item, Subscription, mix};

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    subscriptions: Option<Vec<Uuid>>,
    query: String,
    #[serde(default)]
    options: Option<Options>,
}

#[derive(Default, Deserialize)]
struct Options {
    #[serde(rename = "$top")]
    top: Option<usize>,
    #[serde(rename = "$skip")]
    skip: Option<u64>,
    #[serde(rename = "$skipToken")]
    skip_token: Option<String>,
    #[serde(rename = "resultFormat")]
    result_format: Option<String>,
}

impl Options {
    fn is_table(&self) -> bool {
        self.result_format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("table"))
    }
}

/// A query that is understood.
#[derive(Default)]
struct Plan {
    columns: Option<Vec<String>>,
    subscriptions: Option<Vec<Uuid>>,
    limit: Option<u64>,
    count: bool,
    by_subscription: bool,
}

impl Plan {
    /// Whether every row is still there, with every column.
    fn is_plain(&self) -> bool {
        self.columns.is_none() && self.limit.is_none() && !self.count
    }
}

type Overlays = HashMap<Uuid, Overlay>;

/// Columns of the table `resources` that are known here.
const COLUMNS: [&str; 11] = [
    "id",
    "name",
    "type",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "tenantId",
    "sku",
    "managedBy",
    "tags",
];

pub(super) fn query(caller: &Caller<'_>, incoming: &Incoming, cut: bool) -> Reply {
    let Ok(body) = serde_json::from_slice::<Body>(&incoming.body) else {
        return bad("The request body is not a query.");
    };
    if containers::is_asked_for(&body.query) {
        return containers::answer(caller, &body, cut);
    }
    let plan = match parse(&body.query) {
        Ok(plan) => plan,
        Err(message) => return bad(&message),
    };
    let options = body.options.unwrap_or_default();
    let top = options.top.unwrap_or(100);
    if !(1..=1_000).contains(&top) {
        return bad("$top must be between 1 and 1000.");
    }
    let scope: Option<HashSet<Uuid>> = narrowest(plan.subscriptions.as_ref(), body.subscriptions.as_ref());
    // The page is written without the lock: pages are large, and others wait.
    let (readable, overlays) = {
        let directory = caller.directory();
        (readable(caller, &directory, scope.as_ref()), directory.overlays.clone())
    };
    if readable.is_empty() {
        return caller.forbidden("Microsoft.ResourceGraph/resources/read", "/");
    }
    let total: u64 = readable.iter().map(|one| resources::count(overlays.get(&one.id), one)).sum();
    let total = total.min(plan.limit.unwrap_or(u64::MAX));
    if plan.count {
        return Reply::json(
            200,
            &json!({
                "totalRecords": 1, "count": 1, "resultTruncated": "false", "facets": [], "data": [{ "Count": total }],
            }),
        );
    }
    let asked = fingerprint(&body.query, scope.as_ref());
    if plan.by_subscription {
        let counted = readable.iter().map(|one| (one.id, resources::count(overlays.get(&one.id), one)));
        return summary::answer(&counted.collect::<Vec<_>>(), &options, top, asked);
    }
    let at = match options.skip_token.as_deref() {
        Some(token) => position(token, asked),
        None => Some(skipped(&readable, &overlays, options.skip.unwrap_or(0))),
    };
    let Some(at) = at else { return bad("The skip token is invalid, or belongs to another query.") };
    let mut page = Page::new(&plan, caller.state.world.tenant_id, at.page % 2 == 1);
    let next = page.fill(&overlays, &readable, &at, top, total);
    page.finish(total, next.map(|next| (asked, next)), cut, options.is_table())
}

/// What both the query and the request name.
fn narrowest(query: Option<&Vec<Uuid>>, request: Option<&Vec<Uuid>>) -> Option<HashSet<Uuid>> {
    let query: Option<HashSet<_>> = query.map(|ids| ids.iter().copied().collect());
    let request: Option<HashSet<_>> = request.map(|ids| ids.iter().copied().collect());
    match (query, request) {
        (Some(query), Some(request)) => Some(&query & &request),
        (query, request) => query.or(request),
    }
}

/// A token is good for the same query and scopes only.
fn fingerprint(query: &str, scope: Option<&HashSet<Uuid>>) -> u64 {
    let of = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| mix(sum, byte.into()));
    scope.into_iter().flatten().fold(of(query.as_bytes()), |sum, id| sum ^ of(id.as_bytes()))
}

fn bad(message: &str) -> Reply {
    Reply::json(
        400,
        &json!({ "error": {
        "code": "BadRequest", "message": "Please provide below info when asking for support.",
        "details": [{ "code": "InvalidQuery", "message": message }],
    } }),
    )
}

fn parse(query: &str) -> Result<Plan, String> {
    let mut stages = query.split('|').map(str::trim);
    if !stages.next().is_some_and(|table| table.eq_ignore_ascii_case("resources")) {
        return Err("Only the table resources is known.".to_owned());
    }
    let mut plan = Plan::default();
    for stage in stages {
        if plan.by_subscription {
            return Err(format!("Nothing may follow the summary, as '{stage}' does."));
        }
        let (verb, rest) = stage.split_once(char::is_whitespace).unwrap_or((stage, ""));
        let rest = rest.trim();
        match verb.to_lowercase().as_str() {
            "project" => plan.columns = Some(columns(rest)?),
            "order" | "sort" if rest.to_lowercase().replace("  ", " ") == "by id asc" => {}
            "limit" | "take" => plan.limit = Some(rest.parse().map_err(|_| "A limit is a number.")?),
            "count" if rest.is_empty() => plan.count = true,
            "summarize" if summary::is_known(rest) && plan.is_plain() => plan.by_subscription = true,
            "where" => plan.subscriptions = Some(subscriptions(rest)?),
            _ => return Err(format!("The operator in '{stage}' is not supported.")),
        }
    }
    Ok(plan)
}

fn columns(list: &str) -> Result<Vec<String>, String> {
    let known = |name: &str| COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(name));
    let named = list.split(',').map(str::trim);
    named
        .map(|name| known(name).map(|&column| column.to_owned()).ok_or(format!("No column '{name}'.")))
        .collect()
}

fn subscriptions(condition: &str) -> Result<Vec<Uuid>, String> {
    let unsupported = || format!("The condition '{condition}' is not supported.");
    let (column, list) = condition.split_once("in~").ok_or_else(unsupported)?;
    if !column.trim().eq_ignore_ascii_case("subscriptionId") {
        return Err(unsupported());
    }
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    let ids = list.split(',').map(|id| Uuid::try_parse(id.trim().trim_matches(['\'', '"'])));
    ids.collect::<Result<_, _>>().map_err(|_| unsupported())
}

/// What the caller may read everything of; the rest is silently left out.
fn readable<'a>(
    caller: &'a Caller<'_>,
    directory: &Directory,
    scope: Option<&HashSet<Uuid>>,
) -> Vec<&'a Subscription> {
    let allowed = caller.where_may(directory, "Microsoft.Compute/virtualMachines/read");
    let is_in = |ids: Option<&HashSet<Uuid>>, id| ids.is_none_or(|ids| ids.contains(&id));
    let all = caller.state.world.subscriptions.iter();
    all.filter(|one| is_in(scope, one.id) && is_in(allowed.as_ref(), one.id) && directory.is_here(one.id))
        .collect()
}

/// Where a page begins: in which subscription, at which number, and how many rows came before.
#[derive(Default)]
struct At {
    subscription: Uuid,
    number: u64,
    before: u64,
    page: u64,
}

fn position(token: &str, asked: u64) -> Option<At> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.split(':');
    let subscription = Uuid::try_parse(parts.next()?).ok()?;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let at = At { subscription, number: number()?, before: number()?, page: number()? };
    (number()? == asked).then_some(at)
}

/// The place after so many rows.
fn skipped(readable: &[&Subscription], overlays: &Overlays, mut skip: u64) -> At {
    for one in readable {
        let overlay = overlays.get(&one.id);
        for number in 0..resources::numbers(overlay, one) {
            if skip == 0 {
                return At { subscription: one.id, number, ..At::default() };
            }
            skip -= u64::from(resources::item(overlay, one, number).is_some());
        }
    }
    At { subscription: Uuid::max(), ..At::default() }
}

/// A page while it is written: text, since a page has a thousand rows and there are many pages.
struct Page<'a> {
    columns: Vec<&'a str>,
    tenant_id: Uuid,
    other_case: bool,
    rows: Vec<u8>,
    count: usize,
}

impl<'a> Page<'a> {
    fn new(plan: &'a Plan, tenant_id: Uuid, other_case: bool) -> Self {
        let columns = match &plan.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => COLUMNS.to_vec(),
        };
        Self { columns, tenant_id, other_case, rows: Vec::with_capacity(1 << 19), count: 0 }
    }

    fn fill(
        &mut self,
        overlays: &Overlays,
        readable: &[&Subscription],
        at: &At,
        top: usize,
        total: u64,
    ) -> Option<At> {
        for subscription in readable.iter().filter(|one| one.id >= at.subscription) {
            let overlay = overlays.get(&subscription.id);
            let first = if subscription.id == at.subscription { at.number } else { 0 };
            for number in first..resources::numbers(overlay, subscription) {
                if self.count == top || at.before + self.count as u64 == total {
                    let before = at.before + self.count as u64;
                    let next = At { subscription: subscription.id, number, before, page: at.page + 1 };
                    return (before < total).then_some(next);
                }
                if let Some(item) = resources::item(overlay, subscription, number) {
                    self.write(&item, subscription.id);
                }
            }
        }
        None
    }

    fn write(&mut self, item: &Item, subscription: Uuid) {
        let rows = &mut self.rows;
        rows.extend_from_slice(if self.count == 0 { b"{" } else { b",{" });
        for (index, column) in self.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(rows, "{comma}\"{column}\":");
            match *column {
                "id" if self.other_case => text(rows, &item.id_in_other_case()),
                "id" => text(rows, &item.id),
                "name" => text(rows, &item.name),
                "type" => text(rows, &item.type_name.to_lowercase()),
                "kind" => text(rows, item.kind.unwrap_or_default()),
                "location" => text(rows, item.location),
                "resourceGroup" => text(rows, &item.group),
                "subscriptionId" => text(rows, &subscription.to_string()),
                "tenantId" => text(rows, &self.tenant_id.to_string()),
                "managedBy" => text(rows, item.managed_by.as_deref().unwrap_or_default()),
                "sku" => match item.sku {
                    Some(sku) => drop(write!(rows, "{{\"name\":\"{sku}\"}}")),
                    None => rows.extend_from_slice(b"null"),
                },
                _ => drop(serde_json::to_writer(&mut *rows, &item.tags)),
            }
        }
        rows.push(b'}');
        self.count += 1;
    }

    /// A query that does not show ids cannot be continued: its rest is cut, and says so.
    fn finish(self, total: u64, next: Option<(u64, At)>, cut: bool, table: bool) -> Reply {
        let continues = self.columns.contains(&"id") && !cut;
        let truncated = (next.is_some() && !continues) || cut;
        let mut body = Vec::with_capacity(self.rows.len() + 256);
        let _ = write!(
            body,
            "{{\"totalRecords\":{total},\"count\":{},\"resultTruncated\":\"{truncated}\",\"facets\":[],",
            self.count
        );
        if let Some((asked, next)) = next.filter(|_| continues) {
            let at = format!("{}:{}:{}:{}:{asked}", next.subscription, next.number, next.before, next.page);
            let _ = write!(body, "\"$skipToken\":\"{}\",", URL_SAFE_NO_PAD.encode(at));
        }
        body.extend_from_slice(b"\"data\":");
        if table {
            let rows = [b"[", self.rows.as_slice(), b"]"].concat();
            body.extend_from_slice(&as_table(&self.columns, &rows));
        } else {
            body.push(b'[');
            body.extend_from_slice(&self.rows);
            body.push(b']');
        }
        body.push(b'}');
        Reply::raw(200, "application/json; charset=utf-8", body)
    }
}

/// The older form of an answer: columns, then rows of values.
fn as_table(columns: &[&str], rows: &[u8]) -> Vec<u8> {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(rows).unwrap_or_default();
    let rows: Vec<Vec<_>> =
        rows.iter().map(|row| columns.iter().map(|&column| row[column].clone()).collect()).collect();
    let of = |column: &&str| if matches!(*column, "tags" | "sku") { "object" } else { "string" };
    let columns: Vec<_> =
        columns.iter().map(|column| json!({ "name": column, "type": of(column) })).collect();
    json!({ "columns": columns, "rows": rows }).to_string().into_bytes()
}

fn text(rows: &mut Vec<u8>, value: &str) {
    drop(serde_json::to_writer(rows, value));
}
