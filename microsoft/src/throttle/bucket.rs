//! A token bucket as Azure Resource Manager keeps one per subscription and principal.

use std::time::Duration;

use tokio::time::Instant;

/// A copy of Microsoft's bucket, kept between answers.
pub(super) struct Bucket {
    tokens: f64,
    capacity: f64,
    /// Per second.
    refill: f64,
    at: Instant,
}

impl Bucket {
    pub fn new(capacity: f64, refill: f64, now: Instant) -> Self {
        Self { tokens: capacity, capacity, refill, at: now }
    }

    /// Takes one token, or says when there will be one.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.flow(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            Ok(())
        } else {
            Err(now + Duration::from_secs_f64((1.0 - self.tokens) / self.refill))
        }
    }

    /// Takes over what Microsoft says is left. It may not have counted the `others`.
    pub fn learn(&mut self, now: Instant, remaining: u32, others: u32) {
        self.flow(now);
        let remaining = f64::from(remaining);
        self.capacity = self.capacity.max(remaining);
        self.tokens = remaining - f64::from(others);
    }

    fn flow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.refill).min(self.capacity);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_bucket_says_when_it_has_one() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 10.0, start);
        assert!(bucket.take(start).is_ok());
        assert!(bucket.take(start).is_ok());
        let again = bucket.take(start).expect_err("empty");
        assert_eq!(again, start + Duration::from_millis(100));
        assert!(bucket.take(again).is_ok());
    }

    #[test]
    fn requests_under_way_are_not_spent_twice() {
        let start = Instant::now();
        let mut bucket = Bucket::new(250.0, 25.0, start);
        bucket.learn(start, 5, 4);
        assert!(bucket.take(start).is_ok());
        assert!(bucket.take(start).is_err());
    }

    proptest! {
        /// Against a bucket of the published size, no schedule of calls is ever refused.
        #[test]
        fn never_more_than_the_bucket_holds(gaps in proptest::collection::vec(0u64..200, 1..600)) {
            let start = Instant::now();
            let (mut ours, mut theirs) = (Bucket::new(200.0, 10.0, start), Bucket::new(200.0, 10.0, start));
            let mut now = start;
            for gap in gaps {
                now += Duration::from_millis(gap);
                if ours.take(now).is_ok() {
                    prop_assert!(theirs.take(now).is_ok());
                }
            }
        }
    }
}
