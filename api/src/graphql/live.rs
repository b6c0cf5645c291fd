//! How live queries follow a row: it is read again whenever somebody says that it moved on.

use std::time::Duration;

use async_stream::stream;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;
use worker::progress::Bell;

use super::scope::Scope;
use super::stored::{Stored, find_row};
use crate::services::Services;
use crate::viewer::Viewer;

/// How long to wait between two looks.
#[derive(Clone, Copy)]
struct Wait {
    /// What moves on faster is shown as one change.
    shortest: Duration,
    /// A bell can be lost.
    longest: Duration,
}

const WAIT: Wait = Wait { shortest: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// The object of one row: as it is now, then again whenever it has moved on, until `has_ended`. Null, once, if there
/// is no such row.
pub fn follow<T: Stored>(
    services: Services,
    viewer: Viewer,
    id: Uuid,
    has_ended: fn(&T) -> bool,
) -> impl Stream<Item = Option<T>> {
    stream! {
        // Before the first look: what moves on between the two is heard.
        let mut bells = services.progress.subscribe();
        loop {
            let looked_at = Instant::now();
            // A look that failed is in the log, and the next one is not far: the watcher misses nothing.
            if let Ok(found) = find_row::<T>(Scope { services: &services, viewer, origin: None }, id).await {
                let goes_on = found.as_ref().is_some_and(|found| !has_ended(found));
                yield found;
                if !goes_on {
                    break;
                }
            }
            WAIT.next_look(&mut bells, id, looked_at).await;
        }
    }
}

impl Wait {
    /// Returns when it is time to look again.
    async fn next_look(self, bells: &mut (impl Stream<Item = Bell> + Unpin), id: Uuid, looked_at: Instant) {
        let rung = async {
            loop {
                match bells.next().await {
                    Some(Bell::Moved(moved)) if moved != id => {}
                    Some(_) => break,
                    None => std::future::pending().await,
                }
            }
        };
        // Not having been rung for so long is a reason to look, too.
        let _ = timeout_at(looked_at + self.longest, rung).await;
        sleep_until(looked_at + self.shortest).await;
        // The look that follows answers all that has rung until now.
        while let Some(Some(_)) = bells.next().now_or_never() {}
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const THIS: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);
    const A_WHILE: Duration = Duration::from_millis(30);
    /// A test that waits for so long never ends.
    const FOR_EVER: Duration = Duration::from_hours(1);

    async fn waited(wait: Wait, bells: impl Stream<Item = Bell>) -> Duration {
        let started = Instant::now();
        wait.next_look(&mut Box::pin(bells.chain(stream::pending())), THIS, started).await;
        started.elapsed()
    }

    #[tokio::test]
    async fn what_concerns_this_operation_is_answered_at_a_bounded_rate() {
        let wait = Wait { shortest: A_WHILE, longest: FOR_EVER };
        assert!(waited(wait, stream::repeat(Bell::Moved(THIS)).take(10_000)).await >= A_WHILE);
        assert!(waited(wait, stream::iter([Bell::Moved(OTHER), Bell::Reload])).await >= A_WHILE);
    }

    #[tokio::test]
    async fn without_a_bell_it_looks_all_the_same() {
        let wait = Wait { shortest: Duration::ZERO, longest: A_WHILE };
        assert!(waited(wait, stream::iter([Bell::Moved(OTHER)])).await >= A_WHILE);
        assert!(waited(wait, stream::empty()).await >= A_WHILE);
    }

    #[tokio::test]
    async fn one_look_answers_all_that_has_rung() {
        let mut bells = Box::pin(stream::iter([Bell::Moved(THIS); 3]).chain(stream::pending()));
        let wait = Wait { shortest: Duration::ZERO, longest: FOR_EVER };
        wait.next_look(&mut bells, THIS, Instant::now()).await;
        assert_eq!(bells.next().now_or_never(), None);
    }
}
