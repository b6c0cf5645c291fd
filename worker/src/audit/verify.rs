//! Checks the chain of an organization's audit events.

use entity::audit_event::chain::ChainKey;
use entity::audit_event::{Fault, Walk};
use entity::{Keyring, audit_head};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::PAGE;
use super::read::{head, rows};
use crate::transaction;

/// A chain that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where it begins and ends; none: there is no event yet.
    pub head: Option<audit_head::Model>,
    /// The first thing that is wrong with it.
    pub fault: Option<Fault>,
}

/// Checks every event of an organization's audit, as they are at one moment, with the memory of one page.
pub async fn verify(
    database: &DatabaseConnection,
    keyring: &Keyring,
    organization_id: Uuid,
) -> Result<Verified, DbErr> {
    let snapshot = transaction::snapshot(database).await?;
    let head = head(&snapshot, organization_id).await?;
    let walked = match &head {
        Some(head) => walk(&snapshot, &ChainKey::of(keyring), head).await?,
        None if rows(&snapshot, organization_id, 0).await?.is_empty() => Ok(()),
        None => Err(Fault::HeadMissing),
    };
    Ok(Verified { head, fault: walked.err() })
}

async fn walk(
    snapshot: &DatabaseTransaction,
    key: &ChainKey,
    head: &audit_head::Model,
) -> Result<Result<(), Fault>, DbErr> {
    let mut walk = match Walk::begin(key, head) {
        Ok(walk) => walk,
        Err(fault) => return Ok(Err(fault)),
    };
    // What should have been removed and is there all the same is none of the chain's.
    loop {
        let page = rows(snapshot, head.organization_id, walk.sequence()).await?;
        if let Err(fault) = page.iter().try_for_each(|event| walk.step(event.as_ref())) {
            return Ok(Err(fault));
        }
        if page.len() < PAGE {
            return Ok(walk.end(head));
        }
    }
}
