//! Who has a licence of which service, and when they last used it.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365activeuserdetail>.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A user, also one who never did anything, and for a month one who was deleted.
    ActiveUser {
        /// What they sign in with, or what stands for it if names are concealed.
        principal_name: String = "User Principal Name";
        /// Their name.
        display_name: Option<String> = "Display Name";
        /// Whether they were deleted.
        is_deleted: Option<bool> = "Is Deleted";
        /// When they were deleted.
        deleted_on: Option<NaiveDate> = "Deleted Date";
        /// Whether they have a licence of Exchange.
        has_exchange_license: Option<bool> = "Has Exchange License";
        /// Whether they have a licence of OneDrive.
        has_one_drive_license: Option<bool> = "Has OneDrive License";
        /// Whether they have a licence of SharePoint.
        has_share_point_license: Option<bool> = "Has SharePoint License";
        /// Whether they have a licence of Skype for Business.
        has_skype_license: Option<bool> = "Has Skype For Business License";
        /// Whether they have a licence of Yammer.
        has_yammer_license: Option<bool> = "Has Yammer License";
        /// Whether they have a licence of Teams.
        has_teams_license: Option<bool> = "Has Teams License";
        /// When they last used Exchange.
        exchange_last_activity_on: Option<NaiveDate> = "Exchange Last Activity Date";
        /// When they last used OneDrive.
        one_drive_last_activity_on: Option<NaiveDate> = "OneDrive Last Activity Date";
        /// When they last used SharePoint.
        share_point_last_activity_on: Option<NaiveDate> = "SharePoint Last Activity Date";
        /// When they last used Skype for Business.
        skype_last_activity_on: Option<NaiveDate> = "Skype For Business Last Activity Date";
        /// When they last used Yammer.
        yammer_last_activity_on: Option<NaiveDate> = "Yammer Last Activity Date";
        /// When they last used Teams.
        teams_last_activity_on: Option<NaiveDate> = "Teams Last Activity Date";
        /// When they got the licence of Exchange.
        exchange_license_assigned_on: Option<NaiveDate> = "Exchange License Assign Date";
        /// When they got the licence of OneDrive.
        one_drive_license_assigned_on: Option<NaiveDate> = "OneDrive License Assign Date";
        /// When they got the licence of SharePoint.
        share_point_license_assigned_on: Option<NaiveDate> = "SharePoint License Assign Date";
        /// When they got the licence of Skype for Business.
        skype_license_assigned_on: Option<NaiveDate> = "Skype For Business License Assign Date";
        /// When they got the licence of Yammer.
        yammer_license_assigned_on: Option<NaiveDate> = "Yammer License Assign Date";
        /// When they got the licence of Teams.
        teams_license_assigned_on: Option<NaiveDate> = "Teams License Assign Date";
        /// The products that they have a licence of.
        products: Vec<String> = "Assigned Products";
    }
}
