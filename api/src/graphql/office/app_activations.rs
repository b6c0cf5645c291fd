//! The query `appActivations`.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::office::feed::Kind;

use super::ReportPeriod;
use super::current::{Current, connected};
use super::feed::OfficeFeed;
use crate::graphql::int;
use crate::graphql::scalars::Date;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct AppActivationsQuery;

#[Object(name = "AppActivationsQuery")]
impl AppActivationsQuery {
    /// On which platforms the users of a tenant used Microsoft 365 Apps over a period; null if the tenant is not
    /// connected to Office 365. Needs the role `VIEWER`, or the scope `reports:read`.
    async fn app_activations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(desc = "Over how many days.")] period: ReportPeriod,
    ) -> Option<AppActivations> {
        or_null(ctx, read(ctx, &tenant_id, period).await)
    }
}

async fn read(ctx: &Context<'_>, tenant_id: &ID, period: ReportPeriod) -> Result<Option<AppActivations>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let current = Current::read(scope, connection.tenant_id, Kind::AppUsage, period.days()).await;
    let current = current.map_err(|error| internal(&error))?;
    Ok(Some(AppActivations::from(&current)))
}

/// On which platforms the users of a tenant used Microsoft 365 Apps over a period. Null where the report does not say.
#[derive(SimpleObject)]
#[graphql(name = "AppActivations")]
pub struct AppActivations {
    /// The last day that the figures cover; null: no report was loaded yet, and `feed` says why.
    report_refresh_date: Option<Date>,
    /// How many days ago that is.
    age_days: Option<i32>,
    /// How the feed stands that they come from; null before the first load.
    feed: Option<OfficeFeed>,
    /// Users who are in the report.
    users: Option<i32>,
    /// Users who have activated the apps.
    activated: Option<i32>,
    /// Users of the apps on Windows.
    windows: Option<i32>,
    /// Users of the apps on macOS.
    mac: Option<i32>,
    /// Users of the apps on phones and tablets.
    mobile: Option<i32>,
    /// Users of the apps in a browser.
    web: Option<i32>,
}

impl From<&Current> for AppActivations {
    fn from(current: &Current) -> Self {
        let count = |name| current.figure(name).map(int);
        Self {
            report_refresh_date: current.report_refresh_date(),
            age_days: current.age_days(),
            feed: current.feed(),
            users: count("users"),
            activated: count("activated"),
            windows: count("windows"),
            mac: count("mac"),
            mobile: count("mobile"),
            web: count("web"),
        }
    }
}
