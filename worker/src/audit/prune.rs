//! Removes audit events whose time is over.

use chrono::{DateTime, Utc};
use entity::audit_event::chain::ChainKey;
use entity::audit_event::{self, Column, Fault, Walk};
use entity::{Keyring, audit_head};
use sea_orm::{ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::read::rows;
use super::{PAGE, lock, store};
use crate::transaction;

/// Removes the events of every organization that happened before `cutoff`, from the beginning of each chain on;
/// answers how many. The chain begins later then, and is as good as before. Events that were tampered with stay,
/// and all after them: retention must not remove what proves that.
pub async fn prune(
    database: &DatabaseConnection,
    keyring: &Keyring,
    cutoff: DateTime<Utc>,
) -> Result<usize, DbErr> {
    let key = ChainKey::of(keyring);
    let organizations = audit_head::Entity::organizations().into_tuple::<Uuid>().all(database).await?;
    let mut removed = 0;
    for organization_id in organizations {
        loop {
            let transaction = transaction::begin(database).await?;
            let batch = Batch { transaction: &transaction, key: &key, organization_id, cutoff };
            let count = match batch.remove().await? {
                Ok(count) => count,
                Err(fault) => {
                    tracing::error!(organization.id = %organization_id, %fault,
                        "an audit was tampered with, so its old events are kept");
                    break;
                }
            };
            transaction.commit().await?;
            removed += count;
            if count < PAGE {
                break;
            }
        }
    }
    Ok(removed)
}

/// What is removed in one transaction.
struct Batch<'a> {
    transaction: &'a DatabaseTransaction,
    key: &'a ChainKey,
    organization_id: Uuid,
    cutoff: DateTime<Utc>,
}

impl Batch<'_> {
    async fn remove(&self) -> Result<Result<usize, Fault>, DbErr> {
        let head = lock(self.transaction, self.key, self.organization_id).await?;
        let oldest = rows(self.transaction, self.organization_id, head.pruned_sequence).await?;
        let (sequence, hash) = match self.walk(&head, &oldest) {
            Ok(walk) => (walk.sequence(), walk.hash().to_vec()),
            Err(fault) => return Ok(Err(fault)),
        };
        let count = usize::try_from(sequence - head.pruned_sequence).unwrap_or_default();
        if count == 0 {
            return Ok(Ok(0));
        }
        // The database removes only what the head says is over, so the head moves first.
        let moved = head.moved(self.key, |head| {
            head.pruned_sequence = sequence;
            head.pruned_hash = hash;
        });
        store(self.transaction, moved).await?;
        audit_event::Entity::delete_many()
            .filter(Column::OrganizationId.eq(self.organization_id))
            .filter(Column::Sequence.lte(sequence))
            .exec(self.transaction)
            .await?;
        Ok(Ok(count))
    }

    /// Goes along the chain as far as the events are over.
    fn walk<'a>(
        &'a self,
        head: &audit_head::Model,
        oldest: &[Option<audit_event::Model>],
    ) -> Result<Walk<'a>, Fault> {
        let mut walk = Walk::begin(self.key, head)?;
        for event in oldest {
            if event.as_ref().is_some_and(|event| event.occurred_at >= self.cutoff) {
                break;
            }
            walk.step(event.as_ref())?;
        }
        Ok(walk)
    }
}
