//! One queue as a state machine: what the scripts of the Redis store do, without Redis.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::queue::QueueDepth;
use crate::queue::store::{
    BATCH, DEAD_LETTERS, LeasedTask, Leases, NO_DEADLINE, NewTask, Settlement, Verdict, millis,
};

/// One queue. Times are milliseconds of the caller's clock.
#[derive(Debug, Default)]
pub(super) struct Line {
    tasks: HashMap<Arc<str>, Task>,
    ready: BTreeSet<(u64, Arc<str>)>,
    scheduled: BTreeSet<(u64, Arc<str>)>,
    leased: BTreeSet<(u64, Arc<str>)>,
    dead: VecDeque<Arc<str>>,
    pushes: u64,
    rung: bool,
}

#[derive(Debug, Clone)]
struct Task {
    payload: Arc<[u8]>,
    order: u64,
    attempts: u32,
    place: Place,
    /// Whose lease it was until it ran out; that worker may still be at work.
    reaped: Option<Arc<str>>,
    /// What was pushed while the task was leased.
    again: Option<Again>,
}

#[derive(Debug, Clone)]
enum Place {
    Ready { since: u64 },
    Scheduled { run_at: u64 },
    Leased { token: Arc<str>, until: u64 },
}

#[derive(Debug, Clone)]
struct Again {
    payload: Arc<[u8]>,
    order: u64,
    run_at: u64,
}

impl Task {
    fn new(payload: Arc<[u8]>, order: u64, run_at: u64) -> Self {
        Self { payload, order, attempts: 0, place: Place::Scheduled { run_at }, reaped: None, again: None }
    }

    fn token(&self) -> Option<&Arc<str>> {
        match &self.place {
            Place::Leased { token, .. } => Some(token),
            Place::Ready { .. } | Place::Scheduled { .. } => None,
        }
    }

    fn held_by(&self, token: &Arc<str>) -> bool {
        self.token() == Some(token) || self.reaped.as_ref() == Some(token)
    }

    fn remember(&mut self, mut again: Again) {
        if let Some(before) = self.again.take() {
            again.order = again.order.min(before.order);
            again.run_at = again.run_at.min(before.run_at);
        }
        self.again = Some(again);
    }

    /// The run that starts next also answers what was pushed during the last one.
    fn absorb(&mut self) {
        if let Some(again) = self.again.take() {
            self.payload = again.payload;
            self.order = self.order.min(again.order);
        }
    }
}

impl Line {
    /// Adds a task, or joins it with the one of the same key.
    pub fn push(&mut self, new: &NewTask, now: u64) {
        self.pushes += 1;
        let order = new.deadline.unwrap_or(NO_DEADLINE + self.pushes);
        let run_at = now + millis(new.delay);
        let payload: Arc<[u8]> = new.payload.as_slice().into();
        let Some((key, mut task)) = self.take(&new.key) else {
            let key: Arc<str> = new.key.as_str().into();
            self.dead.retain(|dead| *dead != key);
            return self.wait(key, Task::new(payload, order, run_at), run_at, now);
        };
        let leased = task.token().is_some();
        if leased || task.reaped.is_some() {
            task.remember(Again { payload, order, run_at });
        }
        match task.place {
            Place::Leased { .. } => self.put(key, task),
            Place::Ready { .. } => {
                task.order = task.order.min(order);
                self.put(key, task);
            }
            Place::Scheduled { run_at: waits_until } => {
                task.order = task.order.min(order);
                self.wait(key, task, waits_until.min(run_at), now);
            }
        }
    }

    /// Takes up to `count` tasks, earliest deadline first.
    pub fn lease(&mut self, token: &Arc<str>, count: usize, lease: u64, now: u64) -> Leases {
        for key in due(&self.leased, now) {
            if let Some((key, mut task)) = self.take(&key) {
                task.reaped = task.token().cloned();
                task.order = task.again.as_ref().map_or(task.order, |again| task.order.min(again.order));
                self.wait(key, task, now, now);
            }
        }
        for key in due(&self.scheduled, now) {
            if let Some((key, task)) = self.take(&key) {
                self.wait(key, task, now, now);
            }
        }
        let mut tasks = Vec::new();
        while tasks.len() < count.min(BATCH) {
            let Some((_, key)) = self.ready.first().cloned() else { break };
            let Some((key, mut task)) = self.take(&key) else { break };
            let resumes = task.reaped.take().filter(|reaped| keeper(reaped) == keeper(token));
            if resumes.is_none() {
                task.absorb();
            }
            task.attempts += 1;
            tasks.push(LeasedTask {
                key: Arc::clone(&key),
                token: Arc::clone(token),
                payload: Arc::clone(&task.payload),
                attempt: task.attempts,
                order: task.order,
                resumes,
            });
            task.place = Place::Leased { token: Arc::clone(token), until: now + lease };
            self.put(key, task);
        }
        let heads = [self.scheduled.first(), self.leased.first()];
        let next = heads.into_iter().flatten().map(|(at, _)| *at).min();
        Leases { tasks, next: next.map(|at| Duration::from_millis(at.saturating_sub(now))) }
    }

