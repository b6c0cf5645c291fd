//! How many with a licence used each service in the period, and how many did not.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365servicesusercounts>.

use super::columns::report;

report! {
    /// The whole tenant: the report has one row.
    ServiceCounts {
        /// How many with a licence of any service used it.
        office_365_active: Option<u64> = "Office 365 Active", required = true;
        /// How many with a licence of any service did not.
        office_365_inactive: Option<u64> = "Office 365 Inactive", required = true;
        /// How many with a licence of Exchange used it.
        exchange_active: Option<u64> = "Exchange Active";
        /// How many with a licence of Exchange did not.
        exchange_inactive: Option<u64> = "Exchange Inactive";
        /// How many with a licence of OneDrive used it.
        one_drive_active: Option<u64> = "OneDrive Active";
        /// How many with a licence of OneDrive did not.
        one_drive_inactive: Option<u64> = "OneDrive Inactive";
        /// How many with a licence of SharePoint used it.
        share_point_active: Option<u64> = "SharePoint Active";
        /// How many with a licence of SharePoint did not.
        share_point_inactive: Option<u64> = "SharePoint Inactive";
        /// How many with a licence of Skype for Business used it.
        skype_active: Option<u64> = "Skype For Business Active";
        /// How many with a licence of Skype for Business did not.
        skype_inactive: Option<u64> = "Skype For Business Inactive";
        /// How many with a licence of Yammer used it.
        yammer_active: Option<u64> = "Yammer Active";
        /// How many with a licence of Yammer did not.
        yammer_inactive: Option<u64> = "Yammer Inactive";
        /// How many with a licence of Teams used it.
        teams_active: Option<u64> = "Teams Active";
        /// How many with a licence of Teams did not.
        teams_inactive: Option<u64> = "Teams Inactive";
    }
}
