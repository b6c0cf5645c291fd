//! `/tags/import`: a CSV file of tags, planned as a change set.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::change_set::Purpose;
use futures::StreamExt;
use migration::wall;
use sea_orm::DbErr;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::Instrument;
use worker::change_set::Request;
use worker::tag_file::{FileRefused, Import, LARGEST, Report};

use super::super::answer::{Answer, Refusal};
use super::super::archive::{Archive, Asked, broken};
use super::super::media::Media;
use super::super::trace::TraceId;
use super::subscriptions;
use crate::error::ErrorCode;
use crate::graphql::change_set_id;
use crate::permission::Permission;
use crate::services::Services;
use crate::viewer::{Origin, Viewer};

/// Refused rows that an answer tells of.
const MOST_TOLD: usize = 1000;
/// The longest title.
const LONGEST_TITLE: usize = 200;
/// How long a file may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_mins(5);

pub(super) async fn import(
    archive: web::Data<Archive>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
    let answer = match answer(&archive, &request, payload).await {
        Ok(report) => Answer::Executed(report.to_string()),
        Err(refusal) => Answer::Refused(refusal),
    };
    answer.respond(Media::Json, &trace)
}

/// Whoever may not is told so before anything of the file is read; no transaction waits for the rest of it.
async fn answer(archive: &Archive, request: &HttpRequest, payload: Payload) -> Result<Value, Refusal> {
    if *request.method() != Method::POST {
        return Err(Refusal::method("POST", "A file is sent by POST."));
    }
    let asked = Asked::of(request)?;
    check(request.headers())?;
    let query = read(&asked.query)?;
    let origin = asked.origin.clone();
    let beginning = begin(archive.clone(), asked).in_current_span();
    let begun = archive.runtime.spawn(beginning).await;
    let (viewer, mut import) = begun.unwrap_or_else(|error| Err(broken(&error)))?;
    let receiving = receive(payload, &mut import);
    tokio::time::timeout(ARRIVES_WITHIN, receiving).await.map_err(|_| {
        Refusal::new(ErrorCode::BadRequest, "The file took too long to arrive.").hanging_up()
    })??;
    let services = archive.services.clone();
    let planning = async move {
        let planned = plan(&services, viewer, &origin, import, query);
        let planned = Box::pin(wall::within(Some(viewer.organization_id), planned)).await;
        planned.map_err(|error| broken(&error))
    };
    let planned = archive.runtime.spawn(planning.in_current_span()).await;
    planned.unwrap_or_else(|error| Err(broken(&error)))
}

async fn begin(archive: Archive, asked: Asked) -> Result<(Viewer, Import), Refusal> {
    let viewer = archive.admit(&asked, Permission::WriteTags).await?;
    let known = subscriptions(&archive.services.database, viewer);
    let known = wall::within(Some(viewer.organization_id), known).await;
    Ok((viewer, Import::new(known.map_err(|error| broken(&error))?)))
}

async fn receive(mut payload: Payload, import: &mut Import) -> Result<(), Refusal> {
    while let Some(piece) = payload.next().await {
        let piece = piece
            .map_err(|_| Refusal::new(ErrorCode::BadRequest, "The body ended before it was complete."))?;
        import.read(&piece).map_err(|refused| refusal(&refused).hanging_up())?;
    }
    import.end().map_err(|refused| refusal(&refused))
}

fn refusal(refused: &FileRefused) -> Refusal {
    let code = match refused {
        FileRefused::TooManyRows | FileRefused::TooLarge => ErrorCode::TooLarge,
        _ => ErrorCode::BadRequest,
    };
    Refusal::new(code, refused.to_string())
}

/// Keeps what is planned, if it is anything and the query does not ask for a dry run.
async fn plan(
    services: &Services,
    viewer: Viewer,
    origin: &Origin,
    import: Import,
    query: Query,
) -> Result<Value, DbErr> {
    let request = Request {
        organization_id: viewer.organization_id,
        member_id: viewer.member_id,
        title: query.title.unwrap_or_else(|| "Tags from a CSV file".to_owned()),
        purpose: Purpose::Change,
        reverts_id: None,
        elevates: false,
    };
    let now = services.clock.now();
    let transaction = worker::transaction::begin(&services.database).await?;
    let report = import.plan(&transaction, request, viewer.limited_by, now).await?;
    let change_set = &report.change_set;
    if query.dry_run.unwrap_or_default() || change_set.writes == 0 {
        transaction.rollback().await?;
        return Ok(told(&report, false));
    }
    let after = json!({
        "title": change_set.title, "writes": change_set.writes, "problems": change_set.problems,
    });
    let record = Record::of(Action::ChangeSetPlanned, ObjectKind::ChangeSet, change_set.id).after(after);
    let author = viewer.author(Some(origin));
    worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    transaction.commit().await?;
    Ok(told(&report, true))
}

fn told(report: &Report, is_kept: bool) -> Value {
    let refused = report.refused.iter().take(MOST_TOLD);
    let refused: Vec<Value> = refused
        .map(|(line, refused)| json!({ "line": line, "code": refused.code(), "message": refused.message() }))
        .collect();
    json!({
        "changeSet": is_kept.then(|| change_set_id(report.change_set.id)),
        "rows": report.rows,
        "writes": report.change_set.writes,
        "unchanged": report.unchanged,
        "problems": report.change_set.problems,
        "refused": refused,
        "refusedCount": report.refused.len(),
    })
}

fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |value: Option<&actix_web::http::header::HeaderValue>| {
        value.map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase())
    };
    let is_plain = text(headers.get(CONTENT_ENCODING)).is_none_or(|encoding| encoding.trim() == "identity");
    let media = text(headers.get(CONTENT_TYPE)).unwrap_or_default();
    let mut parts = media.split(';').map(str::trim);
    let is_csv = parts.next() == Some("text/csv");
    let is_utf8 = parts
        .filter_map(|part| part.split_once('='))
        .all(|(name, value)| name.trim() != "charset" || value.trim().trim_matches('"') == "utf-8");
    if !is_plain || !is_csv || !is_utf8 {
        let message = "The body has to be text/csv, in UTF-8 and not compressed.";
        return Err(Refusal::new(ErrorCode::UnsupportedMediaType, message));
    }
    let length = headers.get(actix_web::http::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > LARGEST) {
        return Err(refusal(&FileRefused::TooLarge).hanging_up());
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    dry_run: Option<bool>,
    title: Option<String>,
}

fn read(query: &str) -> Result<Query, Refusal> {
    let refuse = || {
        let message = format!(
            "The query may hold dryRun (true or false) and title (1 to {LONGEST_TITLE} characters), once each."
        );
        Refusal::new(ErrorCode::BadRequest, message)
    };
    let query = web::Query::<Query>::from_query(query).map_err(|_| refuse())?.into_inner();
    let is_sound = |title: &String| {
        !title.trim().is_empty() && !title.contains('\0') && title.chars().count() <= LONGEST_TITLE
    };
    if query.title.as_ref().is_none_or(is_sound) { Ok(query) } else { Err(refuse()) }
}