    /// Prolongs leases; answers the keys that somebody else holds.
    pub fn extend(&mut self, tasks: &[LeasedTask], lease: u64, now: u64) -> Vec<String> {
        let mut lost = Vec::new();
        for held in tasks {
            let Some((key, mut task)) = self.take(&held.key) else {
                let mut task = Task::new(Arc::clone(&held.payload), held.order, now);
                task.attempts = held.attempt;
                task.place = Place::Leased { token: Arc::clone(&held.token), until: now + lease };
                self.put(Arc::clone(&held.key), task);
                continue;
            };
            if task.token().is_some_and(|token| *token != held.token) {
                lost.push(key.to_string());
                self.put(key, task);
                continue;
            }
            if !task.held_by(&held.token) {
                let run_at = if let Place::Scheduled { run_at } = task.place { run_at } else { now };
                task.remember(Again { payload: Arc::clone(&task.payload), order: task.order, run_at });
                task.attempts = held.attempt;
            }
            task.reaped = None;
            task.place = Place::Leased { token: Arc::clone(&held.token), until: now + lease };
            self.put(key, task);
        }
        lost
    }

    /// Carries out a verdict, unless it comes too late.
    pub fn settle(&mut self, settlement: &Settlement, now: u64) -> bool {
        let Some((key, mut task)) = self.take(&settlement.key) else { return false };
        if !task.held_by(&settlement.token) {
            self.put(key, task);
            return false;
        }
        if let Verdict::Retry { delay, attempts } = settlement.verdict {
            task.absorb();
            task.attempts = attempts;
            task.reaped = None;
            self.wait(key, task, now + millis(delay), now);
        } else if let Some(again) = task.again {
            self.wait(key, Task::new(again.payload, again.order, again.run_at), again.run_at, now);
        } else if settlement.verdict == Verdict::Bury {
            self.dead.push_back(key);
            if self.dead.len() > DEAD_LETTERS {
                self.dead.pop_front();
            }
        }
        true
    }

    /// How many tasks are where.
    pub fn depth(&self, now: u64) -> QueueDepth {
        let heads = [self.ready.first(), self.ready.range((NO_DEADLINE, Arc::from(""))..).next()];
        let ages = heads.into_iter().flatten().filter_map(|(_, key)| match self.tasks.get(key)?.place {
            Place::Ready { since } => Some(Duration::from_millis(now.saturating_sub(since))),
            Place::Scheduled { .. } | Place::Leased { .. } => None,
        });
        QueueDepth {
            ready: self.ready.len(),
            scheduled: self.scheduled.len(),
            leased: self.leased.len(),
            dead: self.dead.len(),
            oldest_ready_age: ages.max(),
        }
    }

    /// How early the next scheduled task is; all of them are due that much earlier if `by` is given.
    pub fn hasten(&mut self, by: Option<u64>, now: u64) -> Option<u64> {
        let (run_at, _) = self.scheduled.first()?;
        let early = run_at.saturating_sub(now);
        for (run_at, key) in by.map(|_| self.scheduled.clone()).into_iter().flatten() {
            if let Some((key, task)) = self.take(&key) {
                self.wait(key, task, run_at.saturating_sub(by.unwrap_or_default()), now);
            }
        }
        Some(early)
    }

    /// Whether something became ready since the last call.
    pub fn take_rung(&mut self) -> bool {
        std::mem::take(&mut self.rung)
    }

    fn wait(&mut self, key: Arc<str>, mut task: Task, run_at: u64, now: u64) {
        task.place = if run_at > now {
            Place::Scheduled { run_at }
        } else {
            self.rung = true;
            Place::Ready { since: now }
        };
        self.put(key, task);
    }

    /// Takes a task out of everything.
    fn take(&mut self, key: &str) -> Option<(Arc<str>, Task)> {
        let (key, task) = self.tasks.remove_entry(key)?;
        let (set, at) = self.place_of(&task);
        set.remove(&(at, Arc::clone(&key)));
        Some((key, task))
    }

    fn put(&mut self, key: Arc<str>, task: Task) {
        let (set, at) = self.place_of(&task);
        set.insert((at, Arc::clone(&key)));
        self.tasks.insert(key, task);
    }

    fn place_of(&mut self, task: &Task) -> (&mut BTreeSet<(u64, Arc<str>)>, u64) {
        match task.place {
            Place::Ready { .. } => (&mut self.ready, task.order),
            Place::Scheduled { run_at } => (&mut self.scheduled, run_at),
            Place::Leased { until, .. } => (&mut self.leased, until),
        }
    }
}

/// The name that the tokens of one keeper begin with.
fn keeper(token: &str) -> Option<&str> {
    token.rsplit_once('/').map(|(keeper, _)| keeper)
}

