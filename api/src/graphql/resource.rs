//! A resource: an ARM resource, as inventoried.

mod by_tag;
mod counts;
mod each;
mod facets;
mod filter;
mod history;
mod resources;
mod search;
mod tag_coverage;
mod tag_filter;
mod tag_names;
mod tag_states;
mod tags;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::resource;
use tokio::sync::OnceCell;
use uuid::Uuid;

pub use counts::Counts;
pub use facets::Facets;
pub use filter::{Presence, ResourceFilter};
pub use resources::{Asked, ResourceOrder, Resources, list};
pub use tag_coverage::TagCoverages;
pub use tag_filter::has_term;
pub use tag_names::TagNames;

use super::batch::Batch;
use super::ids::Kind;
use super::pager::{Connection, Paging};
use super::scalars::DateTime;
use super::scope::{Scope, internal};
use super::stored::{Identified, Row, Stored};
use super::subscription::AzureSubscription;
use crate::permission::Permission;
use history::ResourceChange;
use tag_states::{TagState, Writes};
use tags::TagList;

/// What takes tags.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "ResourceScope", remote = "entity::resource::ResourceScope")]
pub enum ResourceScope {
    /// A resource.
    Resource,
    /// A resource group.
    ResourceGroup,
    /// A subscription.
    Subscription,
}

/// A resource.
pub struct Resource {
    row: resource::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    subscriptions: Batch<AzureSubscription>,
    /// What was last begun about the tags of all of them.
    writes: OnceCell<Writes>,
    ids: Vec<Uuid>,
}

impl Stored for Resource {
    type Entity = resource::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: resource::Column = resource::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            subscriptions: Batch::of(rows.iter().map(|row| row.subscription_id)),
            writes: OnceCell::new(),
            ids: rows.iter().map(|row| row.id).collect(),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Resource {
    const KIND: Kind = Kind::Resource;
}

/// An ARM resource, as the last scan that saw it found it. Needs the role `VIEWER`, or the scope
/// `inventory:read`.
#[Object(name = "Resource")]
impl Resource {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// Azure's id of it, in Azure's case. Compares without regard to case.
    async fn arm_id(&self) -> &str {
        &self.row.arm_id
    }

    /// Its name, in Azure's case.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Its type, in lower case: `microsoft.compute/virtualmachines`.
    #[graphql(name = "type")]
    async fn resource_type(&self) -> &str {
        &self.row.resource_type
    }

    /// Its kind, if its type has kinds.
    async fn kind(&self) -> Option<&str> {
        self.row.kind.as_deref()
    }

    /// Its location, in lower case without spaces: `westeurope`.
    async fn location(&self) -> Option<&str> {
        self.row.location.as_deref()
    }

    /// The name of its resource group.
    async fn resource_group(&self) -> &str {
        &self.row.resource_group
    }

    /// The name of its SKU.
    async fn sku(&self) -> Option<&str> {
        self.row.sku.as_deref()
    }

    /// The ARM id of what manages it.
    async fn managed_by(&self) -> Option<&str> {
        self.row.managed_by.as_deref()
    }

    /// Its tags as Azure has them, by name.
    async fn tags(&self) -> TagList<'_> {
        TagList(&self.row.tags)
    }

    /// Where each of its tags stands between what is wanted here and what Azure has; also those that are wanted and not
    /// there.
    async fn tag_states(&self, ctx: &Context<'_>) -> Result<Vec<TagState>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let level = self.subscription(ctx).await?.level();
        let read = || Box::pin(Writes::of(scope, self.siblings.ids.clone()));
        let writes = self.siblings.writes.get_or_try_init(read);
        let writes = writes.await.map_err(|error| internal(&error))?;
        Ok(writes.states(self.row.id, &self.row.tags, level))
    }

    /// When it was created in Azure, where Azure says so.
    async fn azure_created_at(&self) -> Option<DateTime> {
        self.row.azure_created_at.map(Into::into)
    }

    /// When it last changed in Azure, where Azure says so.
    async fn azure_changed_at(&self) -> Option<DateTime> {
        self.row.azure_changed_at.map(Into::into)
    }

    /// When a scan first saw it.
    async fn first_seen_at(&self) -> DateTime {
        self.row.first_seen_at.into()
    }

    /// When a scan last saw a change of it.
    async fn changed_at(&self) -> DateTime {
        self.row.changed_at.into()
    }

    /// Whether it is a resource, a resource group or a subscription.
    async fn scope(&self) -> ResourceScope {
        self.row.scope.into()
    }

    /// When the last complete scan that saw it ended; null before the first.
    async fn last_seen_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        if self.row.deleted_at.is_some() {
            return Ok(self.row.last_seen_at.map(Into::into));
        }
        Ok(self.subscription(ctx).await?.last_scan())
    }

    /// What has changed of it since it was first seen, the newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of the tag of this name, in whichever case.")] tag: Option<String>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ResourceChange>> {
        history::list(ctx, self.row.id, tag.as_deref(), &Paging { first, after, last, before }).await
    }

    /// When a complete scan no longer saw it; null while it is there.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(Into::into)
    }

    /// The subscription that it belongs to.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<&AzureSubscription> {
        self.siblings
            .subscriptions
            .one(Scope::of(ctx, Permission::ReadInventory)?, self.row.subscription_id)
            .await
    }
}
