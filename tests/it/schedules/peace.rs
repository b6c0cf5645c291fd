//! When nothing goes wrong any more, the owner consents once more, and everything is as it was asked for.

use std::rc::Rc;

use anyhow::Result;
use chrono::TimeDelta;
use entity::operation_step::Outcome;
use entity::subscription::AccessLevel;

use super::facts::Facts;
use super::ground::Stage;
use super::schedule::Act;
use super::{calls, roles};

/// Heals the world, onboards, and asks for a level; answers how everything is then.
pub async fn restore(
    stage: &Rc<Stage>,
    level: AccessLevel,
    mut before: Facts,
    faults: &mut Vec<String>,
) -> Result<Facts> {
    for at in &stage.subscriptions {
        stage.simulator.set_disabled(*at, false);
        stage.simulator.set_locked(*at, false);
    }
    stage.simulator.set_propagation(TimeDelta::zero());
    stage.simulator.set_token_lifetime(None);
    {
        let mut others = stage.others.borrow_mut();
        others.taken.clear();
        others.changed.clear();
    }
    stage.tempo.advance(TimeDelta::hours(1));
    for level in [None, Some(level)] {
        let act = Act::calm(level);
        stage.play(&act).await?;
        let after = Facts::read(stage).await?;
        calls::judge(stage, &after, faults);
        roles::judge(stage, &act, &before, &after, faults);
        if !after.here.is_empty() && after.operations.len() != before.operations.len() + 1 {
            faults.push(format!(
                "in peace {level:?} began {:?} after {:?}",
                after.operations, before.operations
            ));
        }
        for at in &after.here {
            let outcome = after.last_step(*at).and_then(|step| step.outcome);
            let is_well = match level {
                None => outcome.is_some_and(Outcome::is_access),
                Some(_) => matches!(outcome, Some(Outcome::Changed | Outcome::Unchanged)),
            };
            if !is_well {
                faults.push(format!("in peace {level:?} ended at {at}: {:?}", after.last_step(*at)));
            }
        }
        before = after;
    }
    Ok(before)
}
