//! The head of an organization's audit: where the chain of its events ends, and where it begins since old events
//! were removed.
//!
//! The seal is a keyed hash of the head. Without it, whoever can write the database could cut events off either
//! end of the chain and move the head along, since the hashes of what is left are good.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Select};

use crate::audit_event::chain::{ChainKey, START};

/// One organization's head.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub struct Model {
    /// The organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    /// The number of the newest event; zero before the first.
    pub sequence: i64,
    /// The hash of the newest event.
    pub hash: Vec<u8>,
    /// The number of the newest event that was removed because of its age; zero before the first.
    pub pruned_sequence: i64,
    /// The hash of that.
    pub pruned_hash: Vec<u8>,
    /// The keyed hash of all of the above.
    pub seal: Vec<u8>,
}

impl Model {
    /// The head before the first event.
    pub fn new(key: &ChainKey, organization_id: Uuid) -> Self {
        let mut head = Self {
            organization_id,
            sequence: 0,
            hash: START.to_vec(),
            pruned_sequence: 0,
            pruned_hash: START.to_vec(),
            seal: Vec::new(),
        };
        head.seal = key.seal(&head);
        head
    }

    /// The head that `change` makes of this one. One that was altered is never sealed again: that it was must
    /// not be forgotten.
    #[must_use]
    pub fn moved(&self, key: &ChainKey, change: impl FnOnce(&mut Self)) -> Self {
        let mut moved = self.clone();
        change(&mut moved);
        if key.is_sealed(self) {
            moved.seal = key.seal(&moved);
        }
        moved
    }
}

impl Entity {
    /// The organizations that have an audit: for the work that belongs to no viewer.
    pub fn organizations() -> Select<Self> {
        Self::find().select_only().column(Column::OrganizationId).order_by_asc(Column::OrganizationId)
    }
}

/// A head stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // It is the audit's own, and shown to nobody.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows.filter(Column::OrganizationId.is_null())
    }
}
