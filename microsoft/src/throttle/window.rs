//! The Resource Graph quota: so many queries per principal in a window of a few seconds.
//!
//! <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/guidance-for-throttled-requests>.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// The published quota: 15 queries in 5 seconds.
const QUERIES: u32 = 15;
const LENGTH: Duration = Duration::from_secs(5);
/// Microsoft writes the time left in whole seconds, and not which way it rounds.
const ROUNDING: Duration = Duration::from_secs(1);

/// A copy of Microsoft's window, kept between answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Window {
    limit: u32,
    left: u32,
    length: Duration,
    /// The window that is open, if one is.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Open {
    since: Moment,
    until: Moment,
    /// Whether an answer has said when it ends; until then `until` is an assumption.
    confirmed: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { limit: QUERIES, left: QUERIES, length: LENGTH, open: None }
    }
}

impl Window {
    /// Takes one query, or says when the next window opens.
    pub fn take(&mut self, now: Moment) -> Result<(), Moment> {
        let open = match self.open {
            Some(open) if now < open.until => open,
            _ => {
                self.left = self.limit;
                *self.open.insert(Open { since: now, until: now + self.length, confirmed: false })
            }
        };
        if self.left == 0 {
            return Err(open.until);
        }
        self.left -= 1;
        Ok(())
    }

    /// Takes over what Microsoft says is left. It may not have counted the `others`.
    pub fn learn(
        &mut self,
        sent: Moment,
        now: Moment,
        remaining: u32,
        resets_after: Option<Duration>,
        others: u32,
    ) {
        let Some(mut open) = self.open.filter(|open| sent >= open.since) else {
            // The answer belongs to a window that is over.
            return;
        };
        // The first query of a window leaves all but itself and those sent beside it.
        let most = remaining.saturating_add(others).saturating_add(1);
        let opened_by_us = most >= self.limit;
        self.limit = self.limit.max(remaining.saturating_add(1));
        // The others may or may not be counted in what remains.
        self.left = self.left.max(remaining.saturating_sub(others)).min(remaining);
        if !open.confirmed {
            self.limit = self.limit.min(most);
        }
        if let Some(resets_after) = resets_after {
            self.length = self.length.max(resets_after);
            if !open.confirmed {
                open.until = now + if opened_by_us { self.length } else { resets_after };
                open.confirmed = true;
            }
            let earliest = now + resets_after.saturating_sub(ROUNDING);
            open.until = open.until.clamp(earliest, now + resets_after + ROUNDING);
        }
        self.open = Some(open);
    }

