//! What the api has at hand to answer a request.

use entity::{Clock, Keyring};
use microsoft::Microsoft;
use sea_orm::DatabaseConnection;
use url::Url;
use worker::progress::Progress;
use worker::queue::Queue;

/// What the api has at hand to answer a request. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The truth.
    pub database: DatabaseConnection,
    /// Microsoft's clouds, for consent URLs, the code exchange and the diagnosis of a token only.
    pub microsoft: Microsoft,
    /// Seals delegated tokens and enrollment keys.
    pub keyring: Keyring,
    /// The time.
    pub clock: Clock,
    /// Where jobs are pushed.
    pub queue: Queue,
    /// Where live queries hear that an operation moved on.
    pub progress: Progress,
    /// Under which address people and Microsoft reach this api.
    pub public_url: Url,
}
