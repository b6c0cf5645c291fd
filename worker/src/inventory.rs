//! The stored inventory of one subscription, as a scan compares it with what Azure shows.

mod upsert;
mod writer;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::resource;
use entity::subscription::AccessLevel;
use entity::tags::Tags;
use entity::{Owned, subscription};
use futures::TryStreamExt;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect, Set,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) use writer::Writer;

use upsert::CHUNK;

/// What is known of one stored resource: 16 bytes, so that a million fit.
#[derive(Clone, Copy)]
struct Known {
    hash: i64,
    deleted: bool,
    seen: bool,
}

/// One subscription's inventory during a scan.
pub(crate) struct Inventory {
    organization_id: Uuid,
    subscription_id: Uuid,
    known: HashMap<Uuid, Known>,
    /// Where tags are not pulled from Azure: those that are stored, of resources that have any.
    own_tags: Option<HashMap<Uuid, Tags>>,
    /// Resources seen so far.
    pub(crate) seen: i64,
    /// Of these, stored because they were new or had changed.
    pub(crate) written: i64,
}

impl Inventory {
    /// What is stored of `subscription`.
    pub(crate) async fn load(
        database: &DatabaseConnection,
        subscription: &subscription::Model,
    ) -> Result<Self, DbErr> {
        let mut known = HashMap::new();
        let mut rows = resource::Entity::owned_by(subscription.organization_id)
            .filter(resource::Column::SubscriptionId.eq(subscription.id))
            .select_only()
            .columns([resource::Column::Id, resource::Column::ContentHash, resource::Column::DeletedAt])
            .into_tuple::<(Uuid, i64, Option<DateTime<Utc>>)>()
            .stream(database)
            .await?;
        while let Some((id, hash, deleted_at)) = rows.try_next().await? {
            known.insert(id, Known { hash, deleted: deleted_at.is_some(), seen: false });
        }
        drop(rows);
        let own_tags = match subscription.access_level {
            AccessLevel::ResourcesOnly => Some(tags_of(database, subscription).await?),
            _ => None,
        };
        Ok(Self {
            organization_id: subscription.organization_id,
            subscription_id: subscription.id,
            known,
            own_tags,
            seen: 0,
            written: 0,
        })
    }

    /// Takes note of a resource that Azure shows; answers the row to store if it is new or has changed. A
    /// second sight of it in the same scan counts once.
    pub(crate) fn see(
        &mut self,
        mut found: microsoft::Resource,
        now: DateTime<Utc>,
    ) -> Option<resource::Model> {
        let id = resource::id_of(self.subscription_id, &found.arm_id);
        if let Some(own_tags) = &self.own_tags {
            found.tags = own_tags.get(&id).map(|tags| tags.0.clone()).unwrap_or_default();
        }
        let hash = content_hash(&found);
        let before = self.known.insert(id, Known { hash, deleted: false, seen: true });
        if before.is_none_or(|before| !before.seen) {
            self.seen += 1;
        }
        let changed = before.is_none_or(|before| before.hash != hash || before.deleted);
        changed.then(|| {
            self.written += 1;
            self.row(id, hash, found, now)
        })
    }

    /// Marks what a complete scan did not see as deleted; answers how many.
    pub(crate) async fn delete_unseen(
        &self,
        database: &impl ConnectionTrait,
        now: DateTime<Utc>,
    ) -> Result<i64, DbErr> {
        let unseen = self.known.iter().filter(|(_, known)| !known.seen && !known.deleted);
        let unseen: Vec<Uuid> = unseen.map(|(id, _)| *id).collect();
        for chunk in unseen.chunks(CHUNK) {
            resource::Entity::update_many()
                .set(resource::ActiveModel {
                    deleted_at: Set(Some(now)),
                    changed_at: Set(now),
                    ..Default::default()
                })
                .filter(resource::Column::Id.is_in(chunk.iter().copied()))
                .exec(database)
                .await?;
        }
        Ok(i64::try_from(unseen.len()).unwrap_or(i64::MAX))
    }

    fn row(&self, id: Uuid, hash: i64, found: microsoft::Resource, now: DateTime<Utc>) -> resource::Model {
        let tags = Tags(found.tags);
        resource::Model {
            id,
            organization_id: self.organization_id,
            subscription_id: self.subscription_id,
            arm_id: found.arm_id,
            name: found.name,
            resource_type: found.resource_type,
            kind: found.kind,
            location: found.location,
            resource_group: found.resource_group,
            sku: found.sku,
            managed_by: found.managed_by,
            tag_terms: tags.terms(),
            tags,
            content_hash: hash,
            azure_created_at: found.created_at,
            azure_changed_at: found.changed_at,
            first_seen_at: now,
            changed_at: now,
            deleted_at: None,
        }
    }
}

async fn tags_of(
    database: &DatabaseConnection,
    subscription: &subscription::Model,
) -> Result<HashMap<Uuid, Tags>, DbErr> {
    let mut rows = resource::Entity::owned_by(subscription.organization_id)
        .filter(resource::Column::SubscriptionId.eq(subscription.id))
        .select_only()
        .columns([resource::Column::Id, resource::Column::Tags])
        .into_tuple::<(Uuid, Tags)>()
        .stream(database)
        .await?;
    let mut tags = HashMap::new();
    while let Some((id, own)) = rows.try_next().await? {
        if !own.0.is_empty() {
            tags.insert(id, own);
        }
    }
    Ok(tags)
}

/// A hash of everything that a scan tells of a resource. Ids and groups change their case between pages
/// and mean the same; the two sources of a scan must agree, so what only one of them tells stays out.
fn content_hash(found: &microsoft::Resource) -> i64 {
    let mut hasher = Sha256::new();
    let mut field = |value: Option<&str>| {
        if let Some(value) = value {
            hasher.update(value.as_bytes());
        }
        hasher.update([0xff, u8::from(value.is_some())]);
    };
    field(Some(&found.arm_id.to_lowercase()));
    field(Some(&found.resource_type));
    field(found.kind.as_deref());
    field(found.location.as_deref());
    field(found.sku.as_deref());
    field(found.managed_by.as_deref().map(str::to_lowercase).as_deref());
    for (name, value) in &found.tags {
        field(Some(name));
        field(Some(value));
    }
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}
