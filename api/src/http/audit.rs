//! `/audit/export`: the audit as lines of JSON, the oldest event first.

use std::io;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_graphql::Pos;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use entity::audit_event::Period;
use migration::wall;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;
use worker::audit::Export;

use super::answer::{Answer, Refusal};
use super::graphql::{origin, presented};
use super::media::Media;
use super::trace::TraceId;
use crate::authentication::{Authenticate, Presented};
use crate::error::ErrorCode;
use crate::permission::Permission;
use crate::services::Services;
use crate::viewer::Origin;

/// Pages that wait for a client that reads slowly, besides the one that is sent.
const BACKLOG: usize = 1;

/// Serves the address. The work is done on the process's own runtime: a database connection must not die with a
/// thread of the server.
#[derive(Clone)]
pub(super) struct Archive {
    services: Services,
    authenticator: Arc<dyn Authenticate>,
    runtime: Handle,
}

/// What is sent.
type Pages = mpsc::Receiver<io::Result<Bytes>>;

impl Archive {
    pub(super) fn new(services: Services, authenticator: Arc<dyn Authenticate>, runtime: Handle) -> Self {
        Self { services, authenticator, runtime }
    }

    pub(super) fn configure(&self, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::new(self.clone())).route("/audit/export", web::to(export));
    }

    /// Begins to send what the client may have.
    async fn begin(self, presented: Presented, origin: Origin, query: String) -> Result<Pages, Refusal> {
        let viewer = self.authenticator.authenticate(&presented).await?.ok_or_else(Refusal::token_missing)?;
        Permission::ReadAudit.check(&viewer).map_err(|missing| {
            let error = missing.error().into_server_error(Pos::default());
            Refusal::of_errors(ErrorCode::Forbidden, vec![error])
        })?;
        if viewer.limited_by.is_some() {
            let message = "The audit tells of everything, and you are limited to some of it. \
                           An ADMIN who is not limited can read it.";
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        let period = period(&query)?;
        let Services { database, keyring, clock, .. } = self.services;
        let author = viewer.author(Some(&origin));
        // Behind the second wall too: what the viewer's organization is not, no connection shows.
        let organization = Some(viewer.organization_id);
        let begun = Export::begin(database, &keyring, clock.now(), &author, period);
        let export = wall::within(organization, begun).await;
        let export = export.map_err(|error| broken(&error))?;
        let (pages, sent) = mpsc::channel(BACKLOG);
        tokio::spawn(wall::within(organization, send(export, pages)).in_current_span());
        Ok(sent)
    }
}

/// Reads page after page as the client takes them. Nobody may take a part for the whole, so if one cannot be read
/// the connection is broken off.
async fn send(mut export: Export, pages: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let page = match export.next().await {
            Ok(Some(lines)) => Ok(Bytes::from(lines)),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "an export of the audit broke off");
                Err(io::Error::other("the audit cannot be read"))
            }
        };
        let is_broken = page.is_err();
        if pages.send(page).await.is_err() || is_broken {
            return;
        }
    }
}

async fn export(archive: web::Data<Archive>, request: HttpRequest) -> HttpResponse {
    let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
    if *request.method() != Method::GET {
        let refusal = Refusal::method("GET", "The audit is exported by GET.");
        return Answer::Refused(refusal).respond(Media::Json, &trace);
    }
    let presented = match presented(&request) {
        Ok(presented) => presented,
        Err(refusal) => return Answer::Refused(refusal).respond(Media::Json, &trace),
    };
    let export =
        Archive::clone(&archive).begin(presented, origin(&request), request.query_string().to_owned());
    let begun = archive.runtime.spawn(export.in_current_span()).await;
    match begun.unwrap_or_else(|error| Err(broken(&error))) {
        Ok(pages) => HttpResponse::Ok()
            .content_type("application/x-ndjson")
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
            .streaming(ReceiverStream::new(pages)),
        Err(refusal) => Answer::Refused(refusal).respond(Media::Json, &trace),
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error, "the audit was not exported");
    Refusal::internal()
}

#[derive(Deserialize)]
struct Query {
    from: Option<String>,
    to: Option<String>,
}

/// The stretch of time that the query asks for.
fn period(query: &str) -> Result<Period, Refusal> {
    let refuse = |message: &str| Refusal::new(ErrorCode::BadRequest, message);
    let query = web::Query::<Query>::from_query(query)
        .map_err(|_| refuse("The query may hold from and to, once each."))?
        .into_inner();
    let moment = |text: Option<String>| -> Result<Option<DateTime<Utc>>, Refusal> {
        let parsed = text.map(|text| text.parse()).transpose();
        parsed.map_err(|_| refuse("from and to are moments such as 2026-11-24T09:30:00Z."))
    };
    let period = Period { from: moment(query.from)?, to: moment(query.to)? };
    if !period.is_sound() {
        return Err(refuse("from and to have to lie in the years 1970 to 9999."));
    }
    Ok(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_or_refused() {
        let read = period("from=2026-11-24T09:30:00Z").unwrap();
        assert_eq!(read, Period { from: "2026-11-24T09:30:00Z".parse().ok(), to: None });
        assert_eq!(period("").unwrap(), Period::default());
        for bad in [
            "from=yesterday",
            "to=",
            "from=a&from=b",
            "to=%2B99999-01-01T00:00:00Z",
            "from=0001-01-01T00:00:00Z",
        ] {
            assert_eq!(period(bad).unwrap_err().code, ErrorCode::BadRequest, "{bad}");
        }
    }
}
