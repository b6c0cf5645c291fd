//! An operation: long-running work that a user started, with steps, progress, deadline and outcome.

mod cancel_operation;
mod follow_operation;
mod operations;
mod progress;
mod retry_operation;
mod step;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::operation;
use uuid::Uuid;

pub use cancel_operation::CancelOperation;
pub use follow_operation::FollowOperation;
pub use operations::Operations;
pub use retry_operation::RetryOperation;

use super::batch::Batch;
use super::consent::Consent;
use super::estimate::Estimate;
use super::failure::Failure;
use super::ids::Kind;
use super::office::{self, OfficeFeed};
use super::pager::{Connection, Paging};
use super::scalars::DateTime;
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use super::tenant::Tenant;
use crate::permission::Permission;
use progress::{Counts, OperationProgress};
use step::OperationStep;
pub use step::OperationStepOutcome;

/// What an operation does.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "OperationKind", remote = "entity::operation::Kind")]
pub enum OperationKind {
    /// Finds the subscriptions of a consent, assigns roles, scans.
    OnboardTenant,
    /// Scans what is already granted.
    ScanTenant,
    /// Swaps roles, so that subscriptions have another access level.
    ChangeAccess,
    /// Removes what Tenantry created in the tenant, and stops everything about it.
    DisconnectTenant,
    /// Writes the tags of a change set.
    ApplyChangeSet,
    /// Looks which permissions are held, and reads users, groups and reports.
    #[graphql(name = "LOAD_OFFICE_365")]
    LoadOffice,
}

/// Where an operation stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "OperationState", remote = "entity::operation::State")]
pub enum OperationState {
    /// Stored; no worker has begun.
    Queued,
    /// A worker is at it.
    Running,
    /// Everything asked for was done.
    Succeeded,
    /// Some of it was done; the steps say what was not, and why.
    Partial,
    /// Nothing was done.
    Failed,
    /// Stopped by a member; what was done stays.
    Cancelled,
}

/// An operation.
pub struct Operation {
    row: operation::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
    consents: Batch<Consent>,
    progress: Batch<Counts>,
    feeds: Batch<Vec<OfficeFeed>>,
}

impl Stored for Operation {
    type Entity = operation::Entity;
    const READ: Permission = Permission::ReadOperations;
    const ID: operation::Column = operation::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            tenants: Batch::of(rows.iter().map(|row| row.tenant_id)),
            consents: Batch::of(rows.iter().filter_map(|row| row.consent_id)),
            progress: Batch::of(rows.iter().map(|row| row.id)),
            feeds: Batch::of(rows.iter().map(|row| row.id)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Operation {
    const KIND: Kind = Kind::Operation;
}

/// Long-running work that a user started. Needs the role `VIEWER`, or the scope `operations:read`.
#[Object(name = "Operation")]
impl Operation {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What it does.
    async fn kind(&self) -> OperationKind {
        self.row.kind.into()
    }

    /// Where it stands.
    async fn state(&self) -> OperationState {
        self.row.state.into()
    }

    /// The tenant that it works on.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<&Tenant> {
        self.siblings.tenants.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.tenant_id).await
    }

    /// The consent that it acts under, if it needs one.
    async fn consent(&self, ctx: &Context<'_>) -> Option<&Consent> {
        let consent_id = self.row.consent_id?;
        let found = async {
            self.siblings.consents.find(Scope::of(ctx, Permission::ReadConsents)?, consent_id).await
        };
        or_null(ctx, found.await)
    }

    /// Why it failed, when that is not a matter of one step.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// When a member asked for it to stop.
    async fn cancel_requested_at(&self) -> Option<DateTime> {
        self.row.cancel_requested_at.map(Into::into)
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When a worker first began; null until then.
    async fn started_at(&self) -> Option<DateTime> {
        self.row.started_at.map(Into::into)
    }

    /// When it ended; null until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.row.finished_at.map(Into::into)
    }

    /// By when it ends, whatever happens.
    async fn deadline_at(&self) -> DateTime {
        self.row.deadline_at.into()
    }

    /// What it was expected to take when it began; null until its subscriptions are known, and of an operation that
    /// changes no access.
    async fn estimate(&self) -> Option<Estimate> {
        self.row.estimate.as_ref().map(Into::into)
    }

    /// How far it is.
    async fn progress(&self, ctx: &Context<'_>) -> Result<OperationProgress> {
        let scope = Scope::of(ctx, Permission::ReadOperations)?;
        let counts = self.siblings.progress.get(self.row.id, |ids| progress::counts(scope, ids)).await?;
        Ok(OperationProgress::of(&self.row, counts))
    }

    /// What it reads of Office 365, each feed as it stands; empty where it reads nothing, and once a later operation has
    /// read the same feeds.
    async fn feeds(&self, ctx: &Context<'_>) -> Result<&[OfficeFeed]> {
        let scope = Scope::of(ctx, Permission::ReadOperations)?;
        let feeds = self.siblings.feeds.get(self.row.id, |ids| office::feeds_of_operations(scope, ids));
        Ok(feeds.await?.map_or(&[], Vec::as_slice))
    }

    /// What it does about each subscription. Empty until the subscriptions are found.
    async fn steps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OperationStep>> {
        step::list(ctx, self.row.id, &Paging { first, after, last, before }).await
    }
}

impl Operation {
    fn has_ended(&self) -> bool {
        self.row.state.is_final()
    }
}

/// Rings for an operation whose row was just committed, and tells whoever watches it. A queue that is
/// away does
/// no harm: the sweep rings again for rows that nobody attends to.
pub async fn announce(scope: Scope<'_>, operation: &operation::Model) {
    if let Err(error) = worker::operations::ring(&scope.services.queue, operation).await {
        tracing::warn!(operation.id = %operation.id, %error, "the bell did not ring; the sweep will");
    }
    scope.services.progress.publish(operation.id).await;
}
