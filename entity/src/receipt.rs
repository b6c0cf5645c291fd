//! The receipt of a consent: every call that was made while impersonating its consenting user, signed so that a
//! customer can check it without us.
//!
//! The calls are lines of canonical JSON (RFC 8785), or rows of CSV. What is signed is a statement about them: a
//! JWT (RFC 7519) by Ed25519 (RFC 8037) that holds how many there are and the SHA-256 of both forms. So the
//! statement stays small however many calls there were, and any tool that reads JWTs can check it by the public key.

mod key;
mod line;
mod scope;
mod statement;
mod verify;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::consent::{self, State};

pub use key::{ReceiptKey, TYPE};
pub use line::{CSV_HEADER, Line};
pub use scope::scope_of;
pub use statement::{Statement, Tally};
pub use verify::{Receipt, Unsound, read};

/// How long after its window closed a receipt can still change: no call is waited for as long as this, and what
/// became of the last one is written down by then.
pub const SETTLES: TimeDelta = TimeDelta::minutes(2);

/// The moment as of which the receipt of `consent` is told at `now`, and whether it is final. From then on it is
/// the same for good.
pub fn as_of(consent: &consent::Model, now: DateTime<Utc>) -> (DateTime<Utc>, bool) {
    let settled = consent.erased_at.filter(|_| consent.state == State::Closed).map(|at| at + SETTLES);
    match settled {
        Some(settled) if settled <= now => (settled, true),
        _ => (now, false),
    }
}

/// A moment as receipts write it. All databases keep microseconds.
fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}
