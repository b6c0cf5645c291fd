//! Plays an act: workers and errands side by side, on one thread, until nothing is left to do.

use std::collections::BTreeSet;
use std::rc::Rc;

use anyhow::{Result, bail};
use chrono::TimeDelta;
use entity::{Owned, consent, delegated_call, operation};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QuerySelect};
use support::stack::Stack;
use uuid::Uuid;
use worker::jobs::Sweep;
use worker::queue::When;

use super::ground::Stage;
use super::happen::LONG_ENOUGH;
use super::life::{Ended, Part, Work};
use super::schedule::Act;
use super::ticks::everybody_sleeps;

/// Time goes on by this while everything waits for it.
const WAIT: TimeDelta = TimeDelta::milliseconds(500);

/// So many ticks without a poll, and while everybody sleeps, are no wait for the database or the cloud.
const ASLEEP: u64 = 2;

/// The same where that cannot be seen: the database is another process, or others work in this one.
const STILL: u64 = 50;

const FIRST_STEP: TimeDelta = TimeDelta::milliseconds(250);
const LONGEST_STEP: TimeDelta = TimeDelta::seconds(30);

/// What is under way, and since when nothing of it has moved.
#[derive(Default)]
struct Round {
    crowd: FuturesUnordered<Part>,
    /// Workers that found nothing to do.
    resting: usize,
    errands: usize,
    done: usize,
    polls: u64,
    still: u64,
}

impl Stage {
    /// Plays an act to its end.
    pub async fn play(self: &Rc<Self>, act: &Act) -> Result<()> {
        self.tempo.advance(TimeDelta::seconds(i64::try_from(act.after)?));
        self.tempo.draw(self.world.pace, &act.leaps, self.world.seed);
        self.life.begin(act, self.simulator.count_calls(|_| true));
        act.outages.iter().for_each(|outage| self.plan(outage));
        self.wish(&act.wish);
        let end = self.tempo.now() + TimeDelta::from_std(LONG_ENOUGH)? * 2;
        let mut step = FIRST_STEP;
        let mut swept = self.tempo.now();
        loop {
            self.tempo.tell().await;
            if self.round().await? > 0 {
                step = FIRST_STEP;
            } else if self.is_quiet().await? {
                self.simulator.faults().clear();
                return Ok(());
            }
            if self.tempo.now() > end {
                bail!("something never ended");
            }
            self.tempo.advance(step);
            step = (step * 2).min(LONGEST_STEP);
            if self.tempo.now() - swept > TimeDelta::minutes(1) {
                self.machine().services.queue.push(&Sweep {}, When::default()).await?;
                swept = self.tempo.now();
            }
        }
    }

    /// Lets workers and errands work until none has anything to do now; answers how much they did.
    async fn round(self: &Rc<Self>) -> Result<usize> {
        let mut round = Round { resting: self.world.hands, ..Round::default() };
        self.wake(&mut round);
        loop {
            self.begin(&mut round, self.life.errands());
            tokio::select! {
                biased;
                ended = round.crowd.next() => match ended {
                    Some(ended) => self.ended(&mut round, ended).await?,
                    // Somebody may have done something at the last poll of all.
                    None => match self.life.errands() {
                        errands if errands.is_empty() => return Ok(round.done),
                        errands => self.begin(&mut round, errands),
                    },
                },
                () = self.ticks.next() => self.tick(&mut round).await,
            }
        }
    }

    fn begin(self: &Rc<Self>, round: &mut Round, errands: Vec<Work>) {
        round.errands += errands.len();
        round.crowd.extend(errands.into_iter().map(|work| Part::errand(self, work)));
        self.tempo.crowd(self.world.hands + round.errands > 1);
    }

    fn wake(self: &Rc<Self>, round: &mut Round) {
        let resting = std::mem::take(&mut round.resting);
        round.crowd.extend((0..resting).map(|_| Part::worker(self)));
    }

    async fn ended(self: &Rc<Self>, round: &mut Round, ended: Ended) -> Result<()> {
        match ended {
            Ended::Worker(done) => {
                let done = done?;
                round.done += done;
                round.resting += 1;
                if done > 0 {
                    self.wake(round);
                }
            }
            Ended::Errand(done) => {
                // The api could not do it, as it had no connection in time; whoever asked is told so.
                round.done += 1 + done.unwrap_or_default();
                round.errands -= 1;
                self.wake(round);
            }
            Ended::Struck(part, kill) => {
                if !self.has_all_arrived().await? {
                    // The cloud answers what it gets, whether anybody waits or not: so that is waited for.
                    self.life.put_off(kill);
                    round.crowd.push(part);
                    return Ok(());
                }
                self.life.died.set(self.life.died.get() + 1);
                drop(part);
                round.done += 1;
                round.resting += 1;
                if kill.restarts {
                    round.crowd.clear();
                    round.errands = 0;
                    round.resting = self.world.hands;
                    self.restart()?;
                }
                self.wake(round);
            }
        }
        Ok(())
    }

    /// A millisecond of the machine has passed.
    async fn tick(self: &Rc<Self>, round: &mut Round) {
        let polls = self.life.polls.get();
        round.still = if polls == round.polls { round.still + 1 } else { 0 };
        round.polls = polls;
        let sleeps = || Stack::chosen() == Stack::Embedded && everybody_sleeps();
        if round.still >= STILL || (round.still >= ASLEEP && sleeps()) {
            self.tempo.advance(WAIT);
        }
        self.tempo.tell().await;
        if !round.crowd.is_empty() {
            self.wake(round);
        }
    }

    /// Whether the cloud has got every call that was written down.
    async fn has_all_arrived(&self) -> Result<bool> {
        let under_way = delegated_call::Entity::owned_by(self.member.organization_id)
            .filter(delegated_call::Column::EndedAt.is_null())
            .select_only()
            .column(delegated_call::Column::Id)
            .into_tuple::<Uuid>()
            .all(&self.database)
            .await?;
        let calls = self.simulator.calls();
        let arrived: BTreeSet<Uuid> = calls.iter().filter_map(|call| call.client_request_id).collect();
        Ok(under_way.iter().all(|id| arrived.contains(id)))
    }

    /// Whether every operation has ended and no window is open any more.
    async fn is_quiet(&self) -> Result<bool> {
        let organization_id = self.member.organization_id;
        let under_way = operation::Entity::owned_by(organization_id)
            .filter(operation::Column::State.is_in([operation::State::Queued, operation::State::Running]))
            .count(&self.database)
            .await?;
        let open = consent::Entity::owned_by(organization_id)
            .filter(consent::Column::State.eq(consent::State::Granted))
            .count(&self.database)
            .await?;
        Ok(under_way + open == 0)
    }
}
