//! Stores rows while the next ones are looked at.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, DbBackend, DbErr};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::Sight;
use super::upsert::{CHUNK, upsert};
use crate::job::JobError;

/// Statements at the same time. One core of `PostgreSQL` stores fewer rows than one of ours reads; `SQLite` has
/// one writer.
fn lanes(backend: DbBackend) -> usize {
    if backend == DbBackend::Postgres { 2 } else { 1 }
}

/// Stores rows in the background. A resource always takes the same lane, and a lane runs one statement after
/// the other: the order in which a resource was seen is the order in which it is stored.
pub(crate) struct Writer {
    database: DatabaseConnection,
    lanes: Vec<Lane>,
}

#[derive(Default)]
struct Lane {
    /// Rows to store: the newest sight of each, since one statement may not store a row twice.
    waiting: HashMap<Uuid, Sight>,
    /// The rows before those, while they are being stored.
    storing: Option<AbortOnDropHandle<Result<(), DbErr>>>,
}

impl Writer {
    pub(crate) fn new(database: DatabaseConnection) -> Self {
        let lanes = lanes(database.get_database_backend());
        Self { database, lanes: std::iter::repeat_with(Lane::default).take(lanes).collect() }
    }

    /// Takes rows over, and waits where too many are under way.
    pub(crate) async fn take(&mut self, sights: impl Iterator<Item = Sight>) -> Result<(), JobError> {
        let lanes = self.lanes.len();
        for sight in sights {
            let lane = usize::from(sight.row.id.as_bytes()[15]) % lanes;
            self.lanes[lane].waiting.insert(sight.row.id, sight);
        }
        for lane in &mut self.lanes {
            if lane.waiting.len() >= CHUNK / lanes {
                lane.flush(&self.database).await?;
            }
        }
        Ok(())
    }

    /// Waits until everything is stored.
    pub(crate) async fn finish(&mut self) -> Result<(), JobError> {
        for lane in &mut self.lanes {
            lane.flush(&self.database).await?;
        }
        for lane in &mut self.lanes {
            lane.stored().await?;
        }
        Ok(())
    }
}

impl Lane {
    async fn flush(&mut self, database: &DatabaseConnection) -> Result<(), JobError> {
        self.stored().await?;
        if !self.waiting.is_empty() {
            let rows = self.waiting.drain().map(|(_, sight)| sight).collect();
            let database = database.clone();
            let storing = tokio::spawn(async move { upsert(&database, rows).await });
            self.storing = Some(AbortOnDropHandle::new(storing));
        }
        Ok(())
    }

    async fn stored(&mut self) -> Result<(), JobError> {
        if let Some(storing) = self.storing.take() {
            storing.await.map_err(anyhow::Error::new)??;
        }
        Ok(())
    }
}
