//! An inactive user: a row of the report of the last activities.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entity::office::report_row::{self, Column};
use uuid::Uuid;

use super::OfficeUser;
use super::service::OfficeService;
use super::user::{by_names, key_of};
use crate::graphql::batch::Batch;
use crate::graphql::scalars::Date;
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::{Row, Stored};
use crate::permission::Permission;

/// An inactive user.
pub struct InactiveUser {
    row: report_row::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    users: Batch<OfficeUser>,
    names: Vec<String>,
}

impl Stored for InactiveUser {
    type Entity = report_row::Entity;
    const READ: Permission = Permission::ReadReports;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            users: Batch::of(rows.iter().map(|row| key_of(row.tenant_id, &row.folded_name))),
            names: rows.iter().map(|row| row.folded_name.clone()).collect(),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

/// The last activity in a service.
#[derive(SimpleObject)]
#[graphql(name = "ServiceActivity")]
pub struct ServiceActivity {
    /// The service.
    service: OfficeService,
    /// The day; null: never.
    last_activity: Option<Date>,
}

/// A user who was not active, as the report has it.
#[Object(name = "InactiveUser")]
impl InactiveUser {
    /// The name to sign in with.
    async fn principal_name(&self) -> &str {
        &self.row.name
    }

    /// The name that people see.
    async fn display_name(&self) -> Option<&str> {
        self.row.display_name.as_deref()
    }

    /// The day of the last activity in any service, whether it was asked for or not; null: never.
    async fn last_activity(&self) -> Option<Date> {
        days(&self.row).into_iter().map(|(_, day)| day).max().flatten().map(Into::into)
    }

    /// The day of the last activity in each service.
    async fn services(&self) -> Vec<ServiceActivity> {
        let days = days(&self.row).into_iter();
        let days = days.filter(|(service, _)| *service != OfficeService::Office365);
        days.map(|(service, day)| ServiceActivity { service, last_activity: day.map(Into::into) }).collect()
    }

    /// The user in the directory; null: it is not there, or has another name by now.
    async fn user(&self, ctx: &Context<'_>) -> Option<&OfficeUser> {
        let (tenant_id, siblings) = (self.row.tenant_id, &self.siblings);
        let found = async {
            let scope = Scope::of(ctx, Permission::ReadReports)?;
            let read = |_| by_names(scope, tenant_id, siblings.names.clone());
            siblings.users.get(key_of(tenant_id, &self.row.folded_name), read).await
        };
        or_null(ctx, found.await)
    }
}

fn days(row: &report_row::Model) -> [(OfficeService, Option<chrono::NaiveDate>); 7] {
    [
        (OfficeService::Office365, row.active_on),
        (OfficeService::Exchange, row.exchange_on),
        (OfficeService::Onedrive, row.onedrive_on),
        (OfficeService::Sharepoint, row.sharepoint_on),
        (OfficeService::Skype, row.skype_on),
        (OfficeService::Yammer, row.yammer_on),
        (OfficeService::Teams, row.teams_on),
    ]
}
