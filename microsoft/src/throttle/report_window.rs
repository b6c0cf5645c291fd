//! The quota of one usage report: so many requests of the app in a tenant in any ten minutes.
//!
//! <https://learn.microsoft.com/en-us/graph/throttling-limits#microsoft-365-reports-service-limits>. No answer says how
//! many are left, and what fails counts as well, so each request is remembered until it counts no more.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// The published quota.
const REQUESTS: usize = 14;
const LENGTH: Duration = Duration::from_mins(10);
/// Microsoft counts a request when it arrives, which is later than it is counted here.
const TRAVEL: Duration = Duration::from_secs(5);

/// The wait after a refusal that names none. A refused request counts too, so coming back at once would keep
/// everybody out.
pub(super) const UNNAMED_WAIT: Duration = Duration::from_mins(1);

/// The requests that still count, the oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ReportWindow {
    requests: VecDeque<Moment>,
}

impl ReportWindow {
    /// Takes one request, or says when the oldest counts no more.
    pub fn take(&mut self, now: Moment) -> Result<(), Moment> {
        let counts_until = |request: Moment| request + LENGTH + TRAVEL;
        self.requests.retain(|request| now < counts_until(*request));
        match self.requests.front() {
            Some(oldest) if self.requests.len() >= REQUESTS => Err(counts_until(*oldest)),
            _ => {
                self.requests.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_free_when_the_oldest_counts_no_more() {
        let begun = Moment::after(Duration::from_hours(1));
        let minute = |count| begun + Duration::from_mins(count);
        let mut window = ReportWindow::default();
        assert_eq!(window.take(begun), Ok(()));
        for _ in 1..REQUESTS {
            assert_eq!(window.take(minute(9)), Ok(()));
        }
        assert_eq!(window.take(minute(9)), Err(minute(10) + TRAVEL));
        assert_eq!(window.take(minute(10) + TRAVEL), Ok(()));
        assert_eq!(window.take(minute(11)), Err(minute(19) + TRAVEL));
    }

    proptest! {
        /// However long each request travels, Microsoft never counts more than it lets through.
        #[test]
        fn no_ten_minutes_see_too_many(calls in proptest::collection::vec((0u64..120, 0u64..5_000), 1..200)) {
            let begun = Moment::after(Duration::from_hours(1));
            let (mut window, mut now, mut arrivals) = (ReportWindow::default(), begun, Vec::new());
            for (gap, travel) in calls {
                now = now + Duration::from_secs(gap);
                if window.take(now).is_ok() {
                    arrivals.push(now + Duration::from_millis(travel));
                }
            }
            arrivals.sort_unstable();
            for some in arrivals.windows(REQUESTS + 1) {
                prop_assert!(some[REQUESTS].since(some[0]) >= LENGTH);
            }
        }
    }
}
