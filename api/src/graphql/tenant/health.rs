//! How healthy a tenant is: what does not work any more, since when, and who can mend it.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use entity::{health_reason, tenant};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::graphql::batch::Batch;
use crate::graphql::failure::Failure;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::{Row, Stored};
use crate::graphql::subscription::AzureSubscription;
use crate::permission::Permission;

/// How bad something is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "HealthSeverity", remote = "entity::health_reason::Severity")]
pub enum HealthSeverity {
    /// Everything works still: this says until when.
    Warning,
    /// Something that was granted does not work any more: the tenant is `DEGRADED`.
    Degraded,
}

/// How healthy a tenant is.
pub struct TenantHealth {
    row: tenant::Model,
}

impl TenantHealth {
    /// Of the tenant of this row.
    pub fn of(row: tenant::Model) -> Self {
        Self { row }
    }
}

/// Whether what was granted in a tenant still works. It is checked every hour, and whenever `checkTenant` asks for
/// it; nothing that was read is deleted because of what is found.
#[Object(name = "TenantHealth")]
impl TenantHealth {
    /// When the last check ended that could say everything; null before the first.
    async fn checked_at(&self) -> Option<DateTime> {
        self.row.checked_at.map(Into::into)
    }

    /// Why the last check could not say everything; null if it could. The reasons are the last that are known then.
    async fn check_failure(&self) -> Option<Failure> {
        Failure::of(self.row.check_failure.as_ref())
    }

    /// Since when the tenant is degraded; null if it is not.
    async fn degraded_since(&self) -> Option<DateTime> {
        self.row.degraded_since.map(Into::into)
    }

    /// What is wrong, the first known first.
    async fn reasons(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<HealthReason>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let reasons =
            scope.owned::<health_reason::Entity>().filter(health_reason::Column::TenantId.eq(self.row.id));
        let sort = Sort {
            name: "since",
            expression: Expr::col(health_reason::Column::Since.as_column_ref()),
            key: KeyOf::Moment(|reason: &health_reason::Model| reason.since),
            direction: OrderDirection::Asc,
        };
        page(scope, reasons, sort, &Paging { first, after, last, before }).await
    }
}

/// A health reason.
pub struct HealthReason {
    row: health_reason::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    subscriptions: Batch<AzureSubscription>,
}

impl Stored for HealthReason {
    type Entity = health_reason::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: health_reason::Column = health_reason::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let subscriptions = Batch::of(rows.iter().filter_map(|row| row.subscription_id));
        let siblings = Arc::new(Siblings { subscriptions });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

/// Something that is wrong with a tenant, or with one subscription of it. It goes when it is mended.
#[Object(name = "HealthReason")]
impl HealthReason {
    /// How bad it is.
    async fn severity(&self) -> HealthSeverity {
        self.row.severity.into()
    }

    /// What is wrong, and who can mend it.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(Some(&self.row.failure))
    }

    /// Since when it is known.
    async fn since(&self) -> DateTime {
        self.row.since.into()
    }

    /// The one subscription that it is about; null if it is all of the tenant.
    async fn subscription(&self, ctx: &Context<'_>) -> Option<&AzureSubscription> {
        let subscription_id = self.row.subscription_id?;
        let found = async {
            let scope = Scope::of(ctx, Permission::ReadInventory)?;
            self.siblings.subscriptions.find(scope, subscription_id).await
        };
        or_null(ctx, found.await)
    }
}

/// What is wrong with each of `subscriptions`, the first known first.
pub async fn of_subscriptions(
    scope: Scope<'_>,
    subscriptions: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<HealthReason>>, DbErr> {
    let rows = scope
        .owned::<health_reason::Entity>()
        .filter(health_reason::Column::SubscriptionId.is_in(subscriptions))
        .order_by_asc(health_reason::Column::Since)
        .order_by_asc(health_reason::Column::Id)
        .all(scope.database())
        .await?;
    let mut found: HashMap<Uuid, Vec<HealthReason>> = HashMap::new();
    for reason in HealthReason::together(rows) {
        if let Some(id) = reason.row.subscription_id {
            found.entry(id).or_default().push(reason);
        }
    }
    Ok(found)
}
