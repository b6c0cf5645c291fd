//! `/export/office/{rows}`: users, groups, inactive users, mailboxes, `OneDrives` and sites of a tenant as CSV.

mod cell;
mod file;

use actix_web::{HttpRequest, HttpResponse, web};
use migration::wall;
use serde::Deserialize;

use super::answer::Refusal;
use super::archive::{Archive, Asked, Download, broken, send};
use crate::error::ErrorCode;
use crate::graphql::{HOW_TO_REVEAL, Unavailable, Wanted, begin_export, check_days};
use crate::permission::Permission;
use file::File;

/// Days for which inactive users were not active, if nobody says.
const DAYS: i32 = 30;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.route("/export/office/{rows}", web::to(export));
}

async fn export(archive: web::Data<Archive>, rows: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let rows = rows.into_inner();
    archive.answer(&request, move |archive, asked| begin(archive, asked, rows)).await
}

/// Begins to send what the client may have.
async fn begin(archive: Archive, asked: Asked, rows: String) -> Result<Download, Refusal> {
    let viewer = archive.admit(&asked, Permission::ReadReports).await?;
    let (wanted, query) = read(&rows, &asked.query)?;
    let services = &archive.services;
    let begun = begin_export(services, viewer, &asked.origin, &query.tenant_id, wanted);
    let begun = wall::within(Some(viewer.organization_id), begun).await;
    let sheet = begun.map_err(|error| broken(&error))?.map_err(refuse)?;
    let file = File::new(services.database.clone(), sheet, query.bom.unwrap_or_default());
    Ok(Download {
        content_type: "text/csv; charset=utf-8; header=present",
        file_name: format!("{}.csv", wanted.name()),
        pages: send(viewer.organization_id, file),
    })
}

fn refuse(unavailable: Unavailable) -> Refusal {
    let message = match unavailable {
        Unavailable::NoTenant => {
            "There is no such tenant among those that you reach and that are connected to Office 365."
        }
        Unavailable::NotLoaded => {
            "No report was loaded yet. The tenant's feeds say why, and when it is tried again."
        }
        Unavailable::Concealed => HOW_TO_REVEAL,
    };
    Refusal::new(ErrorCode::NotFound, message)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    tenant_id: String,
    days: Option<i32>,
    bom: Option<bool>,
}

fn read(rows: &str, query: &str) -> Result<(Wanted, Query), Refusal> {
    let refuse = |message: &str| Refusal::new(ErrorCode::BadRequest, message);
    let query = web::Query::<Query>::from_query(query).map_err(|_| {
        refuse("The query holds tenantId, and may hold days and bom (true or false), once each.")
    })?;
    let query = query.into_inner();
    let wanted = match rows {
        "users" => Wanted::Users,
        "groups" => Wanted::Groups,
        "inactive-users" => {
            let days = check_days(query.days.unwrap_or(DAYS));
            Wanted::InactiveUsers(days.map_err(|error| refuse(&error.message))?)
        }
        "mailboxes" => Wanted::Mailboxes,
        "onedrives" => Wanted::Onedrives,
        "sites" => Wanted::Sites,
        _ => {
            let message = "What is exported is users, groups, inactive-users, mailboxes, onedrives or sites.";
            return Err(Refusal::new(ErrorCode::NotFound, message));
        }
    };
    if query.days.is_some() && rows != "inactive-users" {
        return Err(refuse("Only inactive-users takes days."));
    }
    Ok((wanted, query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_refused() {
        let (wanted, query) = read("inactive-users", "tenantId=tenant:1&days=90&bom=true").unwrap();
        assert_eq!((wanted, query.bom), (Wanted::InactiveUsers(90), Some(true)));
        assert_eq!(read("inactive-users", "tenantId=a").unwrap().0, Wanted::InactiveUsers(30));
        for (rows, bad) in [
            ("users", ""),
            ("users", "tenantId=a&days=30"),
            ("users", "tenantId=a&bom=1"),
            ("users", "tenantId=a&tenantId=b"),
            ("users", "tenantId=a&kind=b"),
            ("inactive-users", "tenantId=a&days=181"),
        ] {
            assert_eq!(read(rows, bad).unwrap_err().code, ErrorCode::BadRequest, "{rows} {bad}");
        }
        assert_eq!(read("devices", "tenantId=a").unwrap_err().code, ErrorCode::NotFound);
    }
}
