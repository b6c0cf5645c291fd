//! Counts of resources: kept for each subscription for as long as its inventory is the same.
//!
//! To count a million resources takes the database a second or more, and people look at the same few counts again
//! and again. So what was counted is kept, beside the version that the subscription's inventory had before the
//! count began. Each write moves that version on, in the same transaction (a trigger of the database does, so that
//! no writer can forget it). Whoever asks reads the versions first, and only what has moved on since is counted
//! anew: the answer is exact, and never older than the question. Everything else about it may be lost at any
//! time: it is in the memory of this process, bounded, and gone with it.

mod dimension;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};
use entity::{inventory_version, resource};
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter, Select};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Asked;
use crate::graphql::scope::{Scope, internal, missing};
use crate::permission::Permission;
pub use dimension::Dimension;

/// Counts that are kept at most, of all viewers together: about 100 bytes each.
const CAPACITY: u64 = 1_000_000;

/// Subscriptions that are counted by one statement. What it counted is kept before the next one begins, so that
/// who runs out of time finds it when asking again.
const STEP: usize = 100;

/// How many resources have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// What they have in common.
    pub value: String,
    /// How many they are.
    pub resources: i64,
}

/// What was counted.
#[derive(Default)]
pub struct Counted {
    /// The subscriptions that were counted, and the versions of their inventories.
    versions: Vec<(Uuid, i64)>,
    /// By subscription.
    pub parts: HashMap<Uuid, Arc<Vec<Count>>>,
    /// Of all subscriptions together: the largest first, and by value where they are equal.
    pub ranked: Vec<Count>,
}

/// What decides of a count, apart from the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    organization_id: Uuid,
    /// Who is limited sees other subscriptions.
    holder: Option<Uuid>,
    dimension: Dimension,
    asked: String,
}

/// What has been counted lately.
pub struct Counts {
    kept: Cache<Key, Arc<Counted>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self::of_capacity(CAPACITY)
    }
}

impl Counts {
    fn of_capacity(capacity: u64) -> Self {
        let weigher = |_: &Key, counted: &Arc<Counted>| u32::try_from(counted.weight()).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(capacity).weigher(weigher).build() }
    }

    /// Counts some of what has changed since `before`, or since what is kept, which may be nothing: what is too large
    /// is not kept. Who asks for the same meanwhile waits here, and finds it.
    async fn step(
        &self,
        scope: Scope<'_>,
        asked: &Asked,
        key: &Key,
        versions: &[(Uuid, i64)],
        before: Arc<Counted>,
    ) -> Result<Arc<Counted>> {
        let computed = self.kept.entry_by_ref(key).and_try_compute_with(|kept| async move {
            let kept = kept.map(moka::Entry::into_value);
            let kept = kept.filter(|kept| kept.versions.len() >= before.versions.len()).unwrap_or(before);
            if kept.covers(versions) {
                return Ok::<_, async_graphql::Error>(Op::Put(kept));
            }
            Ok(Op::Put(Arc::new(recount(scope, asked, &key.dimension, &kept, versions).await?)))
        });
        match computed.await? {
            CompResult::Inserted(entry)
            | CompResult::ReplacedWith(entry)
            | CompResult::Unchanged(entry)
            | CompResult::Removed(entry) => Ok(entry.into_value()),
            CompResult::StillNone(_) => Err(missing("a count that was just made")),
        }
    }
}

/// Counts the resources that somebody asks for, by whatever is asked.
pub struct Counter {
    asked: Asked,
    /// The subscriptions that the viewer can see, and the versions of their inventories: read once an answer.
    versions: OnceCell<Vec<(Uuid, i64)>>,
}

impl Counter {
    /// Of the resources that are asked for, unless that is refused.
    pub fn of(scope: Scope<'_>, asked: Asked) -> Result<Self> {
        asked.found(scope)?;
        Ok(Self { asked, versions: OnceCell::new() })
    }

    /// How many there are, by `dimension`.
    pub async fn by(&self, ctx: &Context<'_>, dimension: Dimension) -> Result<Arc<Counted>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let counts = ctx.data_opt::<Counts>().ok_or_else(|| missing("what has been counted"))?;
        let versions = self.versions.get_or_try_init(|| versions(scope)).await;
        let versions = versions.map_err(|error| internal(&error))?;
        let (organization_id, holder) = (scope.viewer.organization_id, scope.viewer.limited_by);
        let key = Key { organization_id, holder, dimension, asked: format!("{:?}", self.asked) };
        if let Some(counted) = counts.kept.get(&key).await.filter(|counted| counted.covers(versions)) {
            return Ok(counted);
        }
        let mut counted = Arc::default();
        loop {
            counted = counts.step(scope, &self.asked, &key, versions, counted).await?;
            if counted.covers(versions) {
                return Ok(counted);
            }
        }
    }
}

