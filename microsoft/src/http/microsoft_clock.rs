//! What Microsoft's clock says: tokens expire by it, whatever the machine's clock says.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap};
use tokio::time::Instant;

/// The `Date` of the last answer, carried on by a clock that nobody sets.
#[derive(Clone, Default)]
pub(crate) struct MicrosoftClock(Arc<Mutex<Option<Told>>>);

/// What an answer told, and when.
#[derive(Clone, Copy)]
struct Told {
    date: DateTime<Utc>,
    at: Instant,
}

impl MicrosoftClock {
    /// Takes over the time that an answer tells.
    pub fn learn(&self, headers: &HeaderMap) {
        let Some(date) = headers.get(DATE).and_then(|date| date.to_str().ok()) else { return };
        let Ok(date) = httpdate::parse_http_date(date) else { return };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Told { date: date.into(), at: Instant::now() });
    }

    /// The time there; none: no answer has told it yet.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        let told = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(told.date + TimeDelta::from_std(told.at.elapsed()).ok()?)
    }
}
