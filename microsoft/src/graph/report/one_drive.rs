//! Everybody's own files.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getonedriveusageaccountdetail>.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A OneDrive. One whose owner is gone may name none.
    OneDrive {
        /// What its owner signs in with, or what stands for it if names are concealed.
        owner_principal_name: Option<String> = "Owner Principal Name", required = true;
        /// Its owner's name.
        owner_display_name: Option<String> = "Owner Display Name";
        /// The id of its site.
        site_id: Option<String> = "Site Id";
        /// Its address, unless names are concealed.
        site_url: Option<String> = "Site URL";
        /// Whether it was deleted.
        is_deleted: Option<bool> = "Is Deleted";
        /// When it was last used.
        last_activity_on: Option<NaiveDate> = "Last Activity Date";
        /// How many files are in it.
        file_count: Option<u64> = "File Count";
        /// How many of them were used in the period.
        active_file_count: Option<u64> = "Active File Count";
        /// How many bytes are in it.
        storage_used_bytes: Option<u64> = "Storage Used (Byte)";
        /// How many bytes may be in it.
        storage_allocated_bytes: Option<u64> = "Storage Allocated (Byte)";
    }
}
