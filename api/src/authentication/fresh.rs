//! What was read from the database a moment ago, and need not be read again yet.

use std::hash::Hash;
use std::time::Duration;

use moka::future::Cache;
use sea_orm::DbErr;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::{TokenRefused, unavailable};

/// How long something is taken for true without another look. A revocation takes effect on every node within
/// a second, whether or not the nodes hear of each other: half of it is for the look itself.
const FRESH: Duration = Duration::from_millis(500);

/// How long a look may take: then the request is told that nobody can say now, before its own time is over.
const LOOK: Duration = Duration::from_secs(5);

/// More than so many are not kept.
const KEPT: u64 = 100_000;

/// What is known for half a second. Those who ask for the same at once cause one look.
pub(super) struct Fresh<K, V> {
    cache: Cache<K, V>,
    /// Looks are taken on the process's own runtime: no connection dies with a thread of the server.
    runtime: Handle,
}

impl<K, V> Fresh<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(runtime: Handle) -> Self {
        Self { cache: Cache::builder().max_capacity(KEPT).time_to_live(FRESH).build(), runtime }
    }

    /// What is known of `key`, or else what `look` finds. What a look could not find out is not kept.
    pub(super) async fn get(
        &self,
        key: K,
        look: impl Future<Output = Result<V, DbErr>> + Send + 'static,
    ) -> Result<V, TokenRefused> {
        let look = async {
            match timeout(LOOK, AbortOnDropHandle::new(self.runtime.spawn(look))).await {
                Ok(Ok(looked)) => looked,
                Ok(Err(error)) => Err(DbErr::Custom(error.to_string())),
                Err(_) => Err(DbErr::Custom(format!("the database did not answer within {LOOK:?}"))),
            }
        };
        self.cache.try_get_with(key, look).await.map_err(|error| unavailable(&error))
    }
}
