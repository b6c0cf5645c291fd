//! A CSV file of Office 365 rows, read page by page, as RFC 4180 has it.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use csv::{Terminator, WriterBuilder};
use entity::office::{group, report_row, user};
use sea_orm::{
    ActiveEnum, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use uuid::Uuid;

use super::super::archive::Pages;
use super::cell::neutralise;
use crate::graphql::{Reported, Sheet};

/// Rows that are read at once.
const PAGE: usize = 500;
const BOM: &[u8] = b"\xef\xbb\xbf";

const USERS: &[&str] = &[
    "entraUserId",
    "principalName",
    "displayName",
    "mail",
    "isEnabled",
    "isGuest",
    "department",
    "usageLocation",
    "licenceCount",
    "createdAt",
    "lastSignInAt",
];
const GROUPS: &[&str] = &[
    "entraGroupId",
    "displayName",
    "kind",
    "isMailEnabled",
    "isSecurityEnabled",
    "membershipRule",
    "memberCount",
    "createdAt",
];
const INACTIVE_USERS: &[&str] = &[
    "principalName",
    "displayName",
    "exchange",
    "onedrive",
    "sharepoint",
    "skype",
    "yammer",
    "teams",
    "reportRefreshDate",
];
const STORAGE: &[&str] =
    &["name", "displayName", "usedBytes", "quotaBytes", "lastActivity", "reportRefreshDate"];

/// What is still to be written.
pub(super) struct File {
    database: DatabaseConnection,
    sheet: Sheet,
    has_bom: bool,
    after: Uuid,
    has_begun: bool,
    is_over: bool,
}

/// A page: the cells of its rows, and the id of the last.
struct Page {
    rows: Vec<Vec<String>>,
    last: Option<Uuid>,
}

impl File {
    /// Of these rows; `has_bom` sets a mark of the byte order before it, by which Excel knows UTF-8.
    pub(super) fn new(database: DatabaseConnection, sheet: Sheet, has_bom: bool) -> Self {
        Self { database, sheet, has_bom, after: Uuid::nil(), has_begun: false, is_over: false }
    }

    const fn header(&self) -> &'static [&'static str] {
        match self.sheet {
            Sheet::Users { .. } => USERS,
            Sheet::Groups(_) => GROUPS,
            Sheet::InactiveUsers(_) => INACTIVE_USERS,
            Sheet::Storage(_) => STORAGE,
        }
    }

    async fn read(&self) -> Result<Page, DbErr> {
        match &self.sheet {
            Sheet::Users { rows, shows_sign_ins } => {
                let page = self.page(rows, user::Column::Id).await?;
                let cells = |row: &user::Model| user_cells(row, *shows_sign_ins);
                Ok(Page { last: page.last().map(|row| row.id), rows: page.iter().map(cells).collect() })
            }
            Sheet::Groups(rows) => {
                let page = self.page(rows, group::Column::Id).await?;
                Ok(Page { last: page.last().map(|row| row.id), rows: page.iter().map(group_cells).collect() })
            }
            Sheet::InactiveUsers(reported) => self.reported(reported, inactive_cells).await,
            Sheet::Storage(reported) => self.reported(reported, storage_cells).await,
        }
    }

    async fn page<E: EntityTrait>(&self, rows: &Select<E>, id: E::Column) -> Result<Vec<E::Model>, DbErr> {
        let page = rows.clone().filter(id.gt(self.after)).order_by_asc(id).limit(PAGE as u64);
        page.all(&self.database).await
    }

    /// Rows of a report go when a newer one has come: then what is left of them is not all.
    async fn reported(
        &self,
        reported: &Reported,
        cells: fn(&report_row::Model, NaiveDate) -> Vec<String>,
    ) -> Result<Page, DbErr> {
        let page = self.page(&reported.rows, report_row::Column::Id).await?;
        if page.len() < PAGE && reported.still_current.clone().one(&self.database).await?.is_none() {
            return Err(DbErr::Custom("a newer report has come while this one was exported".to_owned()));
        }
        let rows = page.iter().map(|row| cells(row, reported.refreshed_on)).collect();
        Ok(Page { last: page.last().map(|row| row.id), rows })
    }

    fn write(&mut self, page: &Page) -> Result<Vec<u8>, csv::Error> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let piece = if is_first && self.has_bom { BOM.to_vec() } else { Vec::new() };
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(piece);
        if is_first {
            writer.write_record(self.header())?;
        }
        for cells in &page.rows {
            writer.write_record(
                cells.iter().map(|cell| neutralise(cell)).map(|cell| cell.as_bytes().to_vec()),
            )?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

impl Pages for File {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.read().await?;
        self.is_over = page.rows.len() < PAGE;
        self.after = page.last.unwrap_or(self.after);
        self.write(&page).map(Some).map_err(|error| DbErr::Custom(error.to_string()))
    }
}

fn moment(moment: Option<DateTime<Utc>>) -> String {
    moment.map(|moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

fn day(day: Option<NaiveDate>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn number(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn user_cells(row: &user::Model, shows_sign_ins: bool) -> Vec<String> {
    vec![
        row.entra_user_id.to_string(),
        row.principal_name.clone(),
        row.display_name.clone(),
        row.mail.clone().unwrap_or_default(),
        row.is_enabled.to_string(),
        row.is_guest.to_string(),
        row.department.clone().unwrap_or_default(),
        row.usage_location.clone().unwrap_or_default(),
        row.licence_count.to_string(),
        moment(row.entra_created_at),
        moment(row.last_sign_in_at.filter(|_| shows_sign_ins)),
    ]
}

fn group_cells(row: &group::Model) -> Vec<String> {
    vec![
        row.entra_group_id.to_string(),
        row.display_name.clone(),
        row.kind.to_value(),
        row.is_mail_enabled.to_string(),
        row.is_security_enabled.to_string(),
        row.membership_rule.clone().unwrap_or_default(),
        row.member_count.to_string(),
        moment(row.entra_created_at),
    ]
}

fn inactive_cells(row: &report_row::Model, refreshed_on: NaiveDate) -> Vec<String> {
    vec![
        row.name.clone(),
        row.display_name.clone().unwrap_or_default(),
        day(row.exchange_on),
        day(row.onedrive_on),
        day(row.sharepoint_on),
        day(row.skype_on),
        day(row.yammer_on),
        day(row.teams_on),
        refreshed_on.to_string(),
    ]
}

fn storage_cells(row: &report_row::Model, refreshed_on: NaiveDate) -> Vec<String> {
    vec![
        row.name.clone(),
        row.display_name.clone().unwrap_or_default(),
        number(row.used_bytes),
        number(row.quota_bytes),
        day(row.active_on),
        refreshed_on.to_string(),
    ]
}
