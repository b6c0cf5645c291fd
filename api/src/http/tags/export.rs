//! `/tags/export`: the tags of resources as CSV.

use actix_web::{HttpRequest, HttpResponse, web};
use entity::resource;
use migration::wall;
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use serde::Deserialize;
use uuid::Uuid;
use worker::tag_file::{Export, Wanted};

use super::super::answer::Refusal;
use super::super::archive::{Archive, Asked, Download, Pages, broken, send};
use super::{reached, subscriptions};
use crate::error::ErrorCode;
use crate::graphql::has_tag;
use crate::permission::Permission;
use crate::services::Services;
use crate::viewer::Viewer;

pub(super) async fn export(archive: web::Data<Archive>, request: HttpRequest) -> HttpResponse {
    archive.answer(&request, begin).await
}

/// Begins to send what the client may have.
async fn begin(archive: Archive, asked: Asked) -> Result<Download, Refusal> {
    let viewer = archive.admit(&asked, Permission::ReadInventory).await?;
    let query = read(&asked.query)?;
    let begun = export_of(&archive.services, viewer, &asked, query);
    let begun = wall::within(Some(viewer.organization_id), begun).await;
    let Some(export) = begun.map_err(|error| broken(&error))? else {
        let message =
            "There is no such subscription among those that you reach. Give Azure's subscription id.";
        return Err(Refusal::new(ErrorCode::NotFound, message));
    };
    Ok(Download {
        content_type: "text/csv; charset=utf-8; header=present",
        file_name: "tags.csv".to_owned(),
        pages: send(viewer.organization_id, export),
    })
}

async fn export_of(
    services: &Services,
    viewer: Viewer,
    asked: &Asked,
    query: Query,
) -> Result<Option<Export>, DbErr> {
    let Services { database, keyring, clock, .. } = services;
    let mut rows = reached::<resource::Entity>(viewer).filter(resource::Column::DeletedAt.is_null());
    if let Some(azure) = query.subscription_id {
        let Some(id) = subscriptions(database, viewer).await?.remove(&azure) else { return Ok(None) };
        rows = rows.filter(resource::Column::SubscriptionId.eq(id));
    }
    if let Some(name) = &query.tag_name {
        rows = rows.filter(has_tag(database.get_database_backend(), name));
    }
    let wanted = Wanted {
        rows,
        subscription: query.subscription_id,
        tag_name: query.tag_name,
        has_bom: query.bom.unwrap_or_default(),
    };
    let author = viewer.author(Some(&asked.origin));
    Export::begin(database.clone(), keyring, clock.now(), &author, wanted).await.map(Some)
}

impl Pages for Export {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        Self::next(self).await
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    subscription_id: Option<Uuid>,
    tag_name: Option<String>,
    bom: Option<bool>,
}

fn read(query: &str) -> Result<Query, Refusal> {
    let refuse = || {
        let message = "The query may hold subscriptionId (Azure's), tagName (without control characters) and bom \
                       (true or false), once each.";
        Refusal::new(ErrorCode::BadRequest, message)
    };
    let query = web::Query::<Query>::from_query(query).map_err(|_| refuse())?.into_inner();
    let is_sound = |name: &String| !name.is_empty() && !name.contains(char::is_control);
    if query.tag_name.as_ref().is_none_or(is_sound) { Ok(query) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_refused() {
        let query = read("tagName=cost%20center&bom=true").unwrap();
        assert_eq!((query.tag_name.as_deref(), query.bom), (Some("cost center"), Some(true)));
        for bad in ["subscriptionId=1", "tagName=", "tagName=a%00", "bom=1", "bom=true&bom=true", "tag=a"] {
            assert_eq!(read(bad).unwrap_err().code, ErrorCode::BadRequest, "{bad}");
        }
    }
}
