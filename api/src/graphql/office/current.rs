//! The current report of a feed: which it is, how old, and its rows.

use async_graphql::{ID, Result};
use chrono::NaiveDate;
use entity::office::{connection, feed, report, report_row};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, Select};
use uuid::Uuid;

use super::connection::ConcealedNames;
use super::feed::OfficeFeed;
use crate::graphql::ids::Kind;
use crate::graphql::scalars::{Date, Long};
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::object;

/// How many days ago a day was, by our clock.
pub fn age_days(scope: Scope<'_>, day: NaiveDate) -> i32 {
    let age = scope.services.clock.now().date_naive().signed_duration_since(day).num_days();
    i32::try_from(age).unwrap_or(i32::MAX)
}

/// The connection of the tenant that `id` names, if the viewer can see one.
pub async fn connected(scope: Scope<'_>, id: &ID) -> Result<Option<connection::Model>> {
    connection_of(scope, Kind::Tenant.row(id)?).await.map_err(|error| internal(&error))
}

/// The connection of this tenant, likewise.
pub async fn connection_of(scope: Scope<'_>, tenant_id: Uuid) -> Result<Option<connection::Model>, DbErr> {
    let found = scope.owned::<connection::Entity>().filter(connection::Column::TenantId.eq(tenant_id));
    found.one(scope.database()).await
}

/// What a feed shows now.
#[derive(Clone)]
pub struct Current {
    pub feed: Option<feed::Model>,
    pub report: Option<report::Model>,
    age_days: Option<i32>,
}

impl Current {
    /// Of a tenant's feed.
    pub async fn read(
        scope: Scope<'_>,
        tenant_id: Uuid,
        kind: feed::Kind,
        period: i32,
    ) -> Result<Self, DbErr> {
        let id = feed::id_of(tenant_id, kind, period);
        let database = scope.database();
        let feed = scope.owned::<feed::Entity>().filter(feed::Column::Id.eq(id)).one(database).await?;
        let report = match feed.as_ref().and_then(|feed| feed.report_id) {
            Some(id) => {
                let report = scope.owned::<report::Entity>().filter(report::Column::Id.eq(id));
                report.one(database).await?
            }
            None => None,
        };
        let age_days = report.as_ref().map(|report| age_days(scope, report.refreshed_on));
        Ok(Self { feed, report, age_days })
    }

    /// Of a feed whose figures do not depend on the period, of which the longest is read.
    pub async fn longest(scope: Scope<'_>, tenant_id: Uuid, kind: feed::Kind) -> Result<Self, DbErr> {
        Self::read(scope, tenant_id, kind, kind.periods().last().copied().unwrap_or_default()).await
    }

    /// The last day that its figures cover.
    pub fn report_refresh_date(&self) -> Option<Date> {
        self.report.as_ref().map(|report| report.refreshed_on.into())
    }

    /// How many days ago that is.
    pub fn age_days(&self) -> Option<i32> {
        self.age_days
    }

    /// How the feed stands.
    pub fn feed(&self) -> Option<OfficeFeed> {
        self.feed.clone().and_then(object)
    }

    /// What the report adds up to, under this name.
    pub fn figure(&self, name: &str) -> Option<i64> {
        self.report.as_ref()?.totals.as_ref()?.get(name)
    }

    /// The same, where it may be large.
    pub fn long(&self, name: &str) -> Option<Long> {
        self.figure(name).map(Into::into)
    }

    /// Whether its names stand for nobody that we know.
    pub fn conceals_names(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.conceals_names == Some(true))
    }

    /// That they are concealed, if they are, and what to do.
    pub fn concealed_names(&self, connection: &connection::Model) -> Option<ConcealedNames> {
        let report = self.report.as_ref().filter(|_| self.conceals_names())?;
        Some(ConcealedNames::of(connection, Some(report)))
    }

    /// Its report and its rows, if it has been loaded; deleted users, mailboxes and sites are not among them.
    pub fn rows(&self, scope: Scope<'_>) -> Option<(&report::Model, Select<report_row::Entity>)> {
        let (feed, report) = (self.feed.as_ref()?, self.report.as_ref()?);
        let rows = scope
            .owned::<report_row::Entity>()
            .filter(report_row::Column::FeedId.eq(feed.id))
            .filter(report_row::Column::LoadId.eq(feed.load_id?))
            .filter(report_row::Column::IsDeleted.eq(false));
        Some((report, rows))
    }
}
