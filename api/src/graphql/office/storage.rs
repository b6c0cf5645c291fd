//! The query `storage`.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use entity::office::feed::Kind;
use entity::office::report_row::{self, Column};
use entity::office::{connection, report};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::OfficeUser;
use super::connection::ConcealedNames;
use super::current::{Current, connected};
use super::feed::OfficeFeed;
use super::user::{by_names, key_of};
use crate::graphql::batch::Batch;
use crate::graphql::pager::size_or_default;
use crate::graphql::scalars::{Date, Long};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

const USED: &str = "used_bytes";
const QUOTA: &str = "quota_bytes";
const COUNT: &str = "count";

/// What has storage.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "StorageKind")]
pub enum StorageKind {
    /// Mailboxes.
    Mailbox,
    /// The `OneDrive` of each user.
    Onedrive,
    /// `SharePoint` sites.
    Site,
}

impl StorageKind {
    /// The feed that tells of it.
    pub const fn feed(self) -> Kind {
        match self {
            Self::Mailbox => Kind::Mailboxes,
            Self::Onedrive => Kind::Onedrives,
            Self::Site => Kind::Sites,
        }
    }
}

/// The query of this file.
#[derive(Default)]
pub struct StorageQuery;

#[Object(name = "StorageQuery")]
impl StorageQuery {
    /// The storage that a tenant uses, how it grew, and where most of it is; null if the tenant is not connected to
    /// Office 365. Needs the role `VIEWER`, or the scope `reports:read`.
    async fn storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(desc = "The storage of what.")] kind: StorageKind,
    ) -> Option<Storage> {
        or_null(ctx, read(ctx, &tenant_id, kind).await)
    }
}

async fn read(ctx: &Context<'_>, tenant_id: &ID, kind: StorageKind) -> Result<Option<Storage>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let current = Current::longest(scope, connection.tenant_id, kind.feed()).await;
    let current = current.map_err(|error| internal(&error))?;
    Ok(Some(Storage { connection, current, kind }))
}

/// The storage that a tenant uses.
pub struct Storage {
    connection: connection::Model,
    current: Current,
    kind: StorageKind,
}

/// The storage that a tenant uses.
#[Object(name = "Storage")]
impl Storage {
    /// The last day that the figures cover; null: no report was loaded yet, and `feed` says why.
    async fn report_refresh_date(&self) -> Option<Date> {
        self.current.report_refresh_date()
    }

    /// How many days ago that is.
    async fn age_days(&self) -> Option<i32> {
        self.current.age_days()
    }

    /// How the feed stands that they come from; null before the first load.
    async fn feed(&self) -> Option<OfficeFeed> {
        self.current.feed()
    }

    /// Storage that is used, in bytes.
    async fn used_bytes(&self) -> Option<Long> {
        self.current.long(USED)
    }

    /// Storage that may be used, in bytes.
    async fn quota_bytes(&self) -> Option<Long> {
        self.current.long(QUOTA)
    }

    /// How many mailboxes or sites there are.
    async fn count(&self) -> Option<Long> {
        self.current.long(COUNT)
    }

    /// That names are concealed, so that `top` tells no users; null if they are not.
    async fn concealed_names(&self) -> Option<ConcealedNames> {
        self.current.concealed_names(&self.connection)
    }

    /// What it was in each report so far, the oldest first.
    async fn growth(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many reports, up to the newest: at most 500; 50 by default.")] last: Option<
            i32,
        >,
    ) -> Result<Vec<StorageThen>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let kind = self.kind.feed();
        let reports = scope
            .owned::<report::Entity>()
            .filter(report::Column::TenantId.eq(self.connection.tenant_id))
            .filter(report::Column::Kind.eq(kind))
            .filter(report::Column::Period.is_in(kind.periods().iter().copied()))
            .order_by_desc(report::Column::RefreshedOn)
            .limit(size_or_default(last)? as u64);
        let reports = reports.all(scope.database()).await.map_err(|error| internal(&error))?;
        Ok(reports.iter().rev().map(Into::into).collect())
    }

    /// Where most of it is, the largest first.
    async fn top(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: at most 500.", default = 10)] first: i32,
    ) -> Result<Vec<StorageItem>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let first = size_or_default(Some(first))?;
        let Some((_, rows)) = self.current.rows(scope) else { return Ok(Vec::new()) };
        let rows = rows
            .filter(Column::UsedBytes.is_not_null())
            .order_by_desc(Column::UsedBytes)
            .order_by_desc(Column::Id)
            .limit(first as u64);
        let rows = rows.all(scope.database()).await.map_err(|error| internal(&error))?;
        let has_users = self.kind != StorageKind::Site && !self.current.conceals_names();
        Ok(StorageItem::together(rows, has_users))
    }
}

/// What storage was used once.
#[derive(SimpleObject)]
#[graphql(name = "StorageThen")]
pub struct StorageThen {
    /// The last day that the report covers.
    report_refresh_date: Date,
    /// Storage that was used, in bytes; null: the report does not say.
    used_bytes: Option<Long>,
    /// Storage that could be used, in bytes; null: the report does not say.
    quota_bytes: Option<Long>,
    /// How many mailboxes or sites there were; null: the report does not say.
    count: Option<Long>,
}

impl From<&report::Model> for StorageThen {
    fn from(report: &report::Model) -> Self {
        let figure = |name| report.totals.as_ref().and_then(|totals| totals.get(name)).map(Into::into);
        Self {
            report_refresh_date: report.refreshed_on.into(),
            used_bytes: figure(USED),
            quota_bytes: figure(QUOTA),
            count: figure(COUNT),
        }
    }
}

/// A mailbox or a site.
pub struct StorageItem {
    row: report_row::Model,
    users: Option<Arc<Users>>,
}

struct Users {
    batch: Batch<OfficeUser>,
    names: Vec<String>,
}

impl StorageItem {
    fn together(rows: Vec<report_row::Model>, has_users: bool) -> Vec<Self> {
        let users = has_users.then(|| {
            Arc::new(Users {
                batch: Batch::of(rows.iter().map(|row| key_of(row.tenant_id, &row.folded_name))),
                names: rows.iter().map(|row| row.folded_name.clone()).collect(),
            })
        });
        rows.into_iter().map(|row| Self { row, users: users.clone() }).collect()
    }
}

/// A mailbox or a site, and its storage.
#[Object(name = "StorageItem")]
impl StorageItem {
    /// The principal name of its user, or its address; concealed, it stands for something without telling what.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// The name that people see.
    async fn display_name(&self) -> Option<&str> {
        self.row.display_name.as_deref()
    }

    /// Storage that is used, in bytes.
    async fn used_bytes(&self) -> Option<Long> {
        self.row.used_bytes.map(Into::into)
    }

    /// Storage that may be used, in bytes.
    async fn quota_bytes(&self) -> Option<Long> {
        self.row.quota_bytes.map(Into::into)
    }

    /// The day of the last activity in it; null: never.
    async fn last_activity(&self) -> Option<Date> {
        self.row.active_on.map(Into::into)
    }

    /// The user whose it is; null: nobody's, or not in the directory, or names are concealed.
    async fn user(&self, ctx: &Context<'_>) -> Option<&OfficeUser> {
        let (users, tenant_id) = (self.users.as_ref()?, self.row.tenant_id);
        let found = async {
            let scope = Scope::of(ctx, Permission::ReadReports)?;
            let read = |_| by_names(scope, tenant_id, users.names.clone());
            users.batch.get(key_of(tenant_id, &self.row.folded_name), read).await
        };
        or_null(ctx, found.await)
    }
}
