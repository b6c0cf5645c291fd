//! Tags as CSV, read page by page: a row for each tag of each resource.

use chrono::{DateTime, Utc};
use csv::{Terminator, Writer, WriterBuilder};
use entity::audit_event::{Action, Author, ObjectKind, Record};
use entity::tags::name_term;
use entity::{Keyring, resource};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::json;
use uuid::Uuid;

use super::cell::neutralise;
use crate::{audit, transaction};

/// Resources that are read at once.
const PAGE: usize = 500;
const HEADER: [&str; 7] = ["armId", "subscriptionId", "resourceGroup", "type", "name", "tagName", "tagValue"];
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What is to be exported.
pub struct Wanted {
    /// The resources.
    pub rows: Select<resource::Entity>,
    /// Azure's id of the only subscription, for the audit.
    pub subscription: Option<Uuid>,
    /// The only tag's name, in whichever case.
    pub tag_name: Option<String>,
    /// Whether a mark of the byte order goes before it, by which Excel knows UTF-8.
    pub has_bom: bool,
}

/// What is still to be written.
pub struct Export {
    database: DatabaseConnection,
    wanted: Wanted,
    folded: Option<String>,
    after: Uuid,
    has_begun: bool,
    is_over: bool,
}

impl Export {
    /// Begins to export, and says so in the audit.
    pub async fn begin(
        database: DatabaseConnection,
        keyring: &Keyring,
        now: DateTime<Utc>,
        author: &Author,
        wanted: Wanted,
    ) -> Result<Self, DbErr> {
        let record = Record::of(Action::TagsExported, ObjectKind::Organization, author.organization_id)
            .after(json!({ "subscriptionId": wanted.subscription, "tagName": wanted.tag_name }));
        let transaction = transaction::begin(&database).await?;
        audit::append(&transaction, keyring, now, author, record).await?;
        transaction.commit().await?;
        let folded = wanted.tag_name.as_deref().map(name_term);
        Ok(Self { database, wanted, folded, after: Uuid::nil(), has_begun: false, is_over: false })
    }

    /// The next piece; none: that was all.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.wanted.rows.clone().filter(resource::Column::Id.gt(self.after));
        let page = page.order_by_asc(resource::Column::Id).limit(PAGE as u64).all(&self.database).await?;
        self.is_over = page.len() < PAGE;
        self.after = page.last().map_or(self.after, |last| last.id);
        self.write(&page).map(Some).map_err(|error| DbErr::Custom(error.to_string()))
    }

    fn write(&mut self, page: &[resource::Model]) -> Result<Vec<u8>, csv::Error> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let piece = if is_first && self.wanted.has_bom { BOM.to_vec() } else { Vec::new() };
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(piece);
        if is_first {
            writer.write_record(HEADER)?;
        }
        for resource in page {
            self.write_resource(resource, &mut writer)?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    fn write_resource(
        &self,
        resource: &resource::Model,
        writer: &mut Writer<Vec<u8>>,
    ) -> Result<(), csv::Error> {
        let subscription = resource.arm_id.split('/').nth(2).unwrap_or_default();
        for (name, value) in &resource.tags.0 {
            if self.folded.as_ref().is_some_and(|only| *only != name_term(name)) {
                continue;
            }
            let cells = [
                &resource.arm_id,
                subscription,
                &resource.resource_group,
                &resource.resource_type,
                &resource.name,
                name,
                value,
            ];
            writer.write_record(cells.map(neutralise).iter().map(|cell| cell.as_bytes()))?;
        }
        Ok(())
    }
}
