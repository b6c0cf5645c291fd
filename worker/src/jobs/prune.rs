//! Removes audit events and changes of resources that are older than they are to be kept.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{audit, inventory};

/// One look at what every organization keeps. Several workers ask for it; one at a time runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Prune {}

impl Prune {
    /// How often a worker asks for it.
    pub const EVERY: Duration = Duration::from_hours(24);
}

impl Job for Prune {
    const NAME: &'static str = "prune";
    const CONCURRENCY: usize = 1;
    const MAX_ATTEMPTS: u32 = 5;
    type Context = Context;

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        if let Some(cutoff) = cutoff(context, context.pace.audit_retention) {
            let removed = audit::prune(&context.database, &context.keyring, cutoff).await?;
            if removed > 0 {
                tracing::info!(audit_event.count = removed, "removed audit events whose time is over");
            }
        }
        if let Some(cutoff) = cutoff(context, context.pace.history_retention) {
            let removed = inventory::prune(&context.database, cutoff).await?;
            if removed > 0 {
                tracing::info!(resource_change.count = removed, "removed changes whose time is over");
            }
        }
        Ok(())
    }

    async fn give_up(&self, _: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        tracing::warn!(
            error = format!("{why:#}"),
            "not all that is old was removed; tomorrow is another try"
        );
        Ok(())
    }
}

/// What is older is removed; none: the retention is longer than time itself.
fn cutoff(context: &Context, retention: Duration) -> Option<DateTime<Utc>> {
    context.clock.now().checked_sub_signed(TimeDelta::from_std(retention).ok()?)
}
