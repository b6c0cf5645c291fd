//! What is known of one lane: what is left, what is under way, and until when it is closed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Budget;
use super::bucket::Bucket;
use super::headers::Reading;
use super::moment::Moment;
use super::report_window::ReportWindow;
use super::window::Window;

/// Lanes unused for so long have full budgets again, so forgetting them loses nothing.
pub(super) const FORGET_AFTER: Duration = Duration::from_mins(10);
/// Longer than any request: who took a call before that and never came back has died.
const LONGEST_CALL: Duration = Duration::from_secs(90);
/// What is further in the future was written by a clock that has been set back since.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// What is known of one lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    gauge: Gauge,
    /// The calls that were let through and not answered yet: number and time.
    under_way: Vec<(u32, Moment)>,
    /// How many calls have been let through so far.
    taken: u32,
    blocked_until: Option<Moment>,
    used_at: Moment,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Gauge {
    Bucket(Bucket),
    Window(Window),
    ReportWindow(ReportWindow),
}

/// One call that was let through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    number: u32,
    /// How many others were under way.
    beside: u32,
    sent: Moment,
    /// It may be sent after so long.
    pub wait: Duration,
}

impl State {
    pub fn new(budget: Budget, now: Moment) -> Self {
        // https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling
        let gauge = match budget {
            Budget::ArmReads => Gauge::Bucket(Bucket::new(250.0, 25.0, now)),
            Budget::ArmWrites | Budget::ArmDeletes => Gauge::Bucket(Bucket::new(200.0, 10.0, now)),
            // https://learn.microsoft.com/en-us/graph/throttling-limits: 3,500 units in ten seconds for
            // the smallest tenants, one or two units a call.
            Budget::Graph => Gauge::Bucket(Bucket::new(300.0, 150.0, now)),
            // Entra publishes no figure; this only keeps a fault from becoming a storm.
            Budget::Login => Gauge::Bucket(Bucket::new(100.0, 20.0, now)),
            // No figure is published either; a key is checked once a day.
            Budget::Consumption => Gauge::Bucket(Bucket::new(20.0, 0.5, now)),
            Budget::ResourceGraph => Gauge::Window(Window::default()),
            Budget::Report(_) => Gauge::ReportWindow(ReportWindow::default()),
        };
        Self { gauge, under_way: Vec::new(), taken: 0, blocked_until: None, used_at: now }
    }

    /// The newer of two, as far as they are any use now: what was lost in one place may be known in the other.
    pub fn newest(one: Option<Self>, other: Option<&Self>, budget: Budget, now: Moment) -> Self {
        let is_of_use = |state: &Self| !state.is_forgotten(now) && state.used_at <= now + CLOCK_SLACK;
        let one = one.filter(is_of_use);
        let other = other.filter(|state| is_of_use(state));
        // Whichever was used last, a refusal that one of them knows still holds.
        let blocked_until =
            one.as_ref().map(|state| state.blocked_until).max(other.map(|it| it.blocked_until));
        let newest = match (one, other) {
            (Some(one), Some(other)) if other.used_at > one.used_at => other.clone(),
            (Some(one), _) => one,
            (None, Some(other)) => other.clone(),
            (None, None) => Self::new(budget, now),
        };
        Self { blocked_until: blocked_until.flatten(), ..newest }
    }

    pub fn is_forgotten(&self, now: Moment) -> bool {
        now.since(self.used_at) >= FORGET_AFTER
    }

    /// Takes one call from the budget; or says when to ask again, and leaves everything as it is.
    pub fn take(&mut self, now: Moment, patience: Duration) -> Result<Ticket, Duration> {
        self.open(now)?;
        let wait = match &mut self.gauge {
            Gauge::Bucket(bucket) => bucket.take(now, patience)?,
            Gauge::Window(window) => {
                window.take(now).map_err(|until| until.since(now))?;
                Duration::ZERO
            }
            Gauge::ReportWindow(window) => {
                window.take(now).map_err(|until| until.since(now))?;
                Duration::ZERO
            }
        };
        self.used_at = now;
        self.under_way.retain(|(_, at)| now.since(*at) < LONGEST_CALL);
        self.taken = self.taken.wrapping_add(1);
        let beside = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
        let ticket = Ticket { number: self.taken, beside, sent: now + wait, wait };
        self.under_way.push((ticket.number, ticket.sent));
        Ok(ticket)
    }

