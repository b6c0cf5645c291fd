//! What the api has at hand to answer a request.

use entity::{Clock, Keyring};
use microsoft::{Microsoft, Provider};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use url::Url;
use worker::progress::Progress;
use worker::queue::Queue;
use worker::window::Means;

/// What the api has at hand to answer a request. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The truth.
    pub database: DatabaseConnection,
    /// Microsoft's clouds, for consent URLs, the code exchange, the diagnosis of a token and plans only.
    pub microsoft: Microsoft,
    /// Where members sign in.
    pub sign_in: Provider,
    /// Seals delegated tokens and enrollment keys.
    pub keyring: Keyring,
    /// The time.
    pub clock: Clock,
    /// Where jobs are pushed.
    pub queue: Queue,
    /// Where live queries hear that an operation or a consent moved on.
    pub progress: Progress,
    /// Under which address people and Microsoft reach this api.
    pub public_url: Url,
}

impl<'a> From<&'a Services> for Means<'a> {
    fn from(services: &'a Services) -> Self {
        let Services { database, keyring, clock, queue, progress, .. } = services;
        Self { database, keyring, clock, queue, progress }
    }
}

impl Services {
    /// A transaction that writes: see [`worker::transaction::begin`].
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        worker::transaction::begin(&self.database).await
    }
}
