//! What rows that were read together refer to, read for all of them at once: why a page costs the same number
//! of statements however long it is.
//!
//! The objects of one page share a batch for each thing they refer to. The first of them that is asked for it
//! reads it for all; nothing is read that nobody asks for. Compared with a data loader there is no timer and
//! no task: the number of statements does not depend on how busy the machine is, no level of a query waits a
//! millisecond, and what a live query shows next is never what was cached for what it showed before.

use std::collections::HashMap;

use async_graphql::Result;
use sea_orm::DbErr;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::scope::{Scope, broken, internal, missing};
use super::stored::{Stored, find_rows};

/// What rows that were read together refer to.
pub struct Batch<V> {
    keys: Vec<Uuid>,
    /// None: it could not be read. That was said once, and is not tried again for every row.
    read: OnceCell<Option<HashMap<Uuid, V>>>,
}

impl<V> Batch<V> {
    /// A batch of what `keys` refer to.
    pub fn of(keys: impl IntoIterator<Item = Uuid>) -> Self {
        let mut keys: Vec<Uuid> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self { keys, read: OnceCell::new() }
    }

    /// What `key` refers to; `read` reads it for all keys, the first time.
    pub async fn get<F>(&self, key: Uuid, read: impl FnOnce(Vec<Uuid>) -> F) -> Result<Option<&V>>
    where
        F: Future<Output = Result<HashMap<Uuid, V>, DbErr>>,
    {
        let first = self.read.get_or_init(|| async {
            // In a box: only the first of all the objects needs what it takes to read.
            let found = Box::pin(read(self.keys.clone())).await;
            found.inspect_err(|error| drop(internal(error))).ok()
        });
        first.await.as_ref().map(|found| found.get(&key)).ok_or_else(broken)
    }
}

impl<V: Stored> Batch<V> {
    /// The object of the row `key`, if the viewer can see it.
    pub async fn find(&self, scope: Scope<'_>, key: Uuid) -> Result<Option<&V>> {
        self.get(key, |keys| find_rows(scope, keys)).await
    }

    /// The object of the row `key`, which is always there.
    pub async fn one(&self, scope: Scope<'_>, key: Uuid) -> Result<&V> {
        self.find(scope, key).await?.ok_or_else(|| missing("a row that another refers to"))
    }
}
