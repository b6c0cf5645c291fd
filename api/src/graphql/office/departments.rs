//! The query `departments`.

use std::collections::BTreeMap;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::office::feed::Kind;
use entity::office::{connection, user};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use super::activity::{Activity, check_days, users, users_of};
use super::connection::ConcealedNames;
use super::current::{Current, connected};
use crate::graphql::int;
use crate::graphql::pager::{Key, Listing, Paging, Position, cut};
use crate::graphql::scalars::Date;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct DepartmentsQuery;

#[Object(name = "DepartmentsQuery")]
impl DepartmentsQuery {
    /// The users of a tenant, department by department, also where no report tells who is active; null if the tenant is
    /// not connected to Office 365. Needs the role `VIEWER`, or the scope `reports:read`.
    async fn departments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(
            desc = "Within how many days before the report refresh date a user was active: 1 to 180.",
            default = 30
        )]
        days: i32,
    ) -> Option<Departments> {
        or_null(ctx, read(ctx, &tenant_id, days).await)
    }
}

async fn read(ctx: &Context<'_>, tenant_id: &ID, days: i32) -> Result<Option<Departments>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let days = check_days(days)?;
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let current = Current::longest(scope, connection.tenant_id, Kind::UserActivity).await;
    let current = current.map_err(|error| internal(&error))?;
    Ok(Some(Departments { connection, current, days }))
}

/// The departments of a tenant.
pub struct Departments {
    connection: connection::Model,
    current: Current,
    days: u32,
}

/// The departments of a tenant.
#[Object(name = "Departments")]
impl Departments {
    /// The last day that the report of last activities covers; null: none was loaded yet.
    async fn report_refresh_date(&self) -> Option<Date> {
        self.current.report_refresh_date()
    }

    /// How many days ago that is.
    async fn age_days(&self) -> Option<i32> {
        self.current.age_days()
    }

    /// That names are concealed, so that nobody knows who is active; null if they are not.
    async fn concealed_names(&self) -> Option<ConcealedNames> {
        self.current.concealed_names(&self.connection)
    }

    /// Department by department, by name.
    async fn departments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Department>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let counted: Vec<_> =
            self.count(scope).await.map_err(|error| internal(&error))?.into_iter().collect();
        let position =
            |(name, _): &(String, Counts)| Position { key: Key::Text(name.clone()), id: Uuid::nil() };
        let together = |page: &[(String, Counts)]| {
            page.iter().map(|(name, counts)| Department::of(name, counts)).collect()
        };
        cut(&counted, "department", position, together, &Paging { first, after, last, before })
    }
}

/// Users of a department: all, enabled, licensed, and active where that is known.
#[derive(Default)]
struct Counts {
    users: i64,
    enabled: i64,
    licensed: i64,
    active: Option<i64>,
}

impl Departments {
    async fn count(&self, scope: Scope<'_>) -> Result<BTreeMap<String, Counts>, DbErr> {
        let all = || users(scope, self.connection.tenant_id);
        let activity = Activity::of(scope, &self.current, self.days);
        let none_active = || activity.as_ref().map(|_| 0);
        let mut counts = BTreeMap::<String, Counts>::new();
        for (name, users) in by_department(scope, all()).await? {
            let of =
                counts.entry(name).or_insert_with(|| Counts { active: none_active(), ..Counts::default() });
            of.users += users;
        }
        for (name, users) in by_department(scope, all().filter(user::Column::IsEnabled.eq(true))).await? {
            counts.entry(name).or_default().enabled += users;
        }
        for (name, users) in by_department(scope, all().filter(user::Column::LicenceCount.gt(0))).await? {
            counts.entry(name).or_default().licensed += users;
        }
        if let Some(activity) = &activity {
            for (name, users) in by_department(scope, users_of(all(), activity.active())).await? {
                *counts.entry(name).or_default().active.get_or_insert_default() += users;
            }
        }
        Ok(counts)
    }
}

/// How many of these users each department has; those without one are in that without a name.
async fn by_department(scope: Scope<'_>, users: Select<user::Entity>) -> Result<Vec<(String, i64)>, DbErr> {
    let counts = users
        .select_only()
        .column(user::Column::Department)
        .expr(Expr::cust("count(*)"))
        .group_by(user::Column::Department)
        .into_tuple::<(Option<String>, i64)>();
    let counts = counts.all(scope.database()).await?;
    Ok(counts.into_iter().map(|(name, users)| (name.unwrap_or_default(), users)).collect())
}

/// The users of a department.
#[derive(SimpleObject)]
#[graphql(name = "Department")]
pub struct Department {
    /// Its name, as it is written in the directory; null: the users who have none.
    name: Option<String>,
    /// How many users it has.
    users: i32,
    /// How many of these may sign in.
    enabled: i32,
    /// How many of these have licences.
    licensed: i32,
    /// How many of these were active; null: names are concealed, or no report was loaded yet.
    active: Option<i32>,
}

impl Department {
    fn of(name: &str, counts: &Counts) -> Self {
        Self {
            name: Some(name).filter(|name| !name.is_empty()).map(str::to_owned),
            users: int(counts.users),
            enabled: int(counts.enabled),
            licensed: int(counts.licensed),
            active: counts.active.map(int),
        }
    }
}
