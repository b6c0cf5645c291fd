//! Who was active and who was not, by the report of the last activities. What is newer than the report refresh date it
//! cannot know, so days are counted back from there and never from today.

use async_graphql::Result;
use chrono::{Days, NaiveDate, NaiveTime};
use entity::office::{report_row, user};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ColumnTrait, Condition, QueryFilter, QuerySelect, QueryTrait, Select};
use uuid::Uuid;

use super::current::Current;
use super::service::OfficeService;
use crate::error::ErrorCode;
use crate::graphql::scope::Scope;

/// The days for which last activities are of use: reports count over no more.
const DAYS: std::ops::RangeInclusive<i32> = 1..=180;

/// The days that were asked for, within bounds.
pub fn check_days(days: i32) -> Result<u32> {
    u32::try_from(days).ok().filter(|_| DAYS.contains(&days)).ok_or_else(|| {
        let message = format!("days is {days}; it has to be from {} to {}.", DAYS.start(), DAYS.end());
        ErrorCode::BadInput.error(message)
    })
}

/// Who was active in the days before a report refresh date.
pub struct Activity<'a> {
    scope: Scope<'a>,
    tenant_id: Uuid,
    rows: Select<report_row::Entity>,
    since: NaiveDate,
}

impl<'a> Activity<'a> {
    /// By the current report. None: there is none, or its names are concealed and stand for nobody.
    pub fn of(scope: Scope<'a>, current: &Current, days: u32) -> Option<Self> {
        let (report, rows) = current.rows(scope).filter(|_| !current.conceals_names())?;
        let since = report.refreshed_on.checked_sub_days(Days::new(days.into()))?;
        Some(Self { scope, tenant_id: report.tenant_id, rows, since })
    }

    /// Those who were active, in any service.
    pub fn active(&self) -> Select<report_row::Entity> {
        let since = self.since;
        let columns = OfficeService::Office365.columns().iter();
        self.rows.clone().filter(columns.fold(Condition::any(), |any, column| any.add(column.gte(since))))
    }

    /// Those who were active in none of these services. Who was not there yet when the days began is not among them.
    pub fn inactive(&self, services: &[OfficeService]) -> Select<report_row::Entity> {
        let since = self.since;
        let idle = |column: &report_row::Column| Condition::any().add(column.is_null()).add(column.lt(since));
        let columns = services.iter().flat_map(|service| service.columns());
        self.rows
            .clone()
            .filter(columns.fold(Condition::all(), |all, column| all.add(idle(column))))
            .filter(report_row::Column::FoldedName.not_in_subquery(self.newcomers()))
    }

    /// The names of users who were made since the days began.
    fn newcomers(&self) -> SelectStatement {
        let since = self.since.and_time(NaiveTime::MIN).and_utc();
        self.scope
            .owned::<user::Entity>()
            .filter(user::Column::TenantId.eq(self.tenant_id))
            .filter(user::Column::EntraCreatedAt.gte(since))
            .select_only()
            .column(user::Column::FoldedName)
            .into_query()
    }
}

/// Of the users of a tenant who are there, those whom these rows are about.
pub fn users_of(list: Select<user::Entity>, rows: Select<report_row::Entity>) -> Select<user::Entity> {
    let names = rows.select_only().column(report_row::Column::FoldedName).into_query();
    list.filter(user::Column::FoldedName.in_subquery(names))
}

/// The users of a tenant who are there.
pub fn users(scope: Scope<'_>, tenant_id: Uuid) -> Select<user::Entity> {
    let list = scope.owned::<user::Entity>().filter(user::Column::TenantId.eq(tenant_id));
    list.filter(user::Column::DeletedAt.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_bounds_that_the_refusal_names() {
        assert_eq!((check_days(1).unwrap(), check_days(180).unwrap()), (1, 180));
        for days in [i32::MIN, -1, 0, 181, i32::MAX] {
            assert!(check_days(days).unwrap_err().message.contains("from 1 to 180"), "{days}");
        }
    }
}
