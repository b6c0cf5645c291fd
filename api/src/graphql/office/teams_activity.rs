//! The query `teamsActivity`.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::office::feed::Kind;

use super::ReportPeriod;
use super::current::{Current, connected};
use super::feed::OfficeFeed;
use crate::graphql::scalars::{Date, Long};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct TeamsActivityQuery;

#[Object(name = "TeamsActivityQuery")]
impl TeamsActivityQuery {
    /// What the users of a tenant did in Teams over a period, all together; null if the tenant is not connected to
    /// Office 365. Needs the role `VIEWER`, or the scope `reports:read`.
    async fn teams_activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(desc = "Over how many days.")] period: ReportPeriod,
    ) -> Option<TeamsActivity> {
        or_null(ctx, read(ctx, &tenant_id, period).await)
    }
}

async fn read(ctx: &Context<'_>, tenant_id: &ID, period: ReportPeriod) -> Result<Option<TeamsActivity>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let current = Current::read(scope, connection.tenant_id, Kind::TeamsActivity, period.days()).await;
    let current = current.map_err(|error| internal(&error))?;
    Ok(Some(TeamsActivity::from(&current)))
}

/// What the users of a tenant did in Teams over a period. Null where the report does not say.
#[derive(SimpleObject)]
#[graphql(name = "TeamsActivity")]
pub struct TeamsActivity {
    /// The last day that the figures cover; null: no report was loaded yet, and `feed` says why.
    report_refresh_date: Option<Date>,
    /// How many days ago that is.
    age_days: Option<i32>,
    /// How the feed stands that they come from; null before the first load.
    feed: Option<OfficeFeed>,
    /// Users who are in the report.
    users: Option<Long>,
    /// Users who were active.
    active: Option<Long>,
    /// Messages in channels.
    team_chats: Option<Long>,
    /// Messages in private chats.
    private_chats: Option<Long>,
    /// Calls between two.
    calls: Option<Long>,
    /// Meetings, each counted for each who took part.
    meetings: Option<Long>,
    /// Meetings that were organized.
    meetings_organized: Option<Long>,
    /// Meetings that were attended, each counted for each who attended.
    meetings_attended: Option<Long>,
    /// Posts in channels.
    posts: Option<Long>,
    /// Replies to posts.
    replies: Option<Long>,
    /// Seconds of audio, of all users together.
    audio_seconds: Option<Long>,
    /// Seconds of video, likewise.
    video_seconds: Option<Long>,
    /// Seconds of screens that were shared, likewise.
    screen_share_seconds: Option<Long>,
}

impl From<&Current> for TeamsActivity {
    fn from(current: &Current) -> Self {
        Self {
            report_refresh_date: current.report_refresh_date(),
            age_days: current.age_days(),
            feed: current.feed(),
            users: current.long("users"),
            active: current.long("active"),
            team_chats: current.long("team_chats"),
            private_chats: current.long("private_chats"),
            calls: current.long("calls"),
            meetings: current.long("meetings"),
            meetings_organized: current.long("meetings_organized"),
            meetings_attended: current.long("meetings_attended"),
            posts: current.long("posts"),
            replies: current.long("replies"),
            audio_seconds: current.long("audio_seconds"),
            video_seconds: current.long("video_seconds"),
            screen_share_seconds: current.long("screen_share_seconds"),
        }
    }
}