    /// Whether calls are let through; else how long not.
    pub fn open(&self, now: Moment) -> Result<(), Duration> {
        match self.blocked_until.map(|until| until.since(now)) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// The call is over; corrects the count by what its answer says is left.
    pub fn end(&mut self, ticket: Ticket, now: Moment, reading: Option<Reading>) {
        let Some(place) = self.under_way.iter().position(|(number, _)| *number == ticket.number) else {
            // It was let through by a state that has been lost since, so it says nothing of this one.
            return;
        };
        self.under_way.swap_remove(place);
        self.used_at = self.used_at.max(now);
        let Some(Reading { remaining, resets_after }) = reading else { return };
        let others = self.others(ticket);
        match &mut self.gauge {
            Gauge::Bucket(bucket) => bucket.learn(now, remaining, others),
            Gauge::Window(window) => window.learn(ticket.sent, now, remaining, resets_after, others),
            // No answer says what is left.
            Gauge::ReportWindow(_) => {}
        }
    }

    /// Closes the lane: a call before the time is up would be refused again.
    pub fn refused(&mut self, now: Moment, retry_after: Duration) {
        let until = now + retry_after;
        self.blocked_until = self.blocked_until.max(Some(until));
        self.used_at = self.used_at.max(now);
        match &mut self.gauge {
            Gauge::Bucket(bucket) => bucket.refused(now, until),
            Gauge::Window(window) => window.exhausted(until),
            // What was asked for stays counted, and that the lane is closed is all there is to know.
            Gauge::ReportWindow(_) => {}
        }
    }

    /// How many other calls Microsoft may have counted only after it answered this one: those that were
    /// under way when it was let through, and those let through since.
    fn others(&self, ticket: Ticket) -> u32 {
        self.taken.wrapping_sub(ticket.number).saturating_add(ticket.beside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReportKind;

    const NOW: Duration = Duration::ZERO;

    fn start() -> Moment {
        Moment::after(Duration::from_hours(1))
    }

    fn left(remaining: u32) -> Reading {
        Reading { remaining, resets_after: None }
    }

    #[test]
    fn a_refusal_closes_it_until_the_time_is_up() {
        let mut state = State::new(Budget::ArmWrites, start());
        state.refused(start(), Duration::from_secs(30));
        state.refused(start(), Duration::from_secs(2));
        assert_eq!(state.take(start(), Duration::from_secs(29)).err(), Some(Duration::from_secs(30)));
        assert!(state.take(start() + Duration::from_secs(30), NOW).is_ok());
    }

    #[test]
    fn an_answer_to_a_call_that_it_did_not_let_through_changes_nothing() {
        let mut lost = State::new(Budget::ArmReads, start());
        let tickets: Vec<_> = (0..3).map(|_| lost.take(start(), NOW).expect("a full bucket")).collect();
        let mut state = State::new(Budget::ArmReads, start());
        state.end(tickets[2], start(), Some(left(0)));
        assert!(state.take(start(), NOW).is_ok());
    }

    #[test]
    fn calls_of_the_dead_are_forgotten() {
        let mut state = State::new(Budget::ArmReads, start());
        for _ in 0..100 {
            state.take(start(), NOW).expect("a full bucket");
        }
        let later = start() + LONGEST_CALL;
        let ticket = state.take(later, NOW).expect("a full bucket");
        state.end(ticket, later, Some(left(2)));
        assert_eq!((0..9).filter(|_| state.take(later, NOW).is_ok()).count(), 2);
    }

    #[test]
    fn the_newer_is_believed_if_it_is_any_use() {
        let (budget, later) = (Budget::Login, start() + Duration::from_secs(9));
        let open = State::new(budget, start());
        let mut closed = open.clone();
        closed.refused(later, Duration::from_mins(20));
        let known =
            |one: &State, other: &State, now| State::newest(Some(one.clone()), Some(other), budget, now);
        assert!(known(&open, &closed, later).open(later).is_err());
        assert!(known(&closed, &open, later).open(later).is_err());
        assert!(State::newest(None, Some(&closed), budget, later).open(later).is_err());
        let (forgotten, set_back) = (later + FORGET_AFTER, start());
        assert!(known(&open, &closed, forgotten).open(forgotten).is_ok());
        assert!(known(&open, &closed, set_back).open(set_back).is_ok(), "a clock that was set back");
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for budget in [Budget::ArmReads, Budget::ResourceGraph, Budget::Report(ReportKind::Mailbox)] {
            let mut state = State::new(budget, start());
            let ticket = state.take(start(), NOW).expect("a full budget");
            state.take(start(), NOW).expect("a full budget");
            state.end(ticket, start(), Some(left(7)));
            state.refused(start(), Duration::from_secs(1));
            let written = serde_json::to_vec(&state).expect("a state");
            let read: State = serde_json::from_slice(&written).expect("the same state");
            assert_eq!(format!("{read:?}"), format!("{state:?}"));
        }
    }
}
