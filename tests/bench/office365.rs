//! How fast 200,000 users with their licences, their groups with their members, and usage reports of 200,000 rows are
//! read into PostgreSQL, and in how much memory, beside Microsoft's own SDK, which only reads the same pages.

use std::time::Duration;

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use entity::Owned;
use entity::office::feed::{self, Kind};
use sea_orm::{ColumnTrait, DatabaseConnection, PaginatorTrait, QueryFilter};
use support::cloud::Cloud;
use support::figures::{Figure, peak_memory, rate};
use support::ground::Ground;

const USERS: &str = "200000";
const GROUPS: &str = "5000";

#[tokio::main]
async fn main() -> Result<()> {
    let cloud =
        Cloud::start(&["--subscriptions", "1", "--resources", "1", "--users", USERS, "--groups", GROUPS])?;
    let ground = Ground::prepare(cloud).await?;
    let [users_of_peer, groups_of_peer, report_of_peer] = ground.load_of_peer().await?;

    let (begun, time) = ground.load_office().await?;

    let (organization, database) = (ground.member.organization_id, ground.database());
    let mut feeds = feed::Entity::owned_by(organization).all(database).await?;
    feeds.retain(|feed| feed.loaded_at.is_some());
    feeds.sort_by_key(|feed| feed.loaded_at);
    let members = entity::office::membership::Entity::owned_by(organization).count(database).await?;
    let licences = entity::office::assigned_licence::Entity::owned_by(organization).count(database).await?;
    ensure!(kept(database, organization).await? > 0, "no row of a report was kept");
    println!("licences {licences}, members {members}, {} s", time.as_secs());
    let loaded = Loaded { begun, feeds };
    let (rows, took) = loaded.of(|kind| kind == Kind::Users)?;
    let what = "users with their licences into PostgreSQL";
    beside(what, "users/s", rate(rows, took), users_of_peer);
    let (rows, took) = loaded.of(|kind| kind == Kind::Groups)?;
    let what = "groups and their members into PostgreSQL";
    beside(what, "rows/s", rate(rows + members, took), groups_of_peer);
    let (rows, took) = loaded.of(Kind::is_report)?;
    let what = "usage reports of 200,000 users into PostgreSQL";
    beside(what, "rows/s", rate(rows, took), report_of_peer);
    Figure {
        what: "worker's peak while it is read",
        unit: "MB",
        ours: peak_memory(std::process::id())?,
        theirs: 150.0,
        whose: "limit",
    }
    .print();
    Ok(())
}

fn beside(what: &str, unit: &str, ours: f64, (rows, time): (u64, Duration)) {
    Figure { what, unit, ours, theirs: rate(rows, time), whose: "msgraph-sdk, which only reads them" }
        .print();
}

/// Feeds in the order in which they were read, one after the other.
struct Loaded {
    begun: DateTime<Utc>,
    feeds: Vec<feed::Model>,
}

impl Loaded {
    /// How many rows came of some kinds, and how long that took.
    fn of(&self, is_one: impl Fn(Kind) -> bool) -> Result<(u64, Duration)> {
        let (mut before, mut rows, mut took) = (self.begun, 0, Duration::ZERO);
        for feed in &self.feeds {
            let ended = feed.loaded_at.unwrap_or(before);
            if is_one(feed.kind) {
                rows += u64::try_from(feed.rows_read)?;
                took += (ended - before).to_std()?;
            }
            before = ended;
        }
        Ok((rows, took))
    }
}

/// Rows of the activity of users that are the current ones.
async fn kept(database: &DatabaseConnection, organization: uuid::Uuid) -> Result<u64> {
    let feed = feed::Entity::owned_by(organization).filter(feed::Column::Kind.eq(Kind::UserActivity));
    let Some(feed) = feed.one(database).await? else { return Ok(0) };
    let rows = entity::office::report_row::Entity::owned_by(organization);
    let rows = rows.filter(entity::office::report_row::Column::LoadId.eq(feed.load_id));
    Ok(rows.count(database).await?)
}
