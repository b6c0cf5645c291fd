//! A resource: an ARM resource, as inventoried.

mod counts;
mod each;
mod facets;
mod filter;
mod resources;
mod search;
mod tag_coverage;
mod tag_filter;
mod tag_names;

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::resource;
use uuid::Uuid;

pub use counts::Counts;
pub use facets::Facets;
pub use filter::ResourceFilter;
pub use resources::{Asked, ResourceOrder, Resources, list};
pub use tag_coverage::TagCoverages;
pub use tag_names::TagNames;

use super::batch::Batch;
use super::ids::Kind;
use super::scalars::DateTime;
use super::scope::Scope;
use super::stored::{Identified, Row, Stored};
use super::subscription::AzureSubscription;
use crate::permission::Permission;

/// A resource.
pub struct Resource {
    row: resource::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    subscriptions: Batch<AzureSubscription>,
}

impl Stored for Resource {
    type Entity = resource::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: resource::Column = resource::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings =
            Arc::new(Siblings { subscriptions: Batch::of(rows.iter().map(|row| row.subscription_id)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Resource {
    const KIND: Kind = Kind::Resource;
}

/// A name and a value. Names compare without regard to case and keep it; values are case-sensitive.
#[derive(SimpleObject)]
#[graphql(name = "Tag")]
pub struct Tag<'a> {
    /// The name, in Azure's case.
    name: &'a str,
    /// The value.
    value: &'a str,
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
    async fn tags(&self) -> Vec<Tag<'_>> {
        self.row.tags.0.iter().map(|(name, value)| Tag { name, value }).collect()
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
