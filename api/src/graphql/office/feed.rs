//! A feed: one kind of Office 365 data of a tenant, how far it is read, and how that went.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::NaiveDate;
use entity::office::feed::{self, Column};
use entity::office::report;
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use uuid::Uuid;

use super::ReportPeriod;
use super::current::age_days;
use crate::graphql::batch::Batch;
use crate::graphql::failure::Failure;
use crate::graphql::int;
use crate::graphql::scalars::{Date, DateTime, Long};
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Row, Stored};
use crate::permission::Permission;

/// What a feed reads.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "OfficeFeedKind", remote = "entity::office::feed::Kind")]
pub enum OfficeFeedKind {
    /// Users, with the licences assigned to each.
    Users,
    /// Groups, with their direct members.
    Groups,
    /// How many licences of each product the tenant has bought.
    PurchasedLicences,
    /// When each user signed in last.
    SignIns,
    /// The last activity of each user in each service.
    UserActivity,
    /// How many users were active in each service, day by day.
    ActiveUsers,
    /// How many users were active in each service over a period, and how many were not.
    ServiceUsers,
    /// The storage of each mailbox.
    Mailboxes,
    /// The storage of each user's OneDrive.
    Onedrives,
    /// The storage of each SharePoint site.
    Sites,
    /// What each user did in Teams over a period.
    TeamsActivity,
    /// On which platforms each user used Microsoft 365 Apps over a period.
    AppUsage,
}

/// How a feed stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "OfficeFeedState", remote = "entity::office::feed::State")]
pub enum OfficeFeedState {
    /// It is to be read.
    Waiting,
    /// It is being read.
    Loading,
    /// It was read in full.
    Loaded,
    /// Microsoft has nothing newer than what was read before.
    Unchanged,
    /// The permission that it needs is not granted.
    NotGranted,
    /// It could not be read; what was read before is kept.
    Failed,
}

/// A row that could not be read.
#[derive(SimpleObject)]
#[graphql(name = "RefusedRow")]
pub struct RefusedRow<'a> {
    /// Its line in the file, from 1.
    line: Long,
    /// Why: the column and what is wrong, never what it holds.
    reason: &'a str,
}

/// A feed.
pub struct OfficeFeed {
    row: feed::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    refreshed: Batch<NaiveDate>,
}

impl Stored for OfficeFeed {
    type Entity = feed::Entity;
    const READ: Permission = Permission::ReadReports;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings =
            Arc::new(Siblings { refreshed: Batch::of(rows.iter().filter_map(|row| row.report_id)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl OfficeFeed {
    /// The report refresh date of its current report.
    async fn refreshed_on(&self, scope: Scope<'_>) -> Result<Option<NaiveDate>> {
        let Some(report) = self.row.report_id else { return Ok(None) };
        let read = |ids| refresh_dates(scope, ids);
        Ok(self.siblings.refreshed.get(report, read).await?.copied())
    }

    fn scope<'a>(ctx: &Context<'a>) -> Result<Scope<'a>> {
        // A feed is told of by its operation too, whose reader need not read reports: its parent has decided.
        Scope::of(ctx, Permission::KnowOneself)
    }
}

/// One kind of Office 365 data of a tenant, how far it is read, and how that went.
#[Object(name = "OfficeFeed")]
impl OfficeFeed {
    /// What it reads.
    async fn kind(&self) -> OfficeFeedKind {
        self.row.kind.into()
    }

    /// The period that it counts over; null for what has none.
    async fn period(&self) -> Option<ReportPeriod> {
        ReportPeriod::of_days(self.row.period)
    }

    /// How it stands.
    async fn state(&self) -> OfficeFeedState {
        self.row.state.into()
    }

    /// Rows that were read when it was last read.
    async fn rows_read(&self) -> i32 {
        int(self.row.rows_read)
    }

    /// Rows that could not be read.
    async fn rows_refused(&self) -> i32 {
        int(self.row.rows_refused)
    }

    /// The first of these.
    async fn refused_rows(&self) -> Vec<RefusedRow<'_>> {
        let refused = self.row.refused.as_ref().map_or(&[][..], |refused| &refused.0);
        let line = |line: u64| i64::try_from(line).unwrap_or(i64::MAX).into();
        refused.iter().map(|row| RefusedRow { line: line(row.line), reason: &row.reason }).collect()
    }

    /// What went wrong, if anything did.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// When it was last read in full, or found unchanged; null before the first time.
    async fn loaded_at(&self) -> Option<DateTime> {
        self.row.loaded_at.map(Into::into)
    }

    /// The last day that the figures of its current report cover; null for what is no report, and before the first.
    async fn report_refresh_date(&self, ctx: &Context<'_>) -> Result<Option<Date>> {
        Ok(self.refreshed_on(Self::scope(ctx)?).await?.map(Into::into))
    }

    /// How many days ago that is.
    async fn age_days(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        let scope = Self::scope(ctx)?;
        Ok(self.refreshed_on(scope).await?.map(|day| age_days(scope, day)))
    }
}

async fn refresh_dates(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, NaiveDate>, DbErr> {
    let reports = scope.owned::<report::Entity>().filter(report::Column::Id.is_in(ids));
    let reports = reports.all(scope.database()).await?;
    Ok(reports.into_iter().map(|report| (report.id, report.refreshed_on)).collect())
}

/// The feeds of tenants, in the order in which they are read.
pub async fn of_tenants(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<OfficeFeed>>, DbErr> {
    by(scope, Column::TenantId, ids, |row| Some(row.tenant_id)).await
}

/// The feeds that operations read, or read last, likewise.
pub async fn of_operations(
    scope: Scope<'_>,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<OfficeFeed>>, DbErr> {
    by(scope, Column::OperationId, ids, |row| row.operation_id).await
}

async fn by(
    scope: Scope<'_>,
    column: Column,
    ids: Vec<Uuid>,
    key: fn(&feed::Model) -> Option<Uuid>,
) -> Result<HashMap<Uuid, Vec<OfficeFeed>>, DbErr> {
    let mut rows = scope.owned::<feed::Entity>().filter(column.is_in(ids)).all(scope.database()).await?;
    rows.sort_by_key(|row| (row.kind, row.period));
    let mut found = HashMap::<Uuid, Vec<OfficeFeed>>::new();
    for feed in OfficeFeed::together(rows) {
        if let Some(id) = key(&feed.row) {
            found.entry(id).or_default().push(feed);
        }
    }
    Ok(found)
}
