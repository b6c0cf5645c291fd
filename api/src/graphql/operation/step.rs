//! A step of an operation: what it does about one subscription.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use entity::operation_step::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use crate::graphql::batch::Batch;
use crate::graphql::failure::Failure;
use crate::graphql::int;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Row, Stored};
use crate::graphql::subscription::{AccessLevel, AzureSubscription};
use crate::permission::Permission;

/// Where a step stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "OperationStepState", remote = "entity::operation_step::State")]
pub enum OperationStepState {
    /// The role is not assigned yet; needs the consent window.
    Assigning,
    /// The role is assigned, and the service principal does not see its effect yet.
    Verifying,
    /// The new role works, or tags are written by it; what the level does not need is not removed yet. Needs the consent
    /// window.
    Removing,
    /// The change did not work out, and what it added is not removed yet. Needs the consent window.
    RollingBack,
    /// The role works; the scan has not ended.
    Scanning,
    /// Tags are being written.
    Writing,
    /// Nothing more will happen.
    Done,
}

/// How a subscription ended in an operation that changes access.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "OperationStepOutcome", remote = "entity::operation_step::Outcome")]
pub enum OperationStepOutcome {
    /// The role was assigned.
    Granted,
    /// The role was already there.
    AlreadyGranted,
    /// The role comes from above the subscription.
    Inherited,
    /// The consenting user may not assign roles there.
    NotPermitted,
    /// A condition on the consenting user's own role forbids it.
    ConditionBlocked,
    /// The subscription is disabled.
    SubscriptionDisabled,
    /// The subscription holds as many role assignments as Azure allows.
    LimitReached,
    /// The consent window closed first.
    NeedsReconsent,
    /// It has another access level now.
    Changed,
    /// It had the access level before.
    Unchanged,
    /// The change did not work out, and all roles are as they were before.
    RolledBack,
    /// What Tenantry created there is removed.
    Removed,
    /// Every tag write was done.
    Written,
    /// Some tag writes were done; each says what became of it.
    PartlyWritten,
    /// Something else went wrong.
    Failed,
}

/// A step.
pub struct OperationStep {
    row: operation_step::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    subscriptions: Batch<AzureSubscription>,
}

impl Stored for OperationStep {
    type Entity = operation_step::Entity;
    const READ: Permission = Permission::ReadOperations;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings =
            Arc::new(Siblings { subscriptions: Batch::of(rows.iter().map(|row| row.subscription_id)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

/// What an operation does about one subscription.
#[Object(name = "OperationStep")]
impl OperationStep {
    /// The subscription.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<&AzureSubscription> {
        self.siblings
            .subscriptions
            .one(Scope::of(ctx, Permission::ReadInventory)?, self.row.subscription_id)
            .await
    }

    /// Where it stands.
    async fn state(&self) -> OperationStepState {
        self.row.state.into()
    }

    /// How access to the subscription ended; null until then, and in a scan, which changes no access.
    async fn outcome(&self) -> Option<OperationStepOutcome> {
        self.row.outcome.map(Into::into)
    }

    /// The level that the subscription is to have; null where the operation asks for none.
    async fn access_level(&self) -> Option<AccessLevel> {
        self.row.access_level.map(Into::into)
    }

    /// What went wrong, if anything did.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// Whether the scan saw the whole subscription.
    async fn scanned(&self) -> bool {
        self.row.scanned
    }

    /// How many resources were seen so far.
    async fn resources_seen(&self) -> i32 {
        int(self.row.resources_seen)
    }

    /// How many of these were stored, because they were new or had changed.
    async fn resources_written(&self) -> i32 {
        int(self.row.resources_written)
    }

    /// How many were found to be gone.
    async fn resources_deleted(&self) -> i32 {
        int(self.row.resources_deleted)
    }

    /// When it last moved on.
    async fn updated_at(&self) -> DateTime {
        self.row.updated_at.into()
    }
}

/// A page of the steps of one operation, always in the same order: that of an index, and of every other
/// operation on the same subscriptions.
pub async fn list(
    ctx: &Context<'_>,
    operation_id: Uuid,
    paging: &Paging,
) -> Result<Connection<OperationStep>> {
    let scope = Scope::of(ctx, Permission::ReadOperations)?;
    let list = scope.owned().filter(Column::OperationId.eq(operation_id));
    let sort = Sort {
        name: "subscription",
        expression: Expr::col(Column::SubscriptionId.as_column_ref()),
        key: KeyOf::Id(|row: &operation_step::Model| row.subscription_id),
        direction: OrderDirection::Asc,
    };
    page(scope, list, sort, paging).await
}
