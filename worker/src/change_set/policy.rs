//! What an organization has decided about tag names.

use std::collections::{HashMap, HashSet};

use entity::subscription::AccessLevel;
use entity::tag_name::{self, Sync};
use entity::tags::merge::ConflictPolicy;
use entity::tags::name_term;
use entity::{Owned, organization};
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

/// What an organization has decided about tag names.
pub struct Names {
    policy: ConflictPolicy,
    named: HashMap<String, (Sync, Option<ConflictPolicy>)>,
}

impl Names {
    /// Reads it.
    pub async fn load(database: &impl ConnectionTrait, organization_id: Uuid) -> Result<Self, DbErr> {
        let organization = organization::Entity::by_ids(&[organization_id]).one(database).await?;
        let rows = tag_name::Entity::owned_by(organization_id).all(database).await?;
        Ok(Self {
            policy: organization.map(|organization| organization.conflict_policy).unwrap_or_default(),
            named: rows.into_iter().map(|row| (row.folded, (row.sync, row.conflict_policy))).collect(),
        })
    }

    /// Whether tags of this name live here only, in a subscription of this level.
    pub fn is_local(&self, level: AccessLevel, name: &str) -> bool {
        level == AccessLevel::ResourcesOnly || self.is_off(name)
    }

    /// Whether tags of this name are not kept in sync with Azure, whatever the level.
    pub fn is_off(&self, name: &str) -> bool {
        self.named.get(&name_term(name)).is_some_and(|(sync, _)| *sync == Sync::Off)
    }

    /// Whether any name is not kept in sync.
    pub fn any_off(&self) -> bool {
        self.named.values().any(|(sync, _)| *sync == Sync::Off)
    }

    /// Names that are not kept in sync, folded.
    pub fn off(&self) -> HashSet<String> {
        let off = self.named.iter().filter(|(_, (sync, _))| *sync == Sync::Off);
        off.map(|(name, _)| name.clone()).collect()
    }

    /// What happens where Azure and a member both changed a tag of this name.
    pub fn policy(&self, name: &str) -> ConflictPolicy {
        self.named.get(&name_term(name)).and_then(|(_, policy)| *policy).unwrap_or(self.policy)
    }
}
