//! Rings again for what nobody attends to, for what is due once a day, closes what time has closed, and forgets
//! sessions that ran out long ago.

use chrono::TimeDelta;
use entity::{enrollment_key, operation, session, tenant};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::jobs::{CheckEnrollmentKey, CheckTenant, DeleteInventory};
use crate::queue::When;
use crate::{office, operations, schedule, window};

/// One sweep over every organization. Several workers ask for it; one at a time runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sweep {}

impl Job for Sweep {
    const NAME: &'static str = "sweep";
    const CONCURRENCY: usize = 1;
    const MAX_ATTEMPTS: u32 = 1;
    type Context = Context;

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        window::sweep(context).await?;
        let patience = TimeDelta::from_std(context.pace.unattended_after).unwrap_or(TimeDelta::MAX);
        let unattended = operation::Entity::unattended(context.clock.now() - patience);
        for operation in unattended.all(&context.database).await? {
            tracing::info!(operation.id = %operation.id, "ringing again for an unattended operation");
            operations::ring(&context.queue, &operation).await?;
        }
        let due = enrollment_key::Entity::due(context.clock.now(), patience).all(&context.database).await?;
        let checks: Vec<_> = due.iter().map(CheckEnrollmentKey::of).collect();
        context.queue.push_many(&checks, When::default()).await?;
        ring_for_tenants(context).await?;
        schedule::begin_due(context).await?;
        office::begin_due(context).await?;
        session::Entity::forget(context.clock.now()).exec(&context.database).await?;
        Ok(())
    }

    async fn give_up(&self, _: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        tracing::warn!(error = format!("{why:#}"), "a sweep failed; the next one is a minute away");
        Ok(())
    }
}

/// Rings for tenants that nobody has looked at for a while, and for those whose inventory is to go.
async fn ring_for_tenants(context: &Context) -> Result<(), JobError> {
    let every = TimeDelta::from_std(context.pace.check_every).unwrap_or(TimeDelta::MAX);
    let due = tenant::Entity::due(context.clock.now() - every).all(&context.database).await?;
    let checks: Vec<_> = due.iter().map(CheckTenant::of).collect();
    context.queue.push_many(&checks, When::default()).await?;
    let deleting = tenant::Entity::deleting().all(&context.database).await?;
    let deletions: Vec<_> = deleting.iter().map(DeleteInventory::of).collect();
    context.queue.push_many(&deletions, When::default()).await?;
    Ok(())
}
