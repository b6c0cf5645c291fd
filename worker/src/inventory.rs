//! The stored inventory of one subscription, as a scan compares it with what Azure shows.

mod history;
mod upsert;
mod writer;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::resource::ResourceScope;
use entity::subscription::AccessLevel;
use entity::tags::{Tags, name_term};
use entity::{Owned, resource, resource_change, subscription, tag_write};
use futures::TryStreamExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
    QuerySelect, Select, Set, Unchanged,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) use history::prune;
pub(crate) use writer::Writer;

use upsert::CHUNK;

use crate::change_set::Names;

/// How long Azure's lists may go on telling of a resource as it was before it was tagged: Resource Graph is indexed later.
const INDEXED_WITHIN: TimeDelta = TimeDelta::minutes(5);

/// What is known of one stored resource: 16 bytes, so that a million fit.
#[derive(Clone, Copy)]
struct Known {
    hash: i64,
    deleted: bool,
    seen: bool,
    scope: ResourceScope,
}

/// A row to store, since it is new or has changed.
pub(crate) struct Sight {
    pub(crate) row: resource::Model,
    /// Whether nothing was known of it.
    pub(crate) is_new: bool,
}

/// One subscription's inventory during a scan.
pub(crate) struct Inventory {
    organization_id: Uuid,
    subscription_id: Uuid,
    /// When the last complete scan before this one ended.
    scanned_at: Option<DateTime<Utc>>,
    known: HashMap<Uuid, Known>,
    /// Names that are not pulled from Azure here.
    local: Local,
    /// What is stored of these, of resources that have any.
    own_tags: HashMap<Uuid, Tags>,
    /// Tags of resources that were written just now: what Azure tells of them may be older.
    just_written: HashMap<Uuid, Tags>,
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
        names: &Names,
        now: DateTime<Utc>,
    ) -> Result<Self, DbErr> {
        let mut known = HashMap::new();
        let mut rows = resource::Entity::owned_by(subscription.organization_id)
            .filter(resource::Column::SubscriptionId.eq(subscription.id))
            .select_only()
            .columns([
                resource::Column::Id,
                resource::Column::ContentHash,
                resource::Column::DeletedAt,
                resource::Column::Scope,
            ])
            .into_tuple::<(Uuid, i64, Option<DateTime<Utc>>, ResourceScope)>()
            .stream(database)
            .await?;
        while let Some((id, hash, deleted_at, scope)) = rows.try_next().await? {
            known.insert(id, Known { hash, deleted: deleted_at.is_some(), seen: false, scope });
        }
        drop(rows);
        let local = Local::of(subscription.access_level, names);
        let own_tags = if local.is_none() {
            HashMap::new()
        } else {
            let all = tags_of(database, all_of(subscription)).await?;
            all.into_iter()
                .map(|(id, tags)| (id, local.only(tags)))
                .filter(|(_, tags)| !tags.0.is_empty())
                .collect()
        };
        let written = tag_write::Entity::written_since(subscription.id, now - INDEXED_WITHIN);
        let written = all_of(subscription).filter(resource::Column::Id.in_subquery(written));
        let just_written = tags_of(database, written).await?;
        Ok(Self {
            organization_id: subscription.organization_id,
            subscription_id: subscription.id,
            scanned_at: subscription.scanned_at,
            known,
            local,
            own_tags,
            just_written,
            seen: 0,
            written: 0,
        })
    }

    /// Takes note of a resource that Azure shows; answers the row to store if it is new or has changed. A
    /// second sight of it in the same scan counts once.
    pub(crate) fn see(&mut self, mut found: microsoft::Resource, now: DateTime<Utc>) -> Option<Sight> {
        let id = resource::id_of(self.subscription_id, &found.arm_id);
        if let Some(written) = self.just_written.get(&id) {
            found.tags.clone_from(&written.0);
        } else if !self.local.is_none() {
            found.tags.retain(|name, _| !self.local.is(name));
            let own = self.own_tags.get(&id).into_iter().flat_map(|tags| &tags.0);
            found.tags.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        }
        let hash = content_hash(&found);
        let scope = ResourceScope::of_type(&found.resource_type);
        let before = self.known.insert(id, Known { hash, deleted: false, seen: true, scope });
        let counts = i64::from(scope == ResourceScope::Resource);
        if before.is_none_or(|before| !before.seen) {
            self.seen += counts;
        }
        let changed = before.is_none_or(|before| before.hash != hash || before.deleted);
        changed.then(|| {
            self.written += counts;
            Sight { row: self.row(id, hash, found, now), is_new: before.is_none() }
        })
    }

    /// Marks what a complete scan did not see as deleted; answers how many.
    pub(crate) async fn delete_unseen(
        &self,
        database: &impl ConnectionTrait,
        now: DateTime<Utc>,
    ) -> Result<i64, DbErr> {
        let unseen = self.known.iter().filter(|(_, known)| !known.seen && !known.deleted);
        let (unseen, scopes): (Vec<Uuid>, Vec<ResourceScope>) =
            unseen.map(|(id, known)| (*id, known.scope)).unzip();
        for chunk in unseen.chunks(CHUNK) {
            let gone =
                |id: &Uuid| resource_change::deletion(self.organization_id, self.subscription_id, *id, now);
            history::store(database, chunk.iter().map(gone).collect()).await?;
            resource::Entity::update_many()
                .set(resource::ActiveModel {
                    deleted_at: Set(Some(now)),
                    last_seen_at: Set(self.scanned_at),
                    changed_at: Set(now),
                    ..Default::default()
                })
                .filter(resource::Column::Id.is_in(chunk.iter().copied()))
                .exec(database)
                .await?;
        }
        let resources = scopes.iter().filter(|scope| **scope == ResourceScope::Resource).count();
        Ok(i64::try_from(resources).unwrap_or(i64::MAX))
    }

    fn row(&self, id: Uuid, hash: i64, found: microsoft::Resource, now: DateTime<Utc>) -> resource::Model {
        let tags = Tags(found.tags);
        resource::Model {
            scope: ResourceScope::of_type(&found.resource_type),
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
            last_seen_at: None,
        }
    }
}

