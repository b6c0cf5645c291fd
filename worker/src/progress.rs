//! Tells everybody who watches an operation or a consent that it has moved on. What it says is only *that*: watchers read
//! the row. A late, doubled or lost bell does no harm.

mod redis;

use futures::{Stream, StreamExt};
use secrecy::SecretString;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::BroadcastStream;
use uuid::Uuid;

/// How many bells a watcher may be behind. Then it is told to read everything again.
const BACKLOG: usize = 4_096;

/// How many bells wait for a Redis that is slow. Watchers also look by themselves every few seconds.
const OUTBOX: usize = 10_000;

/// What a watcher hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bell {
    /// The operation or the consent with this id moved on.
    Moved(Uuid),
    /// Some bells were missed: read again whatever you watch.
    Reload,
}

/// Why there is no progress bus.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// The address of Redis is not one. It may hold a password, so it is not repeated.
    #[error("the address of Redis is malformed")]
    Address,
    /// Redis is away, or refuses.
    #[error("Redis does not answer")]
    Unavailable(#[source] ::redis::RedisError),
}

/// The bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress {
    heard: broadcast::Sender<Bell>,
    /// Absent where every watcher is in this process.
    outbox: Option<mpsc::Sender<Uuid>>,
}

impl Progress {
    /// A bus for the watchers in this process.
    pub fn memory() -> Self {
        Self { heard: broadcast::Sender::new(BACKLOG), outbox: None }
    }

    /// A bus for the watchers of every process with the same `url`. Fails if nobody answers there; from then
    /// on it survives that.
    pub async fn redis(url: &SecretString) -> Result<Self, ProgressError> {
        let heard = broadcast::Sender::new(BACKLOG);
        let (outbox, outgoing) = mpsc::channel(OUTBOX);
        redis::start(url, heard.clone(), outgoing).await?;
        Ok(Self { heard, outbox: Some(outbox) })
    }

    /// Says that the operation or the consent `id` moved on. Neither waits for Redis nor fails.
    #[expect(clippy::unused_async, reason = "whether a bus has to wait is not the caller's business")]
    pub async fn publish(&self, id: Uuid) {
        match &self.outbox {
            None => {
                // An error says that nobody watches.
                let _ = self.heard.send(Bell::Moved(id));
            }
            Some(outbox) => {
                if outbox.try_send(id).is_err() {
                    tracing::warn!(row.id = %id, "too many bells wait for Redis; dropped one");
                }
            }
        }
    }

    /// Every bell from now on.
    pub fn subscribe(&self) -> impl Stream<Item = Bell> + Send + Unpin + use<> {
        BroadcastStream::new(self.heard.subscribe()).map(|bell| bell.unwrap_or(Bell::Reload))
    }
}
