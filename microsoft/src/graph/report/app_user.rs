//! Who uses the Microsoft 365 Apps, and on what.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getm365appuserdetail>.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A user.
    AppUser {
        /// What they sign in with, or what stands for it if names are concealed.
        principal_name: String = "User Principal Name";
        /// When they last activated the apps.
        last_activation_on: Option<NaiveDate> = "Last Activation Date";
        /// When they last used one.
        last_activity_on: Option<NaiveDate> = "Last Activity Date";
        /// Whether they used an app on Windows.
        windows: Option<bool> = "Windows";
        /// Whether they used an app on a Mac.
        mac: Option<bool> = "Mac";
        /// Whether they used an app on a mobile device.
        mobile: Option<bool> = "Mobile";
        /// Whether they used an app in a browser.
        web: Option<bool> = "Web";
        /// Whether they used Outlook.
        outlook: Option<bool> = "Outlook";
        /// Whether they used Word.
        word: Option<bool> = "Word";
        /// Whether they used Excel.
        excel: Option<bool> = "Excel";
        /// Whether they used `PowerPoint`.
        power_point: Option<bool> = "PowerPoint";
        /// Whether they used `OneNote`.
        one_note: Option<bool> = "OneNote";
        /// Whether they used Teams.
        teams: Option<bool> = "Teams";
    }
}
