//! Transactions: one that is cancelled while it begins leaves nothing open behind it.

use anyhow::{Context as _, Result};
use chrono::Utc;
use entity::organization;
use futures::poll;
use sea_orm::{ActiveModelTrait, DatabaseConnection, Set};
use secrecy::ExposeSecret;
use support::clock::TestClock;
use support::database::TestDatabase;
use support::stack::Stack;
use uuid::Uuid;

async fn store(database: &DatabaseConnection, name: &str, now: chrono::DateTime<Utc>) -> Result<()> {
    let row = organization::ActiveModel {
        id: Set(Uuid::now_v7()),
        name: Set(name.to_owned()),
        created_at: Set(now),
        ..Default::default()
    };
    row.insert(database).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_stored_after_a_beginning_that_was_cancelled_is_stored_for_all_to_see() -> Result<()> {
    let home = TestDatabase::start(Stack::chosen()).await?;
    let others = home.connect().await?;
    // The next one gets the same connection.
    let database = migration::connect(home.url().expose_secret(), 1).await?;
    let now = TestClock::default().now();

    for polls in 1..40 {
        let mut beginning = Box::pin(worker::transaction::begin(&database));
        for _ in 0..polls {
            if poll!(beginning.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(beginning);
        let name = format!("after {polls} polls");
        store(&database, &name, now).await?;

        let seen = organization::Entity::by_name(&name).one(&others).await?;
        seen.with_context(|| format!("{name}: it was not committed"))?;
    }
    Ok(())
}
