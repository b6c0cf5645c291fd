//! How fast 200,000 users with their licences, their groups with their members, and usage reports of 200,000 rows are
//! read into PostgreSQL, and in how much memory, beside Microsoft's own SDK, which only reads the same pages.

use anyhow::{Result, ensure};
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
    let (rows_of_peer, time_of_peer) = ground.load_of_peer().await?;

    let time = ground.load_office().await?;

    let (organization, database) = (ground.member.organization_id, ground.database());
    let feeds = feed::Entity::owned_by(organization).all(database).await?;
    let read = |kinds: &[Kind]| -> u64 {
        let of = feeds.iter().filter(|feed| kinds.contains(&feed.kind));
        of.filter_map(|feed| u64::try_from(feed.rows_read).ok()).sum()
    };
    let members = entity::office::membership::Entity::owned_by(organization).count(database).await?;
    let licences = entity::office::assigned_licence::Entity::owned_by(organization).count(database).await?;
    let everything = read(&Kind::ALL) + members + licences;
    println!(
        "users {}, licences {licences}, groups {}, members {members}, rows of reports {}",
        read(&[Kind::Users]),
        read(&[Kind::Groups]),
        read(&Kind::ALL.into_iter().filter(|kind| kind.is_report()).collect::<Vec<_>>()),
    );
    ensure!(kept(database, organization).await? > 0, "no row of a report was kept");
    Figure {
        what: "Office 365 of 200,000 users into PostgreSQL",
        unit: "rows/s",
        ours: rate(everything, time),
        theirs: rate(rows_of_peer, time_of_peer),
        whose: "msgraph-sdk, which only reads users, groups and one report",
    }
    .print();
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

/// Rows of the activity of users that are the current ones.
async fn kept(database: &DatabaseConnection, organization: uuid::Uuid) -> Result<u64> {
    let feed = feed::Entity::owned_by(organization).filter(feed::Column::Kind.eq(Kind::UserActivity));
    let Some(feed) = feed.one(database).await? else { return Ok(0) };
    let rows = entity::office::report_row::Entity::owned_by(organization);
    let rows = rows.filter(entity::office::report_row::Column::LoadId.eq(feed.load_id));
    Ok(rows.count(database).await?)
}
