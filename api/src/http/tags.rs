//! `/tags/export` and `/tags/import`: tags as CSV, out and in.

mod export;
mod import;

use std::collections::HashMap;

use actix_web::web;
use entity::{Owned, subscription};
use sea_orm::{DatabaseConnection, DbErr, QueryOrder, Select};
use uuid::Uuid;

use crate::viewer::Viewer;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.route("/tags/export", web::to(export::export)).route("/tags/import", web::to(import::import));
}

/// What of an entity the viewer reaches.
fn reached<E: Owned>(viewer: Viewer) -> Select<E> {
    let rows = E::owned_by(viewer.organization_id);
    match viewer.limited_by {
        Some(holder) => E::within(rows, holder),
        None => rows,
    }
}

/// Our ids of the subscriptions that the viewer reaches, by Azure's. One that has moved to another tenant is where
/// it was seen last.
async fn subscriptions(database: &DatabaseConnection, viewer: Viewer) -> Result<HashMap<Uuid, Uuid>, DbErr> {
    let rows = reached::<subscription::Entity>(viewer).order_by_asc(subscription::Column::CreatedAt);
    let rows = rows.all(database).await?;
    Ok(rows.into_iter().map(|row| (row.azure_subscription_id, row.id)).collect())
}
