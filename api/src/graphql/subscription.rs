//! A subscription: an Azure subscription of a tenant. GraphQL's own subscriptions are live queries here.

mod change_access;
mod owner;
mod role_assignment;
mod subscriptions;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::{subscription, subscription_owner};
use uuid::Uuid;

pub use change_access::ChangeAccess;
pub use owner::SubscriptionOwnerRole;
pub use role_assignment::{AzureRole, RoleAssignment};
pub use subscriptions::{AzureSubscriptionFilter, AzureSubscriptionOrder, Subscriptions, list};

use super::batch::Batch;
use super::failure::Failure;
use super::ids::Kind;
use super::int;
use super::pager::{Connection, Paging};
use super::resource::{self, Asked, Resource, ResourceFilter, ResourceOrder};
use super::scalars::{DateTime, Guid};
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use super::tenant::{HealthReason, Tenant, of_subscriptions};
use crate::permission::Permission;
use owner::SubscriptionOwner;

/// What Tenantry may do with a subscription's tags; each level includes the ones before it.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AccessLevel", remote = "entity::subscription::AccessLevel")]
pub enum AccessLevel {
    /// No role is held.
    None,
    /// Resources are read, tags live here only.
    ResourcesOnly,
    /// Resources and tags are read.
    ReadTags,
    /// Tags are read and written.
    WriteTags,
}

/// Azure's state of a subscription.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AzureState", remote = "entity::subscription::AzureState")]
pub enum AzureState {
    /// In use.
    Enabled,
    /// Azure warned its owner; still writable.
    Warned,
    /// Payment is late; still writable.
    PastDue,
    /// Read-only.
    Disabled,
    /// Deleted.
    Deleted,
    /// A state that Azure added later.
    Unknown,
}

/// A subscription.
pub struct AzureSubscription {
    row: subscription::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
    role_assignments: Batch<Vec<RoleAssignment>>,
    owners: Batch<subscription_owner::Model>,
    health_reasons: Batch<Vec<HealthReason>>,
}

impl Stored for AzureSubscription {
    type Entity = subscription::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: subscription::Column = subscription::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            tenants: Batch::of(rows.iter().map(|row| row.tenant_id)),
            role_assignments: Batch::of(rows.iter().map(|row| row.id)),
            owners: Batch::of(rows.iter().map(|row| row.id)),
            health_reasons: Batch::of(rows.iter().map(|row| row.id)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for AzureSubscription {
    const KIND: Kind = Kind::Subscription;
}

impl AzureSubscription {
    async fn owners_row(&self, ctx: &Context<'_>) -> Option<&subscription_owner::Model> {
        let found = async {
            let scope = Scope::of(ctx, Permission::ReadInventory)?;
            self.siblings.owners.get(self.row.id, |ids| owner::of_subscriptions(scope, ids)).await
        };
        or_null(ctx, found.await)
    }
}

impl AzureSubscription {
    /// What Tenantry may do with its tags.
    pub fn level(&self) -> subscription::AccessLevel {
        self.row.access_level
    }

    /// When the last complete scan ended.
    pub fn last_scan(&self) -> Option<DateTime> {
        self.row.scanned_at.map(Into::into)
    }
}

/// An Azure subscription, as last seen. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "AzureSubscription")]
impl AzureSubscription {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// Azure's id of it.
    async fn azure_subscription_id(&self) -> Guid {
        self.row.azure_subscription_id.into()
    }

    /// Its name in Azure.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// Its state in Azure.
    async fn azure_state(&self) -> AzureState {
        self.row.azure_state.into()
    }

    /// What Tenantry may do with its tags.
    async fn access_level(&self) -> AccessLevel {
        self.row.access_level.into()
    }

    /// How many resources the last complete scan found.
    async fn resource_count(&self) -> i32 {
        int(self.row.resource_count)
    }

    /// When the last complete scan ended; null before the first.
    async fn scanned_at(&self) -> Option<DateTime> {
        self.row.scanned_at.map(Into::into)
    }

    /// Why the inventory is older than the last scan; null if it is not.
    async fn stale(&self) -> Option<Failure> {
        Failure::of(self.row.stale.as_ref())
    }

    /// When it was first seen.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// The tenant that it belongs to.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<&Tenant> {
        self.siblings.tenants.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.tenant_id).await
    }

    /// The role assignments by which the service principal has access to it.
    async fn role_assignments(&self, ctx: &Context<'_>) -> Result<&[RoleAssignment]> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let assignments = &self.siblings.role_assignments;
        let found = assignments.get(self.row.id, |ids| role_assignment::of_subscriptions(scope, ids)).await?;
        Ok(found.map(Vec::as_slice).unwrap_or_default())
    }

    /// Who could consent for it: who held, when that was last read, a built-in role that lets them assign roles here,
    /// those of the subscription itself first, 100 at most. Who may do so by a custom role, or could activate a role,
    /// is not among them. Null if it could never be read. `createOwnerLink` makes a link that can be sent to an owner.
    async fn owners(&self, ctx: &Context<'_>) -> Option<Vec<SubscriptionOwner>> {
        self.owners_row(ctx).await.and_then(SubscriptionOwner::all)
    }

    /// When the owners were last read; null if they could never be.
    async fn owners_read_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        self.owners_row(ctx).await?.read_at.map(Into::into)
    }

    /// Why not everything that was granted for it works, the first known first; empty if it does.
    async fn health_reasons(&self, ctx: &Context<'_>) -> Result<&[HealthReason]> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let found = self.siblings.health_reasons.get(self.row.id, |ids| of_subscriptions(scope, ids)).await?;
        Ok(found.map(Vec::as_slice).unwrap_or_default())
    }

    /// Its resources.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn resources(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all that are not deleted by default.")] filter: Option<
            Box<ResourceFilter>,
        >,
        #[graphql(desc = "Words that they have to have: see `resources`.")] search: Option<String>,
        #[graphql(desc = "In which order.", default)] order: ResourceOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Resource>> {
        let paging = Paging { first, after, last, before };
        let asked = Asked { filter: filter.map(|filter| *filter).unwrap_or_default(), search };
        Box::pin(resource::list(ctx, Some(self.row.id), asked, order, &paging)).await
    }
}
