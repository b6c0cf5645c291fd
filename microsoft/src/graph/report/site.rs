//! SharePoint's sites.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getsharepointsiteusagedetail>.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A site.
    Site {
        /// Its id, or what stands for it if names are concealed.
        site_id: String = "Site Id";
        /// Its address, unless names are concealed.
        site_url: Option<String> = "Site URL";
        /// Its owner's name.
        owner_display_name: Option<String> = "Owner Display Name";
        /// What its owner signs in with, or what stands for it if names are concealed.
        owner_principal_name: Option<String> = "Owner Principal Name";
        /// Whether it was deleted.
        is_deleted: Option<bool> = "Is Deleted";
        /// When it was last used.
        last_activity_on: Option<NaiveDate> = "Last Activity Date";
        /// How many files are in it.
        file_count: Option<u64> = "File Count";
        /// How many of them were used in the period.
        active_file_count: Option<u64> = "Active File Count";
        /// How often its pages were looked at in the period.
        page_view_count: Option<u64> = "Page View Count";
        /// How many of its pages were.
        visited_page_count: Option<u64> = "Visited Page Count";
        /// How many bytes are in it.
        storage_used_bytes: Option<u64> = "Storage Used (Byte)";
        /// How many bytes may be in it.
        storage_allocated_bytes: Option<u64> = "Storage Allocated (Byte)";
        /// What kind of site it is.
        root_web_template: Option<String> = "Root Web Template";
    }
}
