//! `/audit/export`: the audit as lines of JSON, the oldest event first.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use entity::audit_event::Period;
use migration::wall;
use sea_orm::DbErr;
use serde::Deserialize;
use worker::audit::Export;

use super::answer::Refusal;
use super::archive::{Archive, Asked, Download, Pages, broken, send};
use crate::error::ErrorCode;
use crate::permission::Permission;
use crate::services::Services;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.route("/audit/export", web::to(export));
}

async fn export(archive: web::Data<Archive>, request: HttpRequest) -> HttpResponse {
    archive.answer(&request, begin).await
}

/// Begins to send what the client may have.
async fn begin(archive: Archive, asked: Asked) -> Result<Download, Refusal> {
    let viewer = archive.admit(&asked, Permission::ReadAudit).await?;
    if viewer.limited_by.is_some() {
        let message = "The audit tells of everything, and you are limited to some of it. \
                       An ADMIN who is not limited can read it.";
        return Err(Refusal::new(ErrorCode::Forbidden, message));
    }
    let period = period(&asked.query)?;
    let Services { database, keyring, clock, .. } = archive.services;
    let author = viewer.author(Some(&asked.origin));
    let begun = Export::begin(database, &keyring, clock.now(), &author, period);
    let export = wall::within(Some(viewer.organization_id), begun).await;
    let export = export.map_err(|error| broken(&error))?;
    Ok(Download {
        content_type: "application/x-ndjson",
        file_name: "audit.ndjson".to_owned(),
        pages: send(viewer.organization_id, export),
    })
}

impl Pages for Export {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        Self::next(self).await
    }
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
