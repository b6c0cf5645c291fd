//! Removes audit events that are older than they are to be kept.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::context::Context;
use crate::job::{Job, JobError};

/// One look at the audit of every organization. Several workers ask for it; one at a time runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PruneAudit {}

impl PruneAudit {
    /// How often a worker asks for it.
    pub const EVERY: Duration = Duration::from_hours(24);
}

impl Job for PruneAudit {
    const NAME: &'static str = "prune-audit";
    const CONCURRENCY: usize = 1;
    const MAX_ATTEMPTS: u32 = 5;
    type Context = Context;

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let kept = TimeDelta::from_std(context.pace.audit_retention).unwrap_or(TimeDelta::MAX);
        // A retention that is longer than time itself removes nothing.
        let Some(cutoff) = context.clock.now().checked_sub_signed(kept) else { return Ok(()) };
        let removed = audit::prune(&context.database, &context.keyring, cutoff).await?;
        if removed > 0 {
            tracing::info!(audit_event.count = removed, "removed audit events whose time is over");
        }
        Ok(())
    }

    async fn give_up(&self, _: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        tracing::warn!(
            error = format!("{why:#}"),
            "old audit events were not removed; tomorrow is another try"
        );
        Ok(())
    }
}
