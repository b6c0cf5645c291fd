//! How many used each service, day by day.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365activeusercounts>.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A day.
    ActiveUserCounts {
        /// The day.
        date: NaiveDate = "Report Date";
        /// How many used any service.
        office_365: Option<u64> = "Office 365";
        /// How many used Exchange.
        exchange: Option<u64> = "Exchange";
        /// How many used OneDrive.
        one_drive: Option<u64> = "OneDrive";
        /// How many used SharePoint.
        share_point: Option<u64> = "SharePoint";
        /// How many used Skype for Business.
        skype: Option<u64> = "Skype For Business";
        /// How many used Yammer.
        yammer: Option<u64> = "Yammer";
        /// How many used Teams.
        teams: Option<u64> = "Teams";
    }
}
