//! What people do in Teams.
//!
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getteamsuseractivityuserdetail>. Durations are read in seconds only: how the
//! other three columns write them is not documented.

use chrono::NaiveDate;

use super::columns::report;

report! {
    /// A user.
    TeamsUser {
        /// What they sign in with, or what stands for it if names are concealed.
        principal_name: String = "User Principal Name";
        /// Their object id, or what stands for it if names are concealed.
        user_id: Option<String> = "User Id";
        /// The name of the tenant that they are of.
        tenant_display_name: Option<String> = "Tenant Display Name";
        /// When they last used it.
        last_activity_on: Option<NaiveDate> = "Last Activity Date";
        /// Whether they were deleted.
        is_deleted: Option<bool> = "Is Deleted";
        /// When they were deleted.
        deleted_on: Option<NaiveDate> = "Deleted Date";
        /// The products that they have a licence of.
        products: Vec<String> = "Assigned Products";
        /// How many messages they wrote in channels.
        team_chat_message_count: Option<u64> = "Team Chat Message Count";
        /// How many messages they wrote in chats.
        private_chat_message_count: Option<u64> = "Private Chat Message Count";
        /// How many posts they began in channels.
        post_count: Option<u64> = "Post Messages";
        /// How many replies they wrote in channels.
        reply_count: Option<u64> = "Reply Messages";
        /// How many urgent messages they wrote.
        urgent_message_count: Option<u64> = "Urgent Messages";
        /// How many calls they took part in.
        call_count: Option<u64> = "Call Count";
        /// How many meetings they took part in.
        meeting_count: Option<u64> = "Meeting Count";
        /// How many meetings they organized.
        meetings_organized_count: Option<u64> = "Meetings Organized Count";
        /// How many meetings they attended.
        meetings_attended_count: Option<u64> = "Meetings Attended Count";
        /// How many of those that they organized were not scheduled.
        ad_hoc_meetings_organized_count: Option<u64> = "Ad Hoc Meetings Organized Count";
        /// How many of those that they attended were not scheduled.
        ad_hoc_meetings_attended_count: Option<u64> = "Ad Hoc Meetings Attended Count";
        /// How many of those that they organized were scheduled once.
        one_time_meetings_organized_count: Option<u64> = "Scheduled One-time Meetings Organized Count";
        /// How many of those that they attended were scheduled once.
        one_time_meetings_attended_count: Option<u64> = "Scheduled One-time Meetings Attended Count";
        /// How many of those that they organized recur.
        recurring_meetings_organized_count: Option<u64> = "Scheduled Recurring Meetings Organized Count";
        /// How many of those that they attended recur.
        recurring_meetings_attended_count: Option<u64> = "Scheduled Recurring Meetings Attended Count";
        /// For how many seconds they used sound.
        audio_seconds: Option<u64> = "Audio Duration In Seconds";
        /// For how many seconds they used video.
        video_seconds: Option<u64> = "Video Duration In Seconds";
        /// For how many seconds they shared a screen.
        screen_share_seconds: Option<u64> = "Screen Share Duration In Seconds";
        /// Whether they did anything else.
        has_other_action: Option<bool> = "Has Other Action";
        /// Whether they have a licence.
        is_licensed: Option<bool> = "Is Licensed";
    }
}
