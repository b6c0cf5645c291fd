//! How many calls an operation is expected to make, and how long it is expected to take.

use std::iter::Sum;
use std::ops::Add;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Calls by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Reads as the consenting user, without the further pages of long lists, which cannot be foreseen.
    pub user_reads: u64,
    /// Writes as the consenting user.
    pub user_writes: u64,
    /// Deletes as the consenting user.
    pub user_deletes: u64,
    /// Reads as the service principal.
    pub app_reads: u64,
    /// Resource Graph queries as the service principal.
    pub queries: u64,
    /// Tokens asked for by the service principal.
    pub token_requests: u64,
}

impl Calls {
    /// Those that are made in the consenting user's name.
    pub fn delegated(self) -> u64 {
        self.user_reads + self.user_writes + self.user_deletes
    }
}

impl Add for Calls {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            user_reads: self.user_reads + other.user_reads,
            user_writes: self.user_writes + other.user_writes,
            user_deletes: self.user_deletes + other.user_deletes,
            app_reads: self.app_reads + other.app_reads,
            queries: self.queries + other.queries,
            token_requests: self.token_requests + other.token_requests,
        }
    }
}

impl Sum for Calls {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// What an operation is expected to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Estimate {
    /// The calls that it makes.
    pub calls: Calls,
    /// For how long it needs the consent window, in milliseconds.
    pub window_ms: u64,
    /// How long it takes from its begin to its end, in milliseconds.
    pub total_ms: u64,
    /// Whether the consent window, as far as it was open, is long enough.
    pub fits_window: bool,
    /// Whether the number of resources of some subscription had to be assumed.
    pub resources_are_assumed: bool,
    /// Whether the time that a role takes to work was measured here; else it is the longest that Azure names.
    pub propagation_is_measured: bool,
    /// When this was told.
    pub made_at: DateTime<Utc>,
}

impl Estimate {
    /// When it is expected to end, if it began when this was told.
    pub fn ends_at(&self) -> DateTime<Utc> {
        let total = i64::try_from(self.total_ms).ok().and_then(TimeDelta::try_milliseconds);
        total.and_then(|total| self.made_at.checked_add_signed(total)).unwrap_or(self.made_at)
    }
}
