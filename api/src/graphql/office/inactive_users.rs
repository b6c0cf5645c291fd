//! The query `inactiveUsers`.

use async_graphql::{Context, ID, Object, Result, SimpleObject, Union};
use entity::office::feed::{self, Kind};
use entity::office::report_row::{self, Column};
use sea_orm::Select;

use super::activity::{Activity, check_days};
use super::connection::ConcealedNames;
use super::current::{Current, connected};
use super::feed::OfficeFeed;
use super::inactive_user::InactiveUser;
use super::permission::{NotGranted, REPORTS};
use super::service::OfficeService;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::scalars::Date;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::text::folded;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct InactiveUsersQuery;

#[Object(name = "InactiveUsersQuery")]
impl InactiveUsersQuery {
    /// The users of a tenant who were not active in any of these services for so many days before the report refresh
    /// date, or ever, and were there for as long; null if the tenant is not connected to Office 365.
    /// Needs the role `VIEWER`, or the scope `reports:read`.
    async fn inactive_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(desc = "For how many days: 1 to 180.")] days: i32,
        #[graphql(desc = "In which services: all of them by default. An empty list is the same.")]
        services: Option<Vec<OfficeService>>,
    ) -> Option<InactiveUsers> {
        or_null(ctx, read(ctx, &tenant_id, days, services.unwrap_or_default()).await)
    }
}

async fn read(
    ctx: &Context<'_>,
    tenant_id: &ID,
    days: i32,
    mut services: Vec<OfficeService>,
) -> Result<Option<InactiveUsers>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let days = check_days(days)?;
    check_length("services", &services)?;
    if services.is_empty() {
        services.push(OfficeService::Office365);
    }
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let current = Current::longest(scope, connection.tenant_id, Kind::UserActivity).await;
    let current = current.map_err(|error| internal(&error))?;
    if let Some(concealed) = current.concealed_names(&connection) {
        return Ok(Some(InactiveUsers::ConcealedNames(concealed)));
    }
    let Some(activity) = Activity::of(scope, &current, days) else {
        let is_refused = connection.permissions.is_some() && !connection.may(REPORTS)
            || current.feed.as_ref().is_some_and(|feed| feed.state == feed::State::NotGranted);
        return Ok(Some(if is_refused {
            InactiveUsers::NotGranted(NotGranted { permission: REPORTS })
        } else {
            InactiveUsers::NotLoaded(NotLoaded { feed: current.feed().map(Box::new) })
        }));
    };
    let rows = activity.inactive(&services);
    Ok(Some(InactiveUsers::Users(InactiveUserList { current: Box::new(current), rows: Box::new(rows) })))
}

/// Users who were not active, or why they are not known.
#[derive(Union)]
#[graphql(name = "InactiveUsers")]
pub enum InactiveUsers {
    /// They are known.
    Users(InactiveUserList),
    /// The report conceals names.
    ConcealedNames(ConcealedNames),
    /// The permission is not granted.
    NotGranted(NotGranted),
    /// No report was loaded yet.
    NotLoaded(NotLoaded),
}

/// No report was loaded yet.
#[derive(SimpleObject)]
#[graphql(name = "NotLoaded")]
pub struct NotLoaded {
    /// How the feed stands that it would come from; null before the first load.
    feed: Option<Box<OfficeFeed>>,
}

/// Users who were not active.
pub struct InactiveUserList {
    current: Box<Current>,
    rows: Box<Select<report_row::Entity>>,
}

/// Users who were not active.
#[Object(name = "InactiveUserList")]
impl InactiveUserList {
    /// The last day that the report covers; the days are counted back from it.
    async fn report_refresh_date(&self) -> Option<Date> {
        self.current.report_refresh_date()
    }

    /// How many days ago that is.
    async fn age_days(&self) -> Option<i32> {
        self.current.age_days()
    }

    /// The users, by the name to sign in with.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<InactiveUser>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let sort = Sort {
            name: "principal_name",
            expression: folded(scope.backend(), Column::FoldedName),
            key: KeyOf::Text(|row: &report_row::Model| row.folded_name.to_ascii_lowercase()),
            direction: OrderDirection::Asc,
        };
        page(scope, (*self.rows).clone(), sort, &Paging { first, after, last, before }).await
    }
}
