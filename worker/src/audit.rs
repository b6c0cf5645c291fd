//! The audit: how events are added to it, read from it, checked, and removed when their time is over.

mod export;
mod prune;
mod read;
mod verify;

use chrono::{DateTime, Utc};
use entity::audit_event::chain::ChainKey;
use entity::audit_event::{Author, Record};
use entity::{Keyring, Owned, audit_event, audit_head};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QuerySelect};
use uuid::Uuid;

pub use export::Export;
pub use prune::prune;
pub use verify::{Verified, verify};

/// Events that are read or removed at once.
pub const PAGE: usize = 500;

/// Adds an event to the audit of the author's organization: `author` did what `record` says.
///
/// Has to be the last thing that the transaction of the change does. Until it is committed nobody else adds to
/// that audit, so the chain never forks; and since the head is always locked last, nobody waits in a circle.
pub async fn append(
    transaction: &DatabaseTransaction,
    keyring: &Keyring,
    now: DateTime<Utc>,
    author: &Author,
    record: Record,
) -> Result<audit_event::Model, DbErr> {
    let key = ChainKey::of(keyring);
    let head = lock(transaction, &key, author.organization_id).await?;
    let event = audit_event::Model::after(&key, &head, now, author, record);
    let moved = head.moved(&key, |head| {
        head.sequence = event.sequence;
        head.hash.clone_from(&event.hash);
    });
    let row = event.clone().into_active_model().reset_all();
    audit_event::Entity::insert(row).exec_without_returning(transaction).await?;
    store(transaction, moved).await?;
    Ok(event)
}

/// The head of an organization's audit, which nobody else can move until the transaction ends.
async fn lock(
    transaction: &DatabaseTransaction,
    key: &ChainKey,
    organization_id: Uuid,
) -> Result<audit_head::Model, DbErr> {
    let head = || audit_head::Entity::owned_by(organization_id).lock_exclusive().one(transaction);
    let mut found = head().await?;
    if found.is_none() {
        let first = audit_head::Model::new(key, organization_id).into_active_model().reset_all();
        let known = OnConflict::column(audit_head::Column::OrganizationId).do_nothing().to_owned();
        // Whoever is first at the same time is waited for here.
        audit_head::Entity::insert_many([first])
            .on_conflict(known)
            .exec_without_returning(transaction)
            .await?;
        found = head().await?;
    }
    let found = found.ok_or_else(|| DbErr::RecordNotFound("the head just stored".to_owned()))?;
    if !key.is_sealed(&found) {
        tracing::error!(
            organization.id = %organization_id,
            "the head of an audit was altered, or another encryption key is configured: \
             run `tenantry audit verify`"
        );
    }
    Ok(found)
}

async fn store(transaction: &DatabaseTransaction, head: audit_head::Model) -> Result<(), DbErr> {
    head.into_active_model().reset_all().update(transaction).await?;
    Ok(())
}
