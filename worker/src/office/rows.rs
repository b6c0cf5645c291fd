//! What is kept of each report: a row for each user, mailbox or site, and what they add up to.

use chrono::NaiveDate;
use entity::office::{Figures, feed, fold, report_row};
use microsoft::{ActiveUser, AppUser, Mailbox, OneDrive, Report, ServiceCounts, Site, TeamsUser};
use sea_orm::Set;
use uuid::Uuid;

/// A report whose rows are kept, or only what they add up to.
pub(super) trait Kept: Report {
    /// Adds it to the totals.
    fn add(&self, totals: &mut Figures);

    /// What is kept of it; none: only the totals.
    fn row(self) -> Option<Row>;
}

/// What is kept of a row.
#[derive(Default)]
pub(super) struct Row {
    name: String,
    display_name: Option<String>,
    is_deleted: bool,
    active_on: Option<NaiveDate>,
    exchange_on: Option<NaiveDate>,
    onedrive_on: Option<NaiveDate>,
    sharepoint_on: Option<NaiveDate>,
    teams_on: Option<NaiveDate>,
    yammer_on: Option<NaiveDate>,
    skype_on: Option<NaiveDate>,
    used_bytes: Option<i64>,
    quota_bytes: Option<i64>,
    details: Figures,
}

impl Row {
    pub(super) fn stored(self, feed: &feed::Model, load_id: Uuid) -> report_row::ActiveModel {
        report_row::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(feed.organization_id),
            tenant_id: Set(feed.tenant_id),
            feed_id: Set(feed.id),
            load_id: Set(load_id),
            folded_name: Set(fold(&self.name)),
            name: Set(self.name),
            display_name: Set(self.display_name),
            is_deleted: Set(self.is_deleted),
            active_on: Set(self.active_on),
            exchange_on: Set(self.exchange_on),
            onedrive_on: Set(self.onedrive_on),
            sharepoint_on: Set(self.sharepoint_on),
            teams_on: Set(self.teams_on),
            yammer_on: Set(self.yammer_on),
            skype_on: Set(self.skype_on),
            used_bytes: Set(self.used_bytes),
            quota_bytes: Set(self.quota_bytes),
            details: Set((!self.details.0.is_empty()).then_some(self.details)),
        }
    }
}

