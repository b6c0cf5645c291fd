//! What every job has at hand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::{Clock, Keyring};
use microsoft::Microsoft;
use sea_orm::DatabaseConnection;

use crate::progress::Progress;
use crate::queue::Queue;

/// What every job has at hand. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The truth.
    pub database: DatabaseConnection,
    /// Microsoft's clouds.
    pub microsoft: Microsoft,
    /// Opens delegated tokens and enrollment keys.
    pub keyring: Keyring,
    /// The time.
    pub clock: Clock,
    /// Where jobs are pushed.
    pub queue: Queue,
    /// Where live queries hear that an operation moved on.
    pub progress: Progress,
    /// How patient the jobs are.
    pub pace: Pace,
    /// When the client secret of our app registration expires, if whoever runs this installation said so.
    pub client_secret_expires_at: Option<DateTime<Utc>>,
}

/// How long the jobs wait for things that take their time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From a role assignment to the first look whether it works; each further look waits twice as long.
    pub first_look: Duration,
    /// Between two sweeps.
    pub sweep_every: Duration,
    /// How long an operation may go without a heartbeat before the sweep rings for it again.
    pub unattended_after: Duration,
    /// How long audit events are kept.
    pub audit_retention: Duration,
    /// How long changes of resources are kept.
    pub history_retention: Duration,
    /// Between two checks of a tenant.
    pub check_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_look: Duration::from_secs(1),
            sweep_every: Duration::from_mins(1),
            unattended_after: Duration::from_secs(90),
            audit_retention: Duration::from_hours(730 * 24),
            history_retention: Duration::from_hours(730 * 24),
            check_every: Duration::from_hours(1),
        }
    }
}
