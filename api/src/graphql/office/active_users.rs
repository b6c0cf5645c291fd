//! The query `activeUsers`.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{Days, NaiveDate};
use entity::office::active_users::{self, Column};
use entity::office::feed::Kind;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::ReportPeriod;
use super::current::{Current, age_days, connected};
use super::feed::OfficeFeed;
use super::service::OfficeService;
use crate::graphql::int;
use crate::graphql::scalars::Date;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct ActiveUsersQuery;

#[Object(name = "ActiveUsersQuery")]
impl ActiveUsersQuery {
    /// How many users of a tenant were active, day by day and service by service; null if the tenant is not connected to
    /// Office 365. Needs the role `VIEWER`, or the scope `reports:read`.
    async fn active_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(desc = "Over how many days.")] period: ReportPeriod,
    ) -> Option<ActiveUsers> {
        or_null(ctx, read(ctx, &tenant_id, period).await)
    }
}

async fn read(ctx: &Context<'_>, tenant_id: &ID, period: ReportPeriod) -> Result<Option<ActiveUsers>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let tenant_id = connection.tenant_id;
    let newest = scope
        .owned::<active_users::Entity>()
        .filter(Column::TenantId.eq(tenant_id))
        .order_by_desc(Column::Day)
        .limit(1);
    let newest = newest.one(scope.database()).await.map_err(|error| internal(&error))?;
    let feed = Current::longest(scope, tenant_id, Kind::ActiveUsers).await;
    let feed = feed.map_err(|error| internal(&error))?.feed();
    let newest = newest.map(|day| day.refreshed_on);
    Ok(Some(ActiveUsers { tenant_id, period, newest, age: newest.map(|day| age_days(scope, day)), feed }))
}

/// How many users were active.
pub struct ActiveUsers {
    tenant_id: Uuid,
    period: ReportPeriod,
    newest: Option<NaiveDate>,
    age: Option<i32>,
    feed: Option<OfficeFeed>,
}

/// How many users of a tenant were active.
#[Object(name = "ActiveUsers")]
impl ActiveUsers {
    /// The last day that `days` cover; null: no report was loaded yet, and `feed` says why.
    async fn report_refresh_date(&self) -> Option<Date> {
        self.newest.map(Into::into)
    }

    /// How many days ago that is.
    async fn age_days(&self) -> Option<i32> {
        self.age
    }

    /// How the feed stands that `days` come from; null before the first load.
    async fn feed(&self) -> Option<&OfficeFeed> {
        self.feed.as_ref()
    }

    /// Day by day, the oldest first; what is not known of a day is null, and a day of which nothing is known is left out.
    async fn days(&self, ctx: &Context<'_>) -> Result<Vec<ActiveUsersDay>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let Some(newest) = self.newest else { return Ok(Vec::new()) };
        let before = Days::new(self.period.days().unsigned_abs().into());
        let rows = scope
            .owned::<active_users::Entity>()
            .filter(Column::TenantId.eq(self.tenant_id))
            .filter(Column::Day.gt(newest.checked_sub_days(before).unwrap_or(newest)))
            .filter(Column::Day.lte(newest))
            .order_by_asc(Column::Day);
        let rows = rows.all(scope.database()).await.map_err(|error| internal(&error))?;
        Ok(rows.iter().map(Into::into).collect())
    }

    /// Service by service, over the whole period; empty: no report was loaded yet.
    async fn services(&self, ctx: &Context<'_>) -> Result<Vec<ServiceUsers>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let current = Current::read(scope, self.tenant_id, Kind::ServiceUsers, self.period.days()).await;
        let current = current.map_err(|error| internal(&error))?;
        let Some(refreshed) = current.report_refresh_date() else { return Ok(Vec::new()) };
        let figure =
            |service: OfficeService, what| current.figure(&format!("{}.{what}", service.figure())).map(int);
        let users = |service| ServiceUsers {
            service,
            active: figure(service, "active"),
            inactive: figure(service, "inactive"),
            report_refresh_date: refreshed,
            age_days: current.age_days().unwrap_or_default(),
        };
        Ok(OfficeService::ALL.into_iter().map(users).collect())
    }
}

/// How many users were active on a day; null where that is not known.
#[derive(SimpleObject)]
#[graphql(name = "ActiveUsersDay")]
pub struct ActiveUsersDay {
    /// The day.
    day: Date,
    /// In any service.
    #[graphql(name = "office365")]
    office_365: Option<i32>,
    /// In Exchange.
    exchange: Option<i32>,
    /// In `OneDrive`.
    onedrive: Option<i32>,
    /// In `SharePoint`.
    sharepoint: Option<i32>,
    /// In Skype for Business.
    skype: Option<i32>,
    /// In Yammer, which is Viva Engage now.
    yammer: Option<i32>,
    /// In Teams.
    teams: Option<i32>,
}

impl From<&active_users::Model> for ActiveUsersDay {
    fn from(row: &active_users::Model) -> Self {
        Self {
            day: row.day.into(),
            office_365: row.office_365.map(int),
            exchange: row.exchange.map(int),
            onedrive: row.onedrive.map(int),
            sharepoint: row.sharepoint.map(int),
            skype: row.skype.map(int),
            yammer: row.yammer.map(int),
            teams: row.teams.map(int),
        }
    }
}

/// How many users were active in a service over a period, and how many were not.
#[derive(SimpleObject)]
#[graphql(name = "ServiceUsers")]
pub struct ServiceUsers {
    /// The service.
    service: OfficeService,
    /// Who were active; null: the report does not say.
    active: Option<i32>,
    /// Who were not, of those who could be; null: the report does not say.
    inactive: Option<i32>,
    /// The last day that the period covers.
    report_refresh_date: Date,
    /// How many days ago that is.
    age_days: i32,
}
