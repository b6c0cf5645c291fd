//! Random schedules: whatever goes wrong and whenever, the promises of the consent window are kept.
//!
//! `PROPTEST_CASES` says how many are played by each test, others each time; `PROPTEST_RNG_SEED` repeats those of a
//! failure. Where nothing is said the same few are played each time, so that what fails is what was changed.

mod calls;
mod driver;
mod facts;
mod ground;
mod happen;
mod life;
mod others;
mod peace;
mod roles;
mod schedule;
mod tempo;
mod ticks;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Debug;

use anyhow::Result;
use entity::Clock;
use proptest::strategy::BoxedStrategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use support::stack::Stack;
use tokio::runtime::Builder;

use facts::Facts;
use ground::{Ground, Stage};
use schedule::{Schedule, anything, changes, onboardings, resumptions};

/// How many schedules each test plays, unless it is told.
const CASES: u32 = 25;

/// The same where the database is a server: what is played there differs in its statements alone, and takes longer.
const CASES_DISTRIBUTED: u32 = 6;

/// From what these are drawn.
const SEED: u64 = 20_261_126;

/// Milliseconds that a failing schedule is made smaller for.
const SHRINK_FOR: u32 = 60_000;

/// What was met in the schedules of one test, and how often.
#[derive(Default)]
struct Met(BTreeMap<String, usize>);

impl Met {
    fn add(&mut self, what: impl Debug, count: usize) {
        *self.0.entry(format!("{what:?}")).or_default() += count;
    }

    fn count(&mut self, stage: &Stage, facts: &Facts) {
        self.add("schedules played", 1);
        self.add("calls in a user's name", facts.calls.len());
        self.add("workers that died", stage.life.died.get());
        facts
            .steps
            .values()
            .flatten()
            .filter_map(|step| step.outcome)
            .for_each(|outcome| self.add(outcome, 1));
        facts.consents.values().filter_map(|consent| consent.closed_because).for_each(|why| self.add(why, 1));
    }
}

/// Plays a schedule, act by act; answers what is not as it has to be.
async fn play(ground: &mut Ground, schedule: &Schedule, met: &mut Met) -> Result<Vec<String>> {
    let stage = ground.stage(&schedule.world).await?;
    let mut faults = Vec::new();
    let mut before = Facts::read(&stage).await?;
    for act in &schedule.acts {
        stage.play(act).await?;
        let after = Facts::read(&stage).await?;
        calls::judge(&stage, &after, &mut faults);
        roles::judge(&stage, act, &before, &after, &mut faults);
        before = after;
        if !faults.is_empty() {
            return Ok(faults);
        }
    }
    let end = peace::restore(&stage, schedule.peace, before, &mut faults).await?;
    met.count(&stage, &end);
    Ok(faults)
}

fn played(schedules: &BoxedStrategy<Schedule>) {
    let mut config = Config { failure_persistence: None, max_shrink_time: SHRINK_FOR, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = if Stack::chosen() == Stack::Embedded { CASES } else { CASES_DISTRIBUTED };
        if matches!(config.rng_seed, RngSeed::Random) {
            config.rng_seed = RngSeed::Fixed(SEED);
        }
    }
    if matches!(config.rng_seed, RngSeed::Random) {
        config.rng_seed = RngSeed::Fixed(rand::random());
    }
    let seed = config.rng_seed;
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let ground = RefCell::new(runtime.block_on(Ground::start()).expect("a ground"));
    let (count, met) = (Cell::new(0), RefCell::new(Met::default()));
    let begun = Clock::system().now();
    let outcome = TestRunner::new(config).run(schedules, |schedule| {
        count.set(count.get() + 1);
        let played = runtime.block_on(play(&mut ground.borrow_mut(), &schedule, &mut met.borrow_mut()));
        let faults = played.map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        if faults.is_empty() { Ok(()) } else { Err(TestCaseError::fail(faults.join("\n"))) }
    });
    let took = (Clock::system().now() - begun).num_milliseconds();
    println!("{took} ms: {:?}", met.borrow().0);
    drop(ground);
    if let Err(error) = outcome {
        panic!("repeat with PROPTEST_RNG_SEED: {seed:?}, after {} schedules\n{error}", count.get());
    }
}

#[test]
fn an_onboarding_keeps_every_promise() {
    played(&onboardings());
}

#[test]
fn a_change_of_access_keeps_every_promise() {
    played(&changes());
}

#[test]
fn a_second_consent_resumes_and_repeats_nothing() {
    played(&resumptions());
}

#[test]
fn many_consents_keep_every_promise() {
    played(&anything());
}
