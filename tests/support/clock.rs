//! A clock that stands still until a test moves it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use entity::Clock;

/// A clock that stands still until a test moves it.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<DateTime<Utc>>>);

impl Default for TestClock {
    /// It begins now: real clients compare tokens with the machine's time. `PostgreSQL` keeps microseconds only.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Clock::system().now().trunc_subsecs(6))))
    }
}

impl TestClock {
    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// The same clock, as the system under test knows it.
    pub fn clock(&self) -> Clock {
        let same = self.clone();
        Clock::from_fn(move || same.now())
    }
}