/// A count or a number of bytes as the database has it.
pub(super) fn number(told: Option<u64>) -> Option<i64> {
    told.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

fn figures<const N: usize>(told: [(&str, Option<u64>); N]) -> Figures {
    let mut figures = Figures::default();
    for (name, value) in told {
        if let Some(value) = number(value) {
            figures.add(name, value);
        }
    }
    figures
}

fn add_all(totals: &mut Figures, more: &Figures) {
    for (name, value) in &more.0 {
        totals.add(name, *value);
    }
}

/// What is deleted uses storage no more, and is only counted.
fn add_storage(
    totals: &mut Figures,
    is_deleted: bool,
    used: Option<u64>,
    quota: Option<u64>,
    details: &Figures,
) {
    if is_deleted {
        return totals.add("deleted", 1);
    }
    totals.add("count", 1);
    totals.add("used_bytes", number(used).unwrap_or_default());
    totals.add("quota_bytes", number(quota).unwrap_or_default());
    add_all(totals, details);
}

impl Kept for ActiveUser {
    fn add(&self, totals: &mut Figures) {
        totals.add(if self.is_deleted == Some(true) { "deleted" } else { "users" }, 1);
    }

    fn row(self) -> Option<Row> {
        let days = [
            self.exchange_last_activity_on,
            self.one_drive_last_activity_on,
            self.share_point_last_activity_on,
            self.teams_last_activity_on,
            self.yammer_last_activity_on,
            self.skype_last_activity_on,
        ];
        Some(Row {
            active_on: days.into_iter().flatten().max(),
            name: self.principal_name,
            display_name: self.display_name,
            is_deleted: self.is_deleted.unwrap_or(false),
            exchange_on: self.exchange_last_activity_on,
            onedrive_on: self.one_drive_last_activity_on,
            sharepoint_on: self.share_point_last_activity_on,
            teams_on: self.teams_last_activity_on,
            yammer_on: self.yammer_last_activity_on,
            skype_on: self.skype_last_activity_on,
            ..Row::default()
        })
    }
}

impl Kept for ServiceCounts {
    fn add(&self, totals: &mut Figures) {
        add_all(
            totals,
            &figures([
                ("office365.active", self.office_365_active),
                ("office365.inactive", self.office_365_inactive),
                ("exchange.active", self.exchange_active),
                ("exchange.inactive", self.exchange_inactive),
                ("onedrive.active", self.one_drive_active),
                ("onedrive.inactive", self.one_drive_inactive),
                ("sharepoint.active", self.share_point_active),
                ("sharepoint.inactive", self.share_point_inactive),
                ("skype.active", self.skype_active),
                ("skype.inactive", self.skype_inactive),
                ("yammer.active", self.yammer_active),
                ("yammer.inactive", self.yammer_inactive),
                ("teams.active", self.teams_active),
                ("teams.inactive", self.teams_inactive),
            ]),
        );
    }

    fn row(self) -> Option<Row> {
        None
    }
}

impl Kept for Mailbox {
    fn add(&self, totals: &mut Figures) {
        let details = figures([("items", self.item_count)]);
        let is_deleted = self.is_deleted.unwrap_or(false);
        let quota = self.prohibit_send_receive_quota_bytes;
        add_storage(totals, is_deleted, self.storage_used_bytes, quota, &details);
    }

    fn row(self) -> Option<Row> {
        Some(Row {
            name: self.principal_name,
            display_name: self.display_name,
            is_deleted: self.is_deleted.unwrap_or(false),
            active_on: self.last_activity_on,
            used_bytes: number(self.storage_used_bytes),
            quota_bytes: number(self.prohibit_send_receive_quota_bytes),
            details: figures([
                ("items", self.item_count),
                ("deleted_items", self.deleted_item_count),
                ("warning_quota_bytes", self.issue_warning_quota_bytes),
            ]),
            ..Row::default()
        })
    }
}

impl Kept for OneDrive {
    fn add(&self, totals: &mut Figures) {
        let details = figures([("files", self.file_count), ("active_files", self.active_file_count)]);
        let is_deleted = self.is_deleted.unwrap_or(false);
        add_storage(totals, is_deleted, self.storage_used_bytes, self.storage_allocated_bytes, &details);
    }

    fn row(self) -> Option<Row> {
        Some(Row {
            name: self.owner_principal_name.or(self.site_url).or(self.site_id).unwrap_or_default(),
            display_name: self.owner_display_name,
            is_deleted: self.is_deleted.unwrap_or(false),
            active_on: self.last_activity_on,
            used_bytes: number(self.storage_used_bytes),
            quota_bytes: number(self.storage_allocated_bytes),
            details: figures([("files", self.file_count), ("active_files", self.active_file_count)]),
            ..Row::default()
        })
    }
}

impl Kept for Site {
    fn add(&self, totals: &mut Figures) {
        let details = figures([
            ("files", self.file_count),
            ("active_files", self.active_file_count),
            ("page_views", self.page_view_count),
        ]);
        let is_deleted = self.is_deleted.unwrap_or(false);
        add_storage(totals, is_deleted, self.storage_used_bytes, self.storage_allocated_bytes, &details);
    }

    fn row(self) -> Option<Row> {
        Some(Row {
            // A tenant that conceals names leaves the address out.
            name: self.site_url.unwrap_or(self.site_id),
            display_name: self.owner_display_name,
            is_deleted: self.is_deleted.unwrap_or(false),
            active_on: self.last_activity_on,
            used_bytes: number(self.storage_used_bytes),
            quota_bytes: number(self.storage_allocated_bytes),
            details: figures([
                ("files", self.file_count),
                ("active_files", self.active_file_count),
                ("page_views", self.page_view_count),
                ("visited_pages", self.visited_page_count),
            ]),
            ..Row::default()
        })
    }
}

fn of_teams(user: &TeamsUser) -> Figures {
    figures([
        ("team_chats", user.team_chat_message_count),
        ("private_chats", user.private_chat_message_count),
        ("posts", user.post_count),
        ("replies", user.reply_count),
        ("calls", user.call_count),
        ("meetings", user.meeting_count),
        ("meetings_organized", user.meetings_organized_count),
        ("meetings_attended", user.meetings_attended_count),
        ("audio_seconds", user.audio_seconds),
        ("video_seconds", user.video_seconds),
        ("screen_share_seconds", user.screen_share_seconds),
    ])
}

impl Kept for TeamsUser {
    fn add(&self, totals: &mut Figures) {
        if self.is_deleted == Some(true) {
            return totals.add("deleted", 1);
        }
        let details = of_teams(self);
        totals.add("users", 1);
        totals.add("active", i64::from(details.0.values().any(|figure| *figure > 0)));
        add_all(totals, &details);
    }

    fn row(self) -> Option<Row> {
        let details = of_teams(&self);
        Some(Row {
            name: self.principal_name,
            is_deleted: self.is_deleted.unwrap_or(false),
            active_on: self.last_activity_on,
            teams_on: self.last_activity_on,
            details,
            ..Row::default()
        })
    }
}

fn platforms(user: &AppUser) -> Figures {
    let flag = |told: Option<bool>| told.map(u64::from);
    figures([
        ("windows", flag(user.windows)),
        ("mac", flag(user.mac)),
        ("mobile", flag(user.mobile)),
        ("web", flag(user.web)),
        ("activated", Some(u64::from(user.last_activation_on.is_some()))),
    ])
}

impl Kept for AppUser {
    fn add(&self, totals: &mut Figures) {
        totals.add("users", 1);
        add_all(totals, &platforms(self));
    }

    fn row(self) -> Option<Row> {
        let details = platforms(&self);
        Some(Row { name: self.principal_name, active_on: self.last_activity_on, details, ..Row::default() })
    }
}
