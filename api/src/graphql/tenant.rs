//! A tenant: a Microsoft Entra tenant that the organization connected.

mod begin;
mod check_tenant;
mod disconnect_tenant;
mod health;
mod load_office_365;
mod plan_disconnect;
mod scan_schedule;
mod scan_tenant;
mod tenants;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::{subscription, tenant};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QuerySelect};
use uuid::Uuid;

pub use check_tenant::CheckTenant;
pub use disconnect_tenant::DisconnectTenant;
pub use health::{HealthReason, of_subscriptions};
pub use load_office_365::LoadOffice365;
pub use plan_disconnect::PlanDisconnect;
pub use scan_schedule::ScheduleScan;
pub use scan_tenant::ScanTenant;
pub use tenants::Tenants;

use super::batch::Batch;
use super::failure::Failure;
use super::ids::Kind;
use super::int;
use super::office::{self, Office365Connection, OfficePermission};
use super::pager::{Connection, Paging};
use super::scalars::{DateTime, Guid};
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use super::subscription::{AzureSubscription, AzureSubscriptionFilter, AzureSubscriptionOrder, list};
use super::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;
use health::TenantHealth;
use scan_schedule::ScanSchedule;

/// How the connection to a tenant stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "TenantState", remote = "entity::tenant::State")]
pub enum TenantState {
    /// Consented; the first onboarding has not ended.
    Connecting,
    /// Our service principal reaches it.
    Connected,
    /// Something that was granted is gone; the data is kept, and `failure` says why.
    Degraded,
    /// A member asked to disconnect it, and what Tenantry created is being removed: nothing else is begun.
    Disconnecting,
    /// A member disconnected it; nothing is done about it any more.
    Disconnected,
}

/// A tenant.
pub struct Tenant {
    row: tenant::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    resource_counts: Batch<i64>,
    schedules: Batch<ScanSchedule>,
    connections: Batch<Office365Connection>,
}

impl Stored for Tenant {
    type Entity = tenant::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: tenant::Column = tenant::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            resource_counts: Batch::of(rows.iter().map(|row| row.id)),
            schedules: Batch::of(rows.iter().map(|row| row.id)),
            connections: Batch::of(rows.iter().map(|row| row.id)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Tenant {
    const KIND: Kind = Kind::Tenant;
}

/// A Microsoft Entra tenant that the organization connected. Needs the role `VIEWER`, or the scope
/// `inventory:read`.
#[Object(name = "Tenant")]
impl Tenant {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// Microsoft's id of it.
    async fn entra_tenant_id(&self) -> Guid {
        self.row.entra_tenant_id.into()
    }

    /// Its name in Entra ID, once it could be read.
    async fn display_name(&self) -> Option<&str> {
        self.row.display_name.as_deref()
    }

    /// Its default domain, once it could be read.
    async fn default_domain(&self) -> Option<&str> {
        self.row.default_domain.as_deref()
    }

    /// When it is scanned by itself; null: only when somebody asks.
    async fn scan_schedule(&self, ctx: &Context<'_>) -> Result<Option<&ScanSchedule>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        self.siblings.schedules.get(self.row.id, |ids| scan_schedule::of_tenants(scope, ids)).await
    }

    /// How the connection to it stands.
    async fn state(&self) -> TenantState {
        self.row.state.into()
    }

    /// Why it is degraded, if it is: the gravest of the reasons in `health`.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// Whether what was granted in it still works, as last checked.
    async fn health(&self) -> TenantHealth {
        TenantHealth::of(self.row.clone())
    }

    /// When it was disconnected; null if it is not.
    async fn disconnected_at(&self) -> Option<DateTime> {
        self.row.disconnected_at.map(Into::into)
    }

    /// When its inventory was deleted after it was disconnected; null if that was not asked for or goes on still.
    async fn inventory_deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(Into::into)
    }

    /// When it was first consented for.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// How many resources the last complete scans of its subscriptions found.
    async fn resource_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let counts = &self.siblings.resource_counts;
        let count = counts.get(self.row.id, |tenants| resource_counts(scope, tenants)).await?;
        Ok(int(count.copied().unwrap_or_default()))
    }

    /// Its connection to Office 365; null if there is none. Needs the role `VIEWER`, or the scope `reports:read`.
    #[graphql(name = "office365")]
    async fn office_365(&self, ctx: &Context<'_>) -> Option<&Office365Connection> {
        or_null(ctx, self.connection(ctx).await)
    }

    /// What Office 365 data needs, permission by permission, and what of it is granted; null if the tenant is not
    /// connected to Office 365. Needs the role `VIEWER`, or the scope `reports:read`.
    async fn permissions(&self, ctx: &Context<'_>) -> Option<Vec<OfficePermission>> {
        or_null(ctx, self.connection(ctx).await).map(Office365Connection::list_permissions)
    }

    /// Its subscriptions.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all of them by default.")] filter: Option<AzureSubscriptionFilter>,
        #[graphql(desc = "In which order.", default)] order: AzureSubscriptionOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AzureSubscription>> {
        let paging = Paging { first, after, last, before };
        list(ctx, Some(self.row.id), filter.unwrap_or_default(), order, &paging).await
    }
}

impl Tenant {
    async fn connection(&self, ctx: &Context<'_>) -> Result<Option<&Office365Connection>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        self.siblings.connections.get(self.row.id, |ids| office::connections_of_tenants(scope, ids)).await
    }
}

/// The tenant, if something may be begun in it. Whoever begins something else in it waits until the transaction ends,
/// and then finds what was begun.
pub async fn lock_connected(
    scope: Scope<'_>,
    tenant_id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<Result<tenant::Model, UserError>, DbErr> {
    let found = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(tenant_id));
    let Some(tenant) = found.lock_exclusive().one(transaction).await? else {
        let message = "There is no such tenant in your organization.";
        return Ok(Err(UserError::new(UserErrorCode::NotFound, "tenantId", message)));
    };
    Ok(match not_connected(&tenant, "tenantId") {
        Some(error) => Err(error),
        None => Ok(tenant),
    })
}

/// Why nothing may be begun in a tenant, if it is not connected.
pub fn not_connected(tenant: &tenant::Model, field: &str) -> Option<UserError> {
    let message = match tenant.state {
        tenant::State::Disconnecting => {
            "The tenant is being disconnected. Wait until that has ended, and start a consent to connect it again."
        }
        tenant::State::Disconnected => "The tenant is disconnected. Start a consent to connect it again.",
        tenant::State::Connecting | tenant::State::Connected | tenant::State::Degraded => return None,
    };
    Some(UserError::new(UserErrorCode::NotConnected, field, message))
}

async fn resource_counts(scope: Scope<'_>, tenants: Vec<Uuid>) -> Result<HashMap<Uuid, i64>, DbErr> {
    use subscription::Column;
    let counts = scope
        .owned::<subscription::Entity>()
        .filter(Column::TenantId.is_in(tenants))
        .select_only()
        .column(Column::TenantId)
        // PostgreSQL's sum of integers is no integer.
        .expr(Expr::col(Column::ResourceCount).sum().cast_as("bigint"))
        .group_by(Column::TenantId)
        .into_tuple::<(Uuid, i64)>();
    Ok(counts.all(scope.database()).await?.into_iter().collect())
}
