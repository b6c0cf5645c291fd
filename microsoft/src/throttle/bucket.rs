//! A token bucket as Azure Resource Manager keeps one per subscription and principal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// How much less than Microsoft's our bucket holds, in seconds of its refill. Calls arrive later than they are
/// counted here, and Microsoft's bucket gains nothing meanwhile if it is full.
const TRAVEL: f64 = 1.0;

/// A copy of Microsoft's bucket, kept between answers. It never holds more than Microsoft's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// Below nothing: so many calls wait for their turn.
    tokens: f64,
    capacity: f64,
    /// Per second.
    refill: f64,
    at: Moment,
}

impl Bucket {
    pub fn new(capacity: f64, refill: f64, now: Moment) -> Self {
        let mut bucket = Self { tokens: 0.0, capacity, refill, at: now };
        bucket.tokens = bucket.most();
        bucket
    }

    /// Takes one token and says how long to wait until it is there. If that is more than `patience`, it says so
    /// and takes nothing.
    pub fn take(&mut self, now: Moment, patience: Duration) -> Result<Duration, Duration> {
        let left = self.tokens_at(now) - 1.0;
        let wait = Duration::from_secs_f64((-left / self.refill).max(0.0));
        if wait > patience {
            return Err(wait);
        }
        self.hold(left, now);
        Ok(wait)
    }

    /// Takes over what Microsoft says is left. It may not have counted the `others`.
    pub fn learn(&mut self, now: Moment, remaining: u32, others: u32) {
        let remaining = f64::from(remaining);
        self.capacity = self.capacity.max(remaining);
        self.hold((remaining - f64::from(others)).max(-self.capacity), now);
    }

    /// After a refusal one call finds out what there is, and the others follow at the pace of the refill.
    pub fn refused(&mut self, now: Moment, until: Moment) {
        let waiting = self.tokens_at(now).min(1.0);
        self.hold(waiting, until);
    }

    fn hold(&mut self, tokens: f64, now: Moment) {
        self.tokens = tokens;
        self.at = self.at.max(now);
    }

    fn tokens_at(&self, now: Moment) -> f64 {
        let flowed = self.tokens + now.since(self.at).as_secs_f64() * self.refill;
        // What Microsoft has just said counts even if it is more.
        flowed.min(self.most().max(self.tokens))
    }

    fn most(&self) -> f64 {
        (self.capacity - TRAVEL * self.refill).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn start() -> Moment {
        Moment::after(Duration::from_hours(1))
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_empty_bucket_says_when_it_has_one() {
        let mut bucket = Bucket::new(12.0, 10.0, start());
        assert!(bucket.take(start(), NOW).is_ok());
        assert!(bucket.take(start(), NOW).is_ok());
        assert_eq!(bucket.take(start(), NOW), Err(millis(100)));
        assert_eq!(bucket.take(start() + millis(100), NOW), Ok(NOW));
    }

    #[test]
    fn who_has_patience_gets_a_turn_of_its_own() {
        let mut bucket = Bucket::new(11.0, 10.0, start());
        let patience = millis(250);
        let turns: Vec<_> = (0..4).map(|_| bucket.take(start(), patience)).collect();
        assert_eq!(turns, [Ok(NOW), Ok(millis(100)), Ok(millis(200)), Err(millis(300))]);
    }

    #[test]
    fn requests_under_way_are_not_spent_twice() {
        let mut bucket = Bucket::new(250.0, 25.0, start());
        bucket.learn(start(), 5, 4);
        assert!(bucket.take(start(), NOW).is_ok());
        assert!(bucket.take(start(), NOW).is_err());
    }

    #[test]
    fn after_a_refusal_one_goes_first() {
        let mut bucket = Bucket::new(200.0, 10.0, start());
        let until = start() + Duration::from_secs(5);
        bucket.refused(start(), until);
        assert_eq!(bucket.take(until, NOW), Ok(NOW));
        assert_eq!(bucket.take(until, NOW), Err(millis(100)));
        bucket.learn(until, 150, 0);
        assert_eq!((0..200).filter(|_| bucket.take(until, NOW).is_ok()).count(), 150);
    }

    /// Microsoft's side, in whole microseconds.
    struct Theirs {
        millionths: u64,
        at: Duration,
    }

    impl Theirs {
        fn take(&mut self, at: Duration) -> bool {
            let flowed = u64::try_from(at.saturating_sub(self.at).as_micros()).expect("a short test") * 10;
            (self.millionths, self.at) = ((self.millionths + flowed).min(200_000_000), at);
            // Our floating numbers are off by less than this.
            let is_there = self.millionths >= 999_900;
            self.millionths = self.millionths.saturating_sub(if is_there { 1_000_000 } else { 0 });
            is_there
        }
    }

    proptest! {
        /// Against a bucket of the published size, no schedule of calls is ever refused, however long each
        /// travels.
        #[test]
        fn never_more_than_the_bucket_holds(
            calls in proptest::collection::vec((0u64..200, 0u64..1_000, 0u64..3_000), 1..600),
        ) {
            let mut ours = Bucket::new(200.0, 10.0, start());
            let (mut now, mut arrivals) = (Duration::ZERO, Vec::new());
            for (gap, travel, patience) in calls {
                now += millis(gap);
                if let Ok(wait) = ours.take(start() + now, millis(patience)) {
                    arrivals.push(now + wait + millis(travel));
                }
            }
            arrivals.sort_unstable();
            let mut theirs = Theirs { millionths: 200_000_000, at: Duration::ZERO };
            for arrival in arrivals {
                prop_assert!(theirs.take(arrival));
            }
        }
    }
}
