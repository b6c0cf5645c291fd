//! Mailboxes.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getmailboxusagedetail>. The page's list of columns has two that its example has not.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A mailbox.
    Mailbox {
        /// What its user signs in with, or what stands for it if names are concealed.
        principal_name: String = "User Principal Name";
        /// Its user's name.
        display_name: Option<String> = "Display Name";
        /// Whether it was deleted.
        is_deleted: Option<bool> = "Is Deleted";
        /// When it was deleted.
        deleted_on: Option<NaiveDate> = "Deleted Date";
        /// When it was created.
        created_on: Option<NaiveDate> = "Created Date";
        /// When it was last used.
        last_activity_on: Option<NaiveDate> = "Last Activity Date";
        /// How many items are in it.
        item_count: Option<u64> = "Item Count";
        /// How many bytes are in it.
        storage_used_bytes: Option<u64> = "Storage Used (Byte)";
        /// From how many bytes on its user is warned.
        issue_warning_quota_bytes: Option<u64> = "Issue Warning Quota (Byte)";
        /// From how many bytes on nothing can be sent.
        prohibit_send_quota_bytes: Option<u64> = "Prohibit Send Quota (Byte)";
        /// From how many bytes on nothing can be received either.
        prohibit_send_receive_quota_bytes: Option<u64> = "Prohibit Send/Receive Quota (Byte)";
        /// How many deleted items are in it.
        deleted_item_count: Option<u64> = "Deleted Item Count";
        /// How many bytes they have.
        deleted_item_bytes: Option<u64> = "Deleted Item Size (Byte)";
        /// How many bytes they may have.
        deleted_item_quota_bytes: Option<u64> = "Deleted Item Quota (Byte)";
        /// Whether it has an archive.
        has_archive: Option<bool> = "Has Archive";
    }
}
