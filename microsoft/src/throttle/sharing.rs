//! Budgets that several processes spend together: the state of each lane is kept where all of them see it.
//!
//! Whoever wants a call reads the state, changes it, and puts it back unless somebody else was faster; then the
//! change is made again on what they left. So one piece of code decides, wherever the state is kept. A lane has
//! but a few calls a second, so being overtaken is rare. Nobody waits for a place that does not answer: what this
//! process knows itself is enough to go on with, and Microsoft's headers correct it.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::Budget;
use super::lock;
use super::moment::Moment;
use super::state::State;

/// The longest that a call waits for the place where budgets are shared.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two tries while it does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Why shared budgets cannot be reached.
pub type Away = Box<dyn Error + Send + Sync>;

/// A lane as it is where all see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its state, if there is one. What it means is no business of who keeps it.
    pub state: Option<Vec<u8>>,
    /// The time there, since a moment that is the same for everybody. All go by this clock, not by their own.
    pub now: Duration,
}

/// A place where several processes keep the budgets that they spend together. A state may be dropped when
/// nobody has replaced it for ten minutes, and may be lost at any time.
pub trait SharedBudgets: Send + Sync {
    /// Reads the state of a lane.
    fn look<'a>(&'a self, lane: &'a str) -> BoxFuture<'a, Result<Seen, Away>>;

    /// Makes `state` the lane's, if the state is still the one that was `seen`; answers what it is otherwise.
    fn replace<'a>(
        &'a self,
        lane: &'a str,
        seen: Option<&'a [u8]>,
        state: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Seen>, Away>>;
}

/// The way to shared budgets, and whether it is open.
pub(super) struct Sharing {
    budgets: Arc<dyn SharedBudgets>,
    outage: Mutex<Option<Outage>>,
    /// The time there when it was last told, and when that was here.
    told: Mutex<Option<(Moment, Instant)>>,
}

struct Outage {
    since: Instant,
    again_at: Instant,
}

impl Sharing {
    pub fn new(budgets: Arc<dyn SharedBudgets>) -> Self {
        Self { budgets, outage: Mutex::default(), told: Mutex::default() }
    }

    /// The time there, as well as it is known here.
    pub fn now(&self) -> Option<Moment> {
        lock(&self.told).map(|(there, here)| there + here.elapsed())
    }

    /// Changes the state of a lane, and answers the new one; `kept` is what this process knows of it. `change`
    /// is made as often as others are faster. None: nobody answers.
    pub async fn change<T>(
        &self,
        lane: &str,
        budget: Budget,
        kept: Option<&State>,
        change: impl FnMut(&mut State, Moment) -> T + Send,
    ) -> Option<(State, T)> {
        if !self.is_worth_a_try() {
            return None;
        }
        match timeout(PATIENCE, self.insist(lane, budget, kept, change)).await {
            Ok(Ok(changed)) => {
                self.answered();
                Some(changed)
            }
            Ok(Err(error)) => self.failed(&*error),
            Err(too_slow) => self.failed(&too_slow),
        }
    }

    async fn insist<T>(
        &self,
        lane: &str,
        budget: Budget,
        kept: Option<&State>,
        mut change: impl FnMut(&mut State, Moment) -> T + Send,
    ) -> Result<(State, T), Away> {
        let mut seen = self.budgets.look(lane).await?;
        loop {
            let now = Moment::after(seen.now);
            *lock(&self.told) = Some((now, Instant::now()));
            // What cannot be read was written by another version, or is damaged: as good as lost.
            let there = seen.state.as_deref().and_then(|state| serde_json::from_slice(state).ok());
            let mut state = State::newest(there, kept, budget, now);
            let outcome = change(&mut state, now);
            let changed = serde_json::to_vec(&state)?;
            if seen.state.as_deref() == Some(&changed[..]) {
                return Ok((state, outcome));
            }
            match self.budgets.replace(lane, seen.state.as_deref(), &changed).await? {
                None => return Ok((state, outcome)),
                Some(newer) => seen = newer,
            }
        }
    }

    /// While nobody answers, one caller a second finds out whether that is over, and nobody else waits.
    fn is_worth_a_try(&self) -> bool {
        let mut outage = lock(&self.outage);
        let Some(outage) = &mut *outage else { return true };
        let now = Instant::now();
        let is_due = now >= outage.again_at;
        if is_due {
            outage.again_at = now + PAUSE;
        }
        is_due
    }

    fn answered(&self) {
        if let Some(outage) = lock(&self.outage).take() {
            let seconds = outage.since.elapsed().as_secs();
            tracing::info!(outage.seconds = seconds, "budgets are shared again");
        }
    }

    fn failed<T>(&self, error: &(dyn Error + 'static)) -> Option<T> {
        let now = Instant::now();
        let mut outage = lock(&self.outage);
        if let Some(outage) = &mut *outage {
            outage.again_at = now + PAUSE;
        } else {
            *outage = Some(Outage { since: now, again_at: now + PAUSE });
            tracing::warn!(error, "budgets are not shared: this process goes by its own count meanwhile");
        }
        None
    }
}
