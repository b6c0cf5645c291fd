//! A moment by the clock of whoever keeps a lane's state: this process, or all who share it.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since a moment that is the same for all who keep the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Moment(u64);

impl Moment {
    /// So long after the first moment.
    pub fn after(time: Duration) -> Self {
        Self::default() + time
    }

    /// How long ago `earlier` was; nothing if it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Rounded up, so that nothing happens early.
    fn add(self, time: Duration) -> Self {
        let micros = u64::try_from(time.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}
