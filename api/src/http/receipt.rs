//! `/consents/{id}/receipt`: the receipt of a consent as a file, and the key by which anybody can check it.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::ID;
use entity::consent;
use entity::receipt::{ReceiptKey, as_of};
use migration::wall;
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use serde::Deserialize;
use uuid::Uuid;
use worker::receipt::{Export, Format};

use super::answer::Refusal;
use super::archive::{Archive, Asked, Download, Pages, broken, send};
use crate::error::ErrorCode;
use crate::graphql::consent_id;
use crate::permission::Permission;
use crate::services::Services;
use crate::viewer::Viewer;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/consents/{id}/receipt", web::to(export))
        .route("/.well-known/tenantry-receipt-keys", web::get().to(keys));
}

async fn export(archive: web::Data<Archive>, id: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let id = consent_id(&ID(id.into_inner()));
    archive.answer(&request, move |archive, asked| begin(archive, asked, id)).await
}

/// Begins to send what the client may have.
async fn begin(archive: Archive, asked: Asked, id: Option<Uuid>) -> Result<Download, Refusal> {
    let viewer = archive.admit(&asked, Permission::ReadConsents).await?;
    let format = format(&asked.query)?;
    let begun = export_of(&archive.services, viewer, &asked, id, format);
    let begun = wall::within(Some(viewer.organization_id), begun).await;
    let Some((consent, export)) = begun.map_err(|error| broken(&error))? else {
        let message =
            "There is no such receipt: the consent was never granted, or is not among those that you reach.";
        return Err(Refusal::new(ErrorCode::NotFound, message));
    };
    let (_, is_final) = as_of(&consent, archive.services.clock.now());
    let (note, ending) = (if is_final { "" } else { "-not-final" }, format.as_str());
    Ok(Download {
        content_type: content_type(format),
        file_name: format!("receipt-{}{note}.{ending}", consent.id),
        pages: send(viewer.organization_id, export),
    })
}

async fn export_of(
    services: &Services,
    viewer: Viewer,
    asked: &Asked,
    id: Option<Uuid>,
    format: Format,
) -> Result<Option<(consent::Model, Export)>, DbErr> {
    let Some(id) = id else { return Ok(None) };
    let found = consent::Entity::with_receipt(viewer.organization_id, viewer.limited_by)
        .filter(consent::Column::Id.eq(id))
        .one(&services.database)
        .await?;
    let Some(consent) = found else { return Ok(None) };
    let (now, author) = (services.clock.now(), viewer.author(Some(&asked.origin)));
    let written = (format, services.public_url.to_string());
    let (database, keyring) = (services.database.clone(), &services.keyring);
    let export = Export::begin(database, keyring, now, &author, consent.clone(), written).await?;
    Ok(Some((consent, export)))
}

impl Pages for Export {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        Self::next(self).await
    }
}

const fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::Jws => "application/jose",
    }
}

#[derive(Deserialize)]
struct Query {
    format: Option<String>,
}

fn format(query: &str) -> Result<Format, Refusal> {
    let refuse = || Refusal::new(ErrorCode::BadRequest, "The query may hold format: json, csv or jws.");
    let query = web::Query::<Query>::from_query(query).map_err(|_| refuse())?.into_inner();
    match query.format {
        None => Ok(Format::Json),
        Some(name) => Format::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(refuse),
    }
}

/// Public, and the same for everybody: whoever checks a receipt need not have an account here.
async fn keys(archive: web::Data<Archive>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(ReceiptKey::of(&archive.services.keyring).public_set().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_or_refused() {
        assert_eq!(format("").unwrap(), Format::Json);
        assert_eq!(format("format=csv").unwrap(), Format::Csv);
        for bad in ["format=xml", "format=", "format=CSV", "format=csv&format=json"] {
            assert_eq!(format(bad).unwrap_err().code, ErrorCode::BadRequest, "{bad}");
        }
    }
}
