//! Reads what comes as everything once and then as changes, page by page: a page is stored together with the link to
//! the next one, so that whoever is killed goes on exactly there.

use entity::office::feed::{self, State};
use microsoft::delta::{Change, Changes, Next, Start};
use microsoft::{DeltaLink, MicrosoftError};
use sea_orm::{DatabaseTransaction, DbErr};

use super::load::{Load, Pause};
use crate::transaction;

/// What Microsoft answers where a link is too old.
const LINK_DEAD: &str = "DELTA_TOKEN_DEAD";

/// What becomes of what is read.
pub(super) trait Sink<T> {
    /// Asks for a page.
    async fn fetch(&self, start: &Start) -> Result<Changes<T>, MicrosoftError>;

    /// Stores a page.
    async fn store(
        &self,
        transaction: &DatabaseTransaction,
        feed: &feed::Model,
        changes: Vec<Change<T>>,
    ) -> Result<(), DbErr>;

    /// Everything was read: what did not come is gone.
    async fn sweep(&self, transaction: &DatabaseTransaction, feed: &feed::Model) -> Result<(), DbErr>;
}

/// Reads a round to its end.
pub(super) async fn read<T>(
    load: &Load<'_>,
    feed: &mut feed::Model,
    sink: &impl Sink<T>,
) -> Result<(), Pause> {
    if feed.state == State::Waiting {
        Load::begun(feed);
    }
    let mut has_begun_anew = false;
    loop {
        if feed.link.is_none() {
            feed.round += 1;
            feed.is_complete = false;
        }
        let start = feed.link.clone().map_or(Start::Beginning, |link| Start::At(DeltaLink::stored(link)));
        let page = match sink.fetch(&start).await {
            Ok(page) => page,
            // Everything is read again, once; nothing that is stored goes before that has ended.
            Err(error) if error.code() == LINK_DEAD && feed.link.is_some() && !has_begun_anew => {
                tracing::info!(feed.id = %feed.id, "the link to changes has died; everything is read again");
                (feed.link, has_begun_anew) = (None, true);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let transaction = transaction::begin(&load.context.database).await?;
        feed.rows_read += i64::try_from(page.changes.len()).unwrap_or(i64::MAX);
        sink.store(&transaction, feed, page.changes).await?;
        let (link, is_end) = match page.next {
            Next::Page(link) => (link, false),
            Next::End(link) => (link, true),
        };
        feed.link = Some(link.as_str().to_owned());
        if is_end {
            if !feed.is_complete {
                sink.sweep(&transaction, feed).await?;
            }
            feed.is_complete = true;
            load.ended(feed, State::Loaded, None);
        }
        load.store(&transaction, feed).await?;
        transaction.commit().await?;
        if is_end {
            load.context.progress.publish(load.operation.id).await;
            return Ok(());
        }
        load.beat().await?;
    }
}
