//! How long writes take at Azure's published rate.
//!
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling>: 200
//! writes at once, then 10 a second, for each subscription and service principal.

use std::time::Duration;

use chrono::TimeDelta;
use entity::consent;

use crate::access::SWAP;

/// Writes that Azure takes at once from one principal at one subscription.
const BUCKET: u64 = 200;
/// Writes a second that it takes then.
const REFILL: u64 = 10;

/// What it takes to end the longest write and to take away the role that is held for it: no write is begun closer than
/// this to the end of the window in which the role is held.
pub(crate) const ROOM: TimeDelta = TimeDelta::minutes(4);

/// What a change set asks of one subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that change tags.
    pub calls: u64,
}

/// How long all of it takes: subscriptions have a bucket each, so the fullest one decides.
pub fn duration(loads: impl IntoIterator<Item = Load>) -> Duration {
    let most = loads.into_iter().map(|load| load.calls).max().unwrap_or(0);
    let waited = most.saturating_sub(BUCKET);
    Duration::from_millis(waited.saturating_mul(1_000) / REFILL)
}

/// Whether writing for so long fits into one consent window with all that Azure may take to let a role work, and with
/// putting everything back.
pub fn fits_window(writing: Duration) -> bool {
    TimeDelta::from_std(writing).is_ok_and(|writing| SWAP + writing + ROOM <= consent::WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_a_window_leaves_room_for_the_role() {
        assert!(fits_window(Duration::from_mins(45)));
        assert!(!fits_window(Duration::from_mins(46)));
        assert!(!fits_window(Duration::MAX));
    }

    #[test]
    fn the_fullest_bucket_decides() {
        let of = |calls: &[u64]| duration(calls.iter().map(|calls| Load { calls: *calls })).as_secs();
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[200]), 0);
        assert_eq!(of(&[2_000]), 180);
        assert_eq!(of(&[500; 20]), 30);
    }
}