/// Lets a stored resource have these tags, as if a scan had seen them. `tell` says who changed each.
pub(crate) async fn retag(
    database: &impl ConnectionTrait,
    resource: resource::Model,
    tags: Tags,
    now: DateTime<Utc>,
    tell: impl Fn(&mut resource_change::Model),
) -> Result<(), DbErr> {
    if resource.tags == tags {
        return Ok(());
    }
    let after = resource::Model { tags: tags.clone(), ..resource.clone() };
    let mut changes = resource_change::between(&resource, &after, now);
    changes.iter_mut().for_each(tell);
    history::store(database, changes).await?;
    let id = resource.id;
    let terms = tags.terms();
    let found = microsoft::Resource {
        arm_id: resource.arm_id,
        subscription_id: resource.subscription_id,
        name: resource.name,
        resource_type: resource.resource_type,
        kind: resource.kind,
        location: resource.location,
        resource_group: resource.resource_group,
        sku: resource.sku,
        managed_by: resource.managed_by,
        tags: tags.0,
        created_at: None,
        changed_at: None,
    };
    let retagged = resource::ActiveModel {
        id: Unchanged(id),
        content_hash: Set(content_hash(&found)),
        tags: Set(Tags(found.tags)),
        tag_terms: Set(terms),
        changed_at: Set(now),
        ..Default::default()
    };
    retagged.update(database).await.map(drop)
}

/// Names of tags that live here only.
enum Local {
    None,
    All,
    These(HashSet<String>),
}

impl Local {
    fn of(level: AccessLevel, names: &Names) -> Self {
        match level {
            AccessLevel::ResourcesOnly => Self::All,
            _ if names.any_off() => Self::These(names.off()),
            _ => Self::None,
        }
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn is(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::These(folded) => folded.contains(&name_term(name)),
        }
    }

    fn only(&self, tags: Tags) -> Tags {
        Tags(tags.0.into_iter().filter(|(name, _)| self.is(name)).collect())
    }
}

fn all_of(subscription: &subscription::Model) -> Select<resource::Entity> {
    resource::Entity::owned_by(subscription.organization_id)
        .filter(resource::Column::SubscriptionId.eq(subscription.id))
}

async fn tags_of(
    database: &DatabaseConnection,
    resources: Select<resource::Entity>,
) -> Result<HashMap<Uuid, Tags>, DbErr> {
    let mut rows = resources
        .select_only()
        .columns([resource::Column::Id, resource::Column::Tags])
        .into_tuple::<(Uuid, Tags)>()
        .stream(database)
        .await?;
    let mut tags = HashMap::new();
    while let Some((id, own)) = rows.try_next().await? {
        tags.insert(id, own);
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
