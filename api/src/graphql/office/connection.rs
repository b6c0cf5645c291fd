//! The connection of a tenant to Office 365.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use entity::office::{connection, feed, report};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::feed::{self as feeds, OfficeFeed};
use super::permission::{self, OfficePermission};
use crate::graphql::batch::Batch;
use crate::graphql::scalars::{Date, DateTime};
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// What to do so that names are shown.
pub const HOW_TO_REVEAL: &str = "In the Microsoft 365 admin center an administrator opens Settings, Org settings, Reports and clears 'Display \
     concealed user, group, and site names in all reports'. It takes some minutes, and shows with the next report.";

/// Whether the tenant conceals the names of users, groups and sites in its reports. What is concealed is never joined to
/// users.
#[derive(SimpleObject)]
#[graphql(name = "ConcealedNames")]
pub struct ConcealedNames {
    /// Whether they are concealed in the newest report that has names; null: there is none yet.
    in_reports: Option<bool>,
    /// Whether they are to be concealed, by the tenant's setting; null: the setting may not be read, or was not yet.
    by_setting: Option<bool>,
    /// The last day that the figures of that report cover.
    report_refresh_date: Option<Date>,
    /// What to do so that names are shown.
    how_to_reveal: &'static str,
}

impl ConcealedNames {
    /// By a connection, and a report that has names.
    pub fn of(connection: &connection::Model, report: Option<&report::Model>) -> Self {
        Self {
            in_reports: report.and_then(|report| report.conceals_names),
            by_setting: connection.conceals_names,
            report_refresh_date: report.map(|report| report.refreshed_on.into()),
            how_to_reveal: HOW_TO_REVEAL,
        }
    }
}

/// A connection.
pub struct Office365Connection {
    row: connection::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    feeds: Batch<Vec<OfficeFeed>>,
    /// Of each tenant, the newest report that has names.
    named: Batch<report::Model>,
}

impl Office365Connection {
    /// What is needed, and what of it is granted.
    pub fn list_permissions(&self) -> Vec<OfficePermission> {
        permission::list(&self.row)
    }
}

/// The connection of a tenant to Office 365: what may be read of it, and what was read.
/// Needs the role `VIEWER`, or the scope `reports:read`.
#[Object(name = "Office365Connection")]
impl Office365Connection {
    /// When it was made.
    async fn connected_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When everything is read by itself the next time; null: the tenant was disconnected, and what was read before is
    /// kept.
    async fn next_load_at(&self) -> Option<DateTime> {
        self.row.next_load_at.map(Into::into)
    }

    /// The permissions that something is read with, and whether each is granted.
    async fn permissions(&self) -> Vec<OfficePermission> {
        self.list_permissions()
    }

    /// When it was looked at what is granted; null: not yet.
    async fn permissions_read_at(&self) -> Option<DateTime> {
        self.row.permissions_read_at.map(Into::into)
    }

    /// What is read, feed by feed, each kind and period once; empty before the first load.
    async fn feeds(&self, ctx: &Context<'_>) -> Result<&[OfficeFeed]> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let feeds = self.siblings.feeds.get(self.row.tenant_id, |ids| feeds::of_tenants(scope, ids));
        Ok(feeds.await?.map_or(&[], Vec::as_slice))
    }

    /// Whether the tenant conceals names in its reports, and how that is changed.
    async fn concealed_names(&self, ctx: &Context<'_>) -> Result<ConcealedNames> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let named = self.siblings.named.get(self.row.tenant_id, |ids| newest_named(scope, ids)).await?;
        Ok(ConcealedNames::of(&self.row, named))
    }
}

/// The current reports that have names, of each tenant the one that was fetched last.
async fn newest_named(scope: Scope<'_>, tenants: Vec<Uuid>) -> Result<HashMap<Uuid, report::Model>, DbErr> {
    let current = scope
        .owned::<feed::Entity>()
        .filter(feed::Column::TenantId.is_in(tenants))
        .filter(feed::Column::ReportId.is_not_null())
        .select_only()
        .column(feed::Column::ReportId);
    let reports = scope
        .owned::<report::Entity>()
        .filter(report::Column::Id.in_subquery(current.into_query()))
        .filter(report::Column::ConcealsNames.is_not_null())
        .order_by_asc(report::Column::FetchedAt);
    let reports = reports.all(scope.database()).await?;
    Ok(reports.into_iter().map(|report| (report.tenant_id, report)).collect())
}

/// The connections of tenants that have one.
pub async fn of_tenants(
    scope: Scope<'_>,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Office365Connection>, DbErr> {
    let rows = scope.owned::<connection::Entity>().filter(connection::Column::TenantId.is_in(ids));
    let rows = rows.all(scope.database()).await?;
    let tenants = || rows.iter().map(|row| row.tenant_id);
    let siblings = Arc::new(Siblings { feeds: Batch::of(tenants()), named: Batch::of(tenants()) });
    let connection = |row| Office365Connection { row, siblings: Arc::clone(&siblings) };
    Ok(rows.into_iter().map(|row| (row.tenant_id, connection(row))).collect())
}
