//! Gives our service principal the roles that a step asks for at one subscription, waits until they work, and takes
//! away those that are not needed any more.

use std::time::Duration;

use entity::operation_step;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Work;
use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{failures, operations};

/// How long a step waits before it looks again whether it is its turn.
const TURN: Duration = Duration::from_secs(5);

/// Takes one step from wherever its row says it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssignRole {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
    /// The step.
    pub step_id: Uuid,
}

impl AssignRole {
    /// The job of `step`.
    pub(crate) fn of(step: &operation_step::Model) -> Self {
        Self { organization_id: step.organization_id, operation_id: step.operation_id, step_id: step.id }
    }
}

impl Job for AssignRole {
    const NAME: &'static str = "assign-role";
    const CONCURRENCY: usize = 32;
    const MAX_ATTEMPTS: u32 = 20;
    type Context = Context;

    fn key(&self) -> String {
        self.step_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        let Some(mut work) = Work::load(context, operation, self.step_id).await? else { return Ok(()) };
        if !work.proceed().await? {
            return Err(JobError::RetryAfter(TURN));
        }
        operations::settle(context, &work.operation).await
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        let Some(operation) = operations::find(context, self.organization_id, self.operation_id).await?
        else {
            return Ok(());
        };
        let Some(mut work) = Work::load(context, operation, self.step_id).await? else { return Ok(()) };
        work.give_up(failures::of_job(why)).await?;
        operations::settle(context, &work.operation).await?;
        Ok(())
    }
}
