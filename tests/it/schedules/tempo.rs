//! The time of a schedule: it moves on at every look, and the runtime's timers follow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use entity::Clock;

use super::schedule::Leap;

/// The time of a schedule. It never goes back, so that many schedules can follow each other.
#[derive(Clone)]
pub struct Tempo(Arc<Mutex<Inner>>);

struct Inner {
    now: DateTime<Utc>,
    /// What the timers have been told.
    told: DateTime<Utc>,
    looks: u64,
    pace: u64,
    leaps: Vec<Leap>,
    dice: u64,
    is_crowded: bool,
}

/// The most milliseconds that a look takes while somebody else may be about to send something: what passes for one
/// passes for the other too, and nobody can promise anything about a wait between the last look and the sending.
const CROWDED_PACE: u64 = 400;

impl Tempo {
    /// It begins now, and stands still until something is drawn.
    pub fn start() -> Self {
        let now = Clock::system().now().trunc_subsecs(6);
        let inner =
            Inner { now, told: now, looks: 0, pace: 0, leaps: Vec::new(), dice: 1, is_crowded: false };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Each look takes up to `pace` milliseconds from now on, and some take long.
    pub fn draw(&self, pace: u64, leaps: &[Leap], seed: u64) {
        let mut inner = self.inner();
        (inner.looks, inner.pace, inner.leaps, inner.dice) = (0, pace, leaps.to_vec(), seed | 1);
    }

    /// Whether several look at the clock side by side.
    pub fn crowd(&self, is_crowded: bool) {
        self.inner().is_crowded = is_crowded;
    }

    /// The time, as whoever only watches sees it.
    pub fn now(&self) -> DateTime<Utc> {
        self.inner().now
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        self.inner().now += by;
    }

    /// The clock of the system under test: time passes while it works.
    pub fn of_system(&self) -> Clock {
        let same = self.clone();
        Clock::from_fn(move || same.inner().look())
    }

    /// The clock of the cloud.
    pub fn of_cloud(&self) -> simulator::Clock {
        let same = self.clone();
        Arc::new(move || same.now())
    }

    /// Lets the timers of the runtime follow. Its time is stopped otherwise.
    pub async fn tell(&self) {
        let owed = {
            let mut inner = self.inner();
            let owed = inner.now - inner.told;
            inner.told = inner.now;
            owed.to_std().unwrap_or_default()
        };
        if owed > Duration::ZERO {
            tokio::time::advance(owed).await;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn look(&mut self) -> DateTime<Utc> {
        self.looks += 1;
        let looks = self.looks;
        let (pace, leap) = if self.is_crowded {
            (self.pace.min(CROWDED_PACE), 0)
        } else {
            let due = self.leaps.extract_if(.., |leap| leap.look <= looks);
            (self.pace, due.map(|leap| leap.seconds * 1_000).sum())
        };
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let passed: u64 = leap + (self.dice >> 33) % (pace + 1);
        self.now += TimeDelta::milliseconds(i64::try_from(passed).unwrap_or(0));
        self.now
    }
}
