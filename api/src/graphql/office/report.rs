//! A report, and the query `reports`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::office::report::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::ReportPeriod;
use super::current::age_days;
use super::feed::OfficeFeedKind;
use crate::graphql::batch::Batch;
use crate::graphql::ids::Kind;
use crate::graphql::int;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::{Date, DateTime, Long};
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Identified, Row, Stored};
use crate::graphql::tenant::Tenant;
use crate::permission::Permission;

/// A report.
pub struct Report {
    row: report::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
}

impl Stored for Report {
    type Entity = report::Entity;
    const READ: Permission = Permission::ReadReports;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings { tenants: Batch::of(rows.iter().map(|row| row.tenant_id)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Report {
    const KIND: Kind = Kind::Report;
}

/// What a report adds up to, by name.
#[derive(SimpleObject)]
#[graphql(name = "ReportFigure")]
pub struct ReportFigure<'a> {
    /// The name of the figure, in lower snake case. New ones may be added.
    name: &'a str,
    /// The figure.
    value: Long,
}

/// A report: an Office 365 usage report snapshot. Its totals are kept for good.
/// Needs the role `VIEWER`, or the scope `reports:read`.
#[Object(name = "Report")]
impl Report {
    /// Its id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// The tenant.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<&Tenant> {
        self.siblings.tenants.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.tenant_id).await
    }

    /// What it is about.
    async fn kind(&self) -> OfficeFeedKind {
        self.row.kind.into()
    }

    /// The period that it counts over.
    async fn period(&self) -> Option<ReportPeriod> {
        ReportPeriod::of_days(self.row.period)
    }

    /// The last day that its figures cover.
    async fn report_refresh_date(&self) -> Date {
        self.row.refreshed_on.into()
    }

    /// How many days ago that is.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn age_days(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(age_days(Scope::of(ctx, Permission::ReadReports)?, self.row.refreshed_on))
    }

    /// When it was fetched.
    async fn fetched_at(&self) -> DateTime {
        self.row.fetched_at.into()
    }

    /// Rows that were read.
    async fn rows(&self) -> i32 {
        int(self.row.rows)
    }

    /// Rows that could not be read.
    async fn rows_refused(&self) -> i32 {
        int(self.row.refused)
    }

    /// Whether its names are concealed; null: it has no names.
    async fn conceals_names(&self) -> Option<bool> {
        self.row.conceals_names
    }

    /// What its rows add up to, by name.
    async fn totals(&self) -> Vec<ReportFigure<'_>> {
        let totals = self.row.totals.iter().flat_map(|totals| &totals.0);
        totals.map(|(name, value)| ReportFigure { name, value: (*value).into() }).collect()
    }
}

/// The query of this file.
#[derive(Default)]
pub struct Reports;

#[Object(name = "ReportQuery")]
impl Reports {
    /// The reports of a tenant, that with the newest report refresh date first.
    /// Needs the role `VIEWER`, or the scope `reports:read`.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(desc = "What they are about; anything by default.")] kind: Option<OfficeFeedKind>,
        #[graphql(desc = "The period that they count over; any by default.")] period: Option<ReportPeriod>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Report>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let tenant_id = Kind::Tenant.row(&tenant_id)?;
        let mut rows = scope.owned::<report::Entity>().filter(Column::TenantId.eq(tenant_id));
        if let Some(kind) = kind {
            rows = rows.filter(Column::Kind.eq(entity::office::Kind::from(kind)));
        }
        if let Some(period) = period {
            rows = rows.filter(Column::Period.eq(period.days()));
        }
        let sort = Sort {
            name: "refreshed_on",
            expression: Expr::col(Column::RefreshedOn.as_column_ref()),
            key: KeyOf::Day(|row: &report::Model| row.refreshed_on),
            direction: OrderDirection::Desc,
        };
        page(scope, rows, sort, &Paging { first, after, last, before }).await
    }
}