    /// Nothing is left until then.
    pub fn exhausted(&mut self, until: Moment) {
        self.left = 0;
        let since = self.open.map_or(until, |open| open.since);
        self.open = Some(Open { since, until, confirmed: true });
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    /// Microsoft's side: a window opens with its first query.
    struct Quota {
        limit: u32,
        used: u32,
        opened: Option<Moment>,
        round_up: bool,
    }

    impl Quota {
        /// `None` is a 429.
        fn query(&mut self, now: Moment) -> Option<(u32, Duration)> {
            let opened = match self.opened {
                Some(opened) if now < opened + LENGTH => opened,
                _ => {
                    self.used = 0;
                    *self.opened.insert(now)
                }
            };
            if self.used == self.limit {
                return None;
            }
            self.used += 1;
            let left = (opened + LENGTH).since(now).as_secs_f64();
            let seconds = if self.round_up { left.ceil() } else { left.floor() };
            Some((self.limit - self.used, Duration::from_secs_f64(seconds)))
        }
    }

    fn run(quota: &mut Quota, travel: Duration, length: Duration) -> (u32, u32) {
        let start = Moment::after(Duration::from_hours(1));
        let (mut window, mut now) = (Window::default(), start);
        let (mut answered, mut refused) = (0, 0);
        while now < start + length {
            if let Err(again) = window.take(now) {
                now = again;
                continue;
            }
            let sent = now;
            let reply = quota.query(now + travel);
            now = now + travel * 2;
            if let Some((remaining, resets_after)) = reply {
                answered += 1;
                window.learn(sent, now, remaining, Some(resets_after), 0);
            } else {
                refused += 1;
                window.exhausted(now + LENGTH);
            }
        }
        (answered, refused)
    }

    proptest! {
        #[test]
        fn the_quota_is_used_and_not_overdrawn(travel_ms in 1u64..100, round_up: bool, limit in 5u32..16) {
            let mut quota = Quota { limit, used: 0, opened: None, round_up };
            let length = Duration::from_secs(100);
            let (answered, refused) = run(&mut quota, Duration::from_millis(travel_ms), length);
            prop_assert_eq!(refused, 0);
            prop_assert!(f64::from(answered) >= 0.95 * f64::from(limit) * 20.0, "{} of {}", answered, limit * 20);
        }
    }

    /// Several who query at once, each with its own travel times; answers do not come in order.
    fn run_together(quota: &mut Quota, travels: &[(u64, u64)], length: Duration) -> (u32, u32) {
        let start = Moment::after(Duration::from_hours(1));
        let mut window = Window::default();
        let (mut answered, mut refused, mut order) = (0, 0, 0);
        let (mut under_way, mut taken) = (0_i32, 0_i32);
        let mut events = BinaryHeap::new();
        for worker in 0..travels.len() {
            events.push(Reverse((start, order, worker, Event::Asks)));
            order += 1;
        }
        while let Some(Reverse((now, _, worker, event))) = events.pop() {
            if now > start + length {
                break;
            }
            let (there, back) = travels[worker];
            let (at, next) = match event {
                Event::Asks => {
                    if let Err(again) = window.take(now) {
                        (again, Event::Asks)
                    } else {
                        taken += 1;
                        under_way += 1;
                        let others_then = under_way - 1 - taken;
                        (now + Duration::from_millis(there), Event::Arrives { sent: now, others_then })
                    }
                }
                Event::Arrives { sent, others_then } => {
                    let reply = quota.query(now);
                    (now + Duration::from_millis(back), Event::Returns { sent, others_then, reply })
                }
                Event::Returns { sent, others_then, reply } => {
                    if let Some((remaining, resets_after)) = reply {
                        answered += 1;
                        window.learn(
                            sent,
                            now,
                            remaining,
                            Some(resets_after),
                            u32::try_from(others_then + taken).expect("few"),
                        );
                    } else {
                        refused += 1;
                        window.exhausted(now + LENGTH);
                    }
                    under_way -= 1;
                    (now, Event::Asks)
                }
            };
            order += 1;
            events.push(Reverse((at, order, worker, next)));
        }
        (answered, refused)
    }

    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        Asks,
        Arrives { sent: Moment, others_then: i32 },
        Returns { sent: Moment, others_then: i32, reply: Option<(u32, Duration)> },
    }

    proptest! {
        #[test]
        fn many_at_once_use_the_quota_too(
            travels in proptest::collection::vec((1u64..60, 1u64..60), 1..12),
            round_up: bool,
        ) {
            let mut quota = Quota { limit: QUERIES, used: 0, opened: None, round_up };
            let (answered, refused) = run_together(&mut quota, &travels, Duration::from_secs(100));
            prop_assert!(refused <= 1, "{} refused", refused);
            prop_assert!(f64::from(answered) >= 0.95 * f64::from(QUERIES) * 20.0, "{}", answered);
        }
    }

    #[test]
    fn a_spent_window_reopens_when_it_ends() {
        let start = Moment::after(Duration::from_hours(1));
        let mut window = Window::default();
        for _ in 0..QUERIES {
            assert!(window.take(start).is_ok());
        }
        let again = window.take(start).expect_err("spent");
        assert_eq!(again, start + LENGTH);
        assert!(window.take(again).is_ok());
    }

    #[test]
    fn what_others_spent_is_believed() {
        let start = Moment::after(Duration::from_hours(1));
        let mut window = Window::default();
        assert!(window.take(start).is_ok());
        window.learn(start, start, 0, Some(Duration::from_secs(2)), 0);
        assert_eq!(window.take(start), Err(start + Duration::from_secs(2)));
    }
}
