//! An organization's audit as lines of JSON, read page by page.

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Author, Column, Entity, Line, ObjectKind, Period, Record};
use entity::{Keyring, Owned};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use super::{PAGE, append};
use crate::transaction;

/// What of an organization's audit is still to be exported, the oldest first.
pub struct Export {
    database: DatabaseConnection,
    organization_id: Uuid,
    period: Period,
    after: i64,
    until: i64,
}

impl Export {
    /// Begins an export, and says so in the audit itself: that is the last event that can be in it.
    pub async fn begin(
        database: DatabaseConnection,
        keyring: &Keyring,
        now: DateTime<Utc>,
        author: &Author,
        period: Period,
    ) -> Result<Self, DbErr> {
        let organization_id = author.organization_id;
        let record = Record::of(Action::AuditExported, ObjectKind::Organization, organization_id)
            .after(json!({ "from": period.from, "to": period.to }));
        let transaction = transaction::begin(&database).await?;
        let event = append(&transaction, keyring, now, author, record).await?;
        transaction.commit().await?;
        Ok(Self { database, organization_id, period, after: 0, until: event.sequence })
    }

    /// The lines of the next page; none: there are no more.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        let events = Entity::owned_by(self.organization_id)
            .filter(Column::Sequence.gt(self.after))
            .filter(Column::Sequence.lte(self.until));
        let events = self.period.of(events).order_by_asc(Column::Sequence).limit(PAGE as u64);
        let events = events.all(&self.database).await?;
        let Some(last) = events.last() else { return Ok(None) };
        self.after = last.sequence;
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, &Line::from(event))
                .map_err(|error| DbErr::Json(error.to_string()))?;
            lines.push(b'\n');
        }
        Ok(Some(lines))
    }
}
