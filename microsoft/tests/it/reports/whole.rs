//! Every report, read to its end and compared with the file itself, cell by cell.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use microsoft::graph::report::active_user::ActiveUser;
use microsoft::graph::report::active_user_counts::ActiveUserCounts;
use microsoft::graph::report::app_user::AppUser;
use microsoft::graph::report::mailbox::Mailbox;
use microsoft::graph::report::one_drive::OneDrive;
use microsoft::graph::report::service_counts::ServiceCounts;
use microsoft::graph::report::site::Site;
use microsoft::graph::report::teams_user::TeamsUser;
use microsoft::{Audience, Freshness, Period, Report, ReportKind};
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;

use super::{Cloud, read};

/// The rows of a file, by column.
type File = Vec<BTreeMap<String, String>>;

/// A field as its report would write it.
trait Written {
    fn written(&self) -> String;
}

impl Written for String {
    fn written(&self) -> String {
        self.clone()
    }
}

impl Written for NaiveDate {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for u64 {
    fn written(&self) -> String {
        self.to_string()
    }
}

/// As `same` writes it.
impl Written for bool {
    fn written(&self) -> String {
        if *self { "True" } else { "False" }.to_owned()
    }
}

impl<T: Written> Written for Option<T> {
    fn written(&self) -> String {
        self.as_ref().map(T::written).unwrap_or_default()
    }
}

impl Written for Vec<String> {
    fn written(&self) -> String {
        self.join("+")
    }
}

fn same(cell: &str) -> &str {
    match cell {
        "Yes" => "True",
        "No" => "False",
        other => other,
    }
}

/// Says in which column each field of a row is.
macro_rules! fields {
    ($($field:ident in $column:literal),* $(,)?) => {
        |row| vec![$(($column, row.$field.written())),*]
    };
}

impl Cloud {
    /// The file itself, without the client.
    async fn file(&self, report: ReportKind, period: Period) -> File {
        #[expect(clippy::disallowed_methods, reason = "a test, not a client of Microsoft")]
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        let token = self.microsoft.login().app_token(self.tenant(), Audience::Graph, Freshness::Cached);
        let token = token.await.expect("a token").secret;
        let base = self.simulator.base_url();
        let url = format!("{base}/v1.0/reports/{}(period='{}')", report.function(), period.as_str());
        let redirect = http.get(url).bearer_auth(token.expose_secret()).send().await.expect("a redirect");
        let link = redirect.headers()[LOCATION].to_str().expect("a link");
        let file = http.get(link).send().await.expect("a file").text().await.expect("text");
        let mut rows = csv::Reader::from_reader(file.trim_start_matches('\u{feff}').as_bytes());
        rows.deserialize().map(|row| row.expect("a row")).collect()
    }
}

/// Reads a report, and compares every field of every row with the file. Answers the columns that no field is in.
async fn compare<R: Report>(
    period: Period,
    fields: impl Fn(&R) -> Vec<(&'static str, String)>,
) -> BTreeSet<String> {
    let cloud = Cloud::start();
    let file = cloud.file(R::KIND, period).await;

    let (rows, report) = read(cloud.fetch::<R>(period).await.expect("a report")).await.expect("rows");

    assert!(!file.is_empty());
    assert_eq!((report.read(), report.refused()), (file.len() as u64, 0), "{:?}", report.refusals());
    assert_eq!(report.refresh_date().written(), file[0]["Report Refresh Date"]);
    let mut rest: BTreeSet<_> = file[0].keys().cloned().collect();
    for (row, cells) in rows.iter().zip(&file) {
        for (column, written) in fields(row) {
            let cell = cells.get(column).map(String::as_str).unwrap_or_default();
            assert_eq!(written, same(cell), "{column}");
            rest.remove(column);
        }
    }
    let about_all = ["Report Refresh Date", "Report Period"];
    rest.into_iter().filter(|column| !about_all.contains(&column.as_str())).collect()
}

#[tokio::test]
async fn active_users() {
    let rest = compare::<ActiveUser>(
        Period::D7,
        fields![
            principal_name in "User Principal Name",
            display_name in "Display Name",
            is_deleted in "Is Deleted",
            deleted_on in "Deleted Date",
            has_exchange_license in "Has Exchange License",
            has_one_drive_license in "Has OneDrive License",
            has_share_point_license in "Has SharePoint License",
            has_skype_license in "Has Skype For Business License",
            has_yammer_license in "Has Yammer License",
            has_teams_license in "Has Teams License",
            exchange_last_activity_on in "Exchange Last Activity Date",
            one_drive_last_activity_on in "OneDrive Last Activity Date",
            share_point_last_activity_on in "SharePoint Last Activity Date",
            skype_last_activity_on in "Skype For Business Last Activity Date",
            yammer_last_activity_on in "Yammer Last Activity Date",
            teams_last_activity_on in "Teams Last Activity Date",
            exchange_license_assigned_on in "Exchange License Assign Date",
            one_drive_license_assigned_on in "OneDrive License Assign Date",
            share_point_license_assigned_on in "SharePoint License Assign Date",
            skype_license_assigned_on in "Skype For Business License Assign Date",
            yammer_license_assigned_on in "Yammer License Assign Date",
            teams_license_assigned_on in "Teams License Assign Date",
            products in "Assigned Products",
        ],
    )
    .await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn active_user_counts() {
    let rest = compare::<ActiveUserCounts>(
        Period::D90,
        fields![
            date in "Report Date",
            office_365 in "Office 365",
            exchange in "Exchange",
            one_drive in "OneDrive",
            share_point in "SharePoint",
            skype in "Skype For Business",
            yammer in "Yammer",
            teams in "Teams",
        ],
    )
    .await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn users_of_apps() {
    let rest = compare::<AppUser>(
        Period::D30,
        fields![
            principal_name in "User Principal Name",
            last_activation_on in "Last Activation Date",
            last_activity_on in "Last Activity Date",
            windows in "Windows",
            mac in "Mac",
            mobile in "Mobile",
            web in "Web",
            outlook in "Outlook",
            word in "Word",
            excel in "Excel",
            power_point in "PowerPoint",
            one_note in "OneNote",
            teams in "Teams",
        ],
    )
    .await;
    assert!(rest.iter().all(|column| column.ends_with(')')), "only each app on each platform: {rest:?}");
}

#[tokio::test]
async fn mailboxes() {
    let rest = compare::<Mailbox>(
        Period::D180,
        fields![
            principal_name in "User Principal Name",
            display_name in "Display Name",
            is_deleted in "Is Deleted",
            deleted_on in "Deleted Date",
            created_on in "Created Date",
            last_activity_on in "Last Activity Date",
            item_count in "Item Count",
            storage_used_bytes in "Storage Used (Byte)",
            issue_warning_quota_bytes in "Issue Warning Quota (Byte)",
            prohibit_send_quota_bytes in "Prohibit Send Quota (Byte)",
            prohibit_send_receive_quota_bytes in "Prohibit Send/Receive Quota (Byte)",
            deleted_item_count in "Deleted Item Count",
            deleted_item_bytes in "Deleted Item Size (Byte)",
            deleted_item_quota_bytes in "Deleted Item Quota (Byte)",
            has_archive in "Has Archive",
        ],
    )
    .await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn one_drives() {
    let rest = compare::<OneDrive>(
        Period::D30,
        fields![
            owner_principal_name in "Owner Principal Name",
            owner_display_name in "Owner Display Name",
            site_id in "Site Id",
            site_url in "Site URL",
            is_deleted in "Is Deleted",
            last_activity_on in "Last Activity Date",
            file_count in "File Count",
            active_file_count in "Active File Count",
            storage_used_bytes in "Storage Used (Byte)",
            storage_allocated_bytes in "Storage Allocated (Byte)",
        ],
    )
    .await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn service_counts() {
    let rest = compare::<ServiceCounts>(
        Period::D180,
        fields![
            office_365_active in "Office 365 Active",
            office_365_inactive in "Office 365 Inactive",
            exchange_active in "Exchange Active",
            exchange_inactive in "Exchange Inactive",
            one_drive_active in "OneDrive Active",
            one_drive_inactive in "OneDrive Inactive",
            share_point_active in "SharePoint Active",
            share_point_inactive in "SharePoint Inactive",
            skype_active in "Skype For Business Active",
            skype_inactive in "Skype For Business Inactive",
            yammer_active in "Yammer Active",
            yammer_inactive in "Yammer Inactive",
            teams_active in "Teams Active",
            teams_inactive in "Teams Inactive",
        ],
    )
    .await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn sites() {
    let rest = compare::<Site>(
        Period::D30,
        fields![
            site_id in "Site Id",
            site_url in "Site URL",
            owner_display_name in "Owner Display Name",
            owner_principal_name in "Owner Principal Name",
            is_deleted in "Is Deleted",
            last_activity_on in "Last Activity Date",
            file_count in "File Count",
            active_file_count in "Active File Count",
            page_view_count in "Page View Count",
            visited_page_count in "Visited Page Count",
            storage_used_bytes in "Storage Used (Byte)",
            storage_allocated_bytes in "Storage Allocated (Byte)",
            root_web_template in "Root Web Template",
        ],
    )
    .await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn users_of_teams() {
    let rest = compare::<TeamsUser>(
        Period::D90,
        fields![
            principal_name in "User Principal Name",
            user_id in "User Id",
            tenant_display_name in "Tenant Display Name",
            last_activity_on in "Last Activity Date",
            is_deleted in "Is Deleted",
            deleted_on in "Deleted Date",
            products in "Assigned Products",
            team_chat_message_count in "Team Chat Message Count",
            private_chat_message_count in "Private Chat Message Count",
            post_count in "Post Messages",
            reply_count in "Reply Messages",
            urgent_message_count in "Urgent Messages",
            call_count in "Call Count",
            meeting_count in "Meeting Count",
            meetings_organized_count in "Meetings Organized Count",
            meetings_attended_count in "Meetings Attended Count",
            ad_hoc_meetings_organized_count in "Ad Hoc Meetings Organized Count",
            ad_hoc_meetings_attended_count in "Ad Hoc Meetings Attended Count",
            one_time_meetings_organized_count in "Scheduled One-time Meetings Organized Count",
            one_time_meetings_attended_count in "Scheduled One-time Meetings Attended Count",
            recurring_meetings_organized_count in "Scheduled Recurring Meetings Organized Count",
            recurring_meetings_attended_count in "Scheduled Recurring Meetings Attended Count",
            audio_seconds in "Audio Duration In Seconds",
            video_seconds in "Video Duration In Seconds",
            screen_share_seconds in "Screen Share Duration In Seconds",
            has_other_action in "Has Other Action",
            is_licensed in "Is Licensed",
        ],
    )
    .await;
    let durations = ["Audio Duration", "Screen Share Duration", "Video Duration"];
    let unread: Vec<_> = durations.into_iter().chain(["Shared Channel Tenant Display Names"]).collect();
    assert!(rest.iter().eq(BTreeSet::from_iter(unread)), "{rest:?}");
}

#[tokio::test]
async fn each_period_is_asked_for_by_its_name() {
    let cloud = Cloud::start();
    for period in Period::ALL {
        let (rows, _) =
            read(cloud.fetch::<ActiveUserCounts>(period).await.expect("a report")).await.expect("rows");
        assert_eq!(rows.len(), usize::from(period.days()), "a row a day");
    }
    let paths: Vec<_> = cloud.asked().into_iter().map(|call| call.path).collect();
    let path =
        |period: Period| format!("/v1.0/reports/getOffice365ActiveUserCounts(period='{}')", period.as_str());
    assert_eq!(paths, Period::ALL.map(path));
}