/// The first keys whose time has come.
fn due(set: &BTreeSet<(u64, Arc<str>)>, now: u64) -> Vec<Arc<str>> {
    set.iter().take_while(|(at, _)| *at <= now).take(BATCH).map(|(_, key)| Arc::clone(key)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const LEASE: u64 = 100;

    #[derive(Debug, Clone)]
    enum Step {
        Push {
            key: u8,
            deadline: Option<u64>,
            delay: u64,
        },
        Lease {
            count: usize,
        },
        /// The oldest run that is under way in some worker's eyes ends.
        Settle {
            verdict: u8,
        },
        Extend,
        Pass {
            time: u64,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..6_u8, proptest::option::of(0..50_u64), prop_oneof![Just(0), 1..150_u64])
                .prop_map(|(key, deadline, delay)| Step::Push { key, deadline, delay }),
            3 => (1..4_usize).prop_map(|count| Step::Lease { count }),
            4 => (0..4_u8).prop_map(|verdict| Step::Settle { verdict }),
            1 => Just(Step::Extend),
            2 => (1..120_u64).prop_map(|time| Step::Pass { time }),
        ]
    }

    fn verdict(number: u8, attempt: u32) -> Verdict {
        match number {
            0 | 1 => Verdict::Finish,
            2 => Verdict::Bury,
            _ => Verdict::Retry { delay: Duration::from_millis(30), attempts: attempt },
        }
    }

    fn sound(line: &Line) {
        let places = line.ready.len() + line.scheduled.len() + line.leased.len();
        assert_eq!(places, line.tasks.len(), "every task is in exactly one place");
        for (key, task) in &line.tasks {
            let (set, at) = match task.place {
                Place::Ready { .. } => (&line.ready, task.order),
                Place::Scheduled { run_at } => (&line.scheduled, run_at),
                Place::Leased { until, .. } => (&line.leased, until),
            };
            assert!(set.contains(&(at, Arc::clone(key))));
        }
    }

    proptest! {
        /// Whatever happens: a task is in one place, a key is leased once at a time, tasks are handed out in
        /// order, and every push is followed by a run that began after it.
        #[test]
        fn keeps_its_promises(steps in proptest::collection::vec(step(), 1..120)) {
            let mut line = Line::default();
            let mut now = 0;
            let mut runs: VecDeque<LeasedTask> = VecDeque::new();
            let mut unanswered: HashSet<String> = HashSet::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push { key, deadline, delay } => {
                        let key = key.to_string();
                        let delay = Duration::from_millis(delay);
                        unanswered.insert(key.clone());
                        line.push(&NewTask { key, payload: Vec::new(), deadline, delay }, now);
                    }
                    Step::Lease { count } => {
                        let keeper = number % 2;
                        let token: Arc<str> = format!("{keeper}/{number}").into();
                        let leases = line.lease(&token, count, LEASE, now);
                        prop_assert!(leases.tasks.is_sorted_by_key(|task| task.order));
                        for task in leases.tasks {
                            let own = |run: &LeasedTask| {
                                run.key == task.key && run.token.starts_with(&keeper.to_string())
                            };
                            let before = runs.iter().position(own);
                            if let Some(run) = before.filter(|run| task.resumes.as_ref() == Some(&runs[*run].token)) {
                                runs[run].token = task.token;
                                continue;
                            }
                            before.map(|run| runs.remove(run));
                            unanswered.remove(&*task.key);
                            runs.push_back(task);
                        }
                    }
                    Step::Settle { verdict: number } => {
                        let Some(run) = runs.pop_front() else { continue };
                        let LeasedTask { key, token, attempt, .. } = run;
                        line.settle(&Settlement { key, token, verdict: verdict(number, attempt) }, now);
                    }
                    Step::Extend => {
                        let held: Vec<_> = runs.iter().cloned().collect();
                        let lost = line.extend(&held, LEASE, now);
                        runs.retain(|run| !lost.contains(&run.key.to_string()) || line.tasks[&run.key].held_by(&run.token));
                    }
                    Step::Pass { time } => now += time,
                }
                sound(&line);
            }
            for key in unanswered {
                prop_assert!(line.tasks.contains_key(key.as_str()), "the push of {} was lost", key);
            }
        }
    }

    #[test]
    fn dead_letters_are_bounded() {
        let mut line = Line::default();
        let token: Arc<str> = "token".into();
        for number in 0..DEAD_LETTERS + 5 {
            let key = number.to_string();
            line.push(
                &NewTask { key: key.clone(), payload: Vec::new(), deadline: None, delay: Duration::ZERO },
                0,
            );
            line.lease(&token, 1, LEASE, 0);
            let settlement =
                Settlement { key: key.into(), token: Arc::clone(&token), verdict: Verdict::Bury };
            assert!(line.settle(&settlement, 0));
        }
        assert_eq!(line.depth(0).dead, DEAD_LETTERS);
    }
}