impl Counted {
    /// Whether it has counted these subscriptions and no others, none of them at an older version.
    fn covers(&self, versions: &[(Uuid, i64)]) -> bool {
        let pairs = self.versions.iter().zip(versions);
        self.versions.len() == versions.len()
            && pairs.into_iter().all(|((id, counted), (asked_id, asked))| id == asked_id && counted >= asked)
    }

    fn weight(&self) -> usize {
        self.versions.len() + self.ranked.len() + self.parts.values().map(|part| part.len()).sum::<usize>()
    }

    /// How many they are, all together.
    pub fn sum(&self) -> i64 {
        self.ranked.iter().map(|count| count.resources).sum()
    }
}

/// The subscriptions that the viewer can see, by their ids, and the versions of their inventories.
async fn versions(scope: Scope<'_>) -> Result<Vec<(Uuid, i64)>, DbErr> {
    let rows = scope.owned::<inventory_version::Entity>().all(scope.database()).await?;
    let mut versions: Vec<_> = rows.into_iter().map(|row| (row.subscription_id, row.version)).collect();
    versions.sort_unstable();
    Ok(versions)
}

/// Counts anew some of what has changed since `kept`.
async fn recount(
    scope: Scope<'_>,
    asked: &Asked,
    dimension: &Dimension,
    kept: &Counted,
    versions: &[(Uuid, i64)],
) -> Result<Counted> {
    let known: HashMap<_, _> = kept.versions.iter().copied().collect();
    let is_counted = |id: &Uuid, version: i64| known.get(id).is_some_and(|known| *known >= version);
    let mut counted: Vec<_> = versions
        .iter()
        .filter(|(id, version)| is_counted(id, *version))
        .filter_map(|(id, _)| known.get_key_value(id).map(|(id, version)| (*id, *version)))
        .collect();
    let mut parts: HashMap<_, _> = counted
        .iter()
        .filter_map(|(id, _)| kept.parts.get_key_value(id))
        .map(|(id, part)| (*id, Arc::clone(part)))
        .collect();
    let changed: Vec<_> =
        versions.iter().copied().filter(|(id, version)| !is_counted(id, *version)).take(STEP).collect();
    if !changed.is_empty() {
        let mut list = asked.found(scope)?;
        // All of them at once are read quicker than one after the other.
        if changed.len() < versions.len() {
            list = list.filter(resource::Column::SubscriptionId.is_in(changed.iter().map(|(id, _)| *id)));
        }
        let found = count(scope, list, dimension).await.map_err(|error| internal(&error))?;
        let asked_for = |id: &Uuid| changed.iter().any(|(changed, _)| changed == id);
        let found = found.into_iter().filter(|(id, _)| asked_for(id));
        parts.extend(found.map(|(id, part)| (id, Arc::new(part))));
        counted.extend(changed);
        counted.sort_unstable();
    }
    let ranked = rank(parts.values().flat_map(|part| part.iter()));
    Ok(Counted { versions: counted, parts, ranked })
}

async fn count(
    scope: Scope<'_>,
    list: Select<resource::Entity>,
    dimension: &Dimension,
) -> Result<HashMap<Uuid, Vec<Count>>, DbErr> {
    let mut found = HashMap::<Uuid, HashMap<String, i64>>::new();
    for row in scope.database().query_all(&dimension.statement(scope.backend(), list)).await? {
        let (subscription_id, value, resources): (Uuid, Option<String>, i64) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        if let Some(value) = value {
            *found.entry(subscription_id).or_default().entry(dimension.value(value)).or_default() +=
                resources;
        }
    }
    let listed = |part: HashMap<String, i64>| {
        part.into_iter().map(|(value, resources)| Count { value, resources }).collect()
    };
    Ok(found.into_iter().map(|(subscription_id, part)| (subscription_id, listed(part))).collect())
}

fn rank<'a>(counts: impl Iterator<Item = &'a Count>) -> Vec<Count> {
    let mut sums = HashMap::<&str, i64>::new();
    for count in counts {
        *sums.entry(&count.value).or_default() += count.resources;
    }
    let mut ranked: Vec<_> =
        sums.into_iter().map(|(value, resources)| Count { value: value.to_owned(), resources }).collect();
    ranked.sort_unstable_by(|a, b| b.resources.cmp(&a.resources).then_with(|| a.value.cmp(&b.value)));
    ranked
}
