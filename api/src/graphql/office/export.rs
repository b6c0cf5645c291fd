//! What of Office 365 is exported: which rows, and for whom.

use async_graphql::ID;
use chrono::NaiveDate;
use entity::audit_event::{Action, ObjectKind, Record};
use entity::office::{connection, feed, group, report_row, user};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, Select};
use serde_json::json;

use super::activity::{Activity, users};
use super::current::{Current, connection_of};
use super::permission::SIGN_INS;
use super::service::OfficeService;
use super::storage::StorageKind;
use crate::graphql::ids::Kind;
use crate::graphql::scope::Scope;
use crate::services::Services;
use crate::viewer::{Origin, Viewer};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Users,
    Groups,
    /// Who were active in no service for so many days.
    InactiveUsers(u32),
    Mailboxes,
    Onedrives,
    Sites,
}

/// Rows to export.
pub(crate) enum Sheet {
    Users { rows: Select<user::Entity>, shows_sign_ins: bool },
    Groups(Select<group::Entity>),
    InactiveUsers(Reported),
    Storage(Reported),
}

/// Rows of a report.
pub(crate) struct Reported {
    pub(crate) rows: Select<report_row::Entity>,
    pub(crate) refreshed_on: NaiveDate,
    /// Finds the feed as long as its rows are the current ones.
    pub(crate) still_current: Select<feed::Entity>,
}

/// Why there is nothing to export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    NoTenant,
    NotLoaded,
    Concealed,
}

/// What is wanted of a tenant, for a viewer who may read reports. That it is exported goes into the audit.
pub(crate) async fn begin(
    services: &Services,
    viewer: Viewer,
    origin: &Origin,
    tenant: &str,
    wanted: Wanted,
) -> Result<Result<Sheet, Unavailable>, DbErr> {
    let scope = Scope { services, viewer, origin: Some(origin) };
    let Ok(tenant_id) = Kind::Tenant.row(&ID::from(tenant)) else { return Ok(Err(Unavailable::NoTenant)) };
    let Some(connection) = connection_of(scope, tenant_id).await? else {
        return Ok(Err(Unavailable::NoTenant));
    };
    let sheet = match sheet(scope, &connection, wanted).await? {
        Ok(sheet) => sheet,
        Err(unavailable) => return Ok(Err(unavailable)),
    };
    let record = Record::of(Action::ReportsExported, ObjectKind::Tenant, tenant_id)
        .after(json!({ "rows": wanted.name(), "days": wanted.days() }));
    let transaction = scope.begin().await?;
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Ok(sheet))
}

impl Wanted {
    /// As files and paths call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::InactiveUsers(_) => "inactive-users",
            Self::Mailboxes => "mailboxes",
            Self::Onedrives => "onedrives",
            Self::Sites => "sites",
        }
    }

    const fn days(self) -> Option<u32> {
        if let Self::InactiveUsers(days) = self { Some(days) } else { None }
    }
}

async fn sheet(
    scope: Scope<'_>,
    connection: &connection::Model,
    wanted: Wanted,
) -> Result<Result<Sheet, Unavailable>, DbErr> {
    let tenant_id = connection.tenant_id;
    let storage = match wanted {
        Wanted::Users => {
            let (rows, shows_sign_ins) = (users(scope, tenant_id), connection.may(SIGN_INS));
            return Ok(Ok(Sheet::Users { rows, shows_sign_ins }));
        }
        Wanted::Groups => {
            let rows = scope.owned::<group::Entity>().filter(group::Column::TenantId.eq(tenant_id));
            return Ok(Ok(Sheet::Groups(rows.filter(group::Column::DeletedAt.is_null()))));
        }
        Wanted::InactiveUsers(days) => {
            let current = Current::longest(scope, tenant_id, feed::Kind::UserActivity).await?;
            if current.conceals_names() {
                return Ok(Err(Unavailable::Concealed));
            }
            let rows = Activity::of(scope, &current, days);
            let rows = rows.map(|activity| activity.inactive(&[OfficeService::Office365]));
            return Ok(reported(scope, &current, rows).map(Sheet::InactiveUsers));
        }
        Wanted::Mailboxes => StorageKind::Mailbox,
        Wanted::Onedrives => StorageKind::Onedrive,
        Wanted::Sites => StorageKind::Site,
    };
    let current = Current::longest(scope, tenant_id, storage.feed()).await?;
    let rows = current.rows(scope).map(|(_, rows)| rows);
    Ok(reported(scope, &current, rows).map(Sheet::Storage))
}

fn reported(
    scope: Scope<'_>,
    current: &Current,
    rows: Option<Select<report_row::Entity>>,
) -> Result<Reported, Unavailable> {
    let (Some(feed), Some(report), Some(rows)) = (&current.feed, &current.report, rows) else {
        return Err(Unavailable::NotLoaded);
    };
    let still_current = scope
        .owned::<feed::Entity>()
        .filter(feed::Column::Id.eq(feed.id))
        .filter(feed::Column::LoadId.eq(feed.load_id));
    Ok(Reported { rows, refreshed_on: report.refreshed_on, still_current })
}
