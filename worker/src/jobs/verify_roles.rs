//! Looks whether the roles that an onboarding added work, for all of its subscriptions at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::operation_step::{self, State};
use entity::{Owned, operation};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access;
use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{failures, operations};

/// The longest wait between two looks: one call tells of every subscription.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// Looks for every step of an onboarding that stands at `VERIFYING`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyRoles {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
}

impl Job for VerifyRoles {
    const NAME: &'static str = "verify-roles";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 20;
    type Context = Context;

    fn key(&self) -> String {
        self.operation_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        let waiting = waiting(context, &operation).await?;
        let left = access::look(context, &operation, waiting).await?;
        operations::settle(context, &operation).await?;
        match next_look(context, &left) {
            Some(wait) => Err(JobError::RetryAfter(wait)),
            None => Ok(()),
        }
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        let found = operations::find(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = found.filter(|operation| !operation.state.is_final()) else { return Ok(()) };
        let failure = failures::of_job(why);
        access::abandon(context, waiting(context, &operation).await?, &failure).await?;
        operations::settle(context, &operation).await?;
        Ok(())
    }
}

async fn waiting(
    context: &Context,
    operation: &operation::Model,
) -> Result<Vec<operation_step::Model>, JobError> {
    let waiting = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .filter(operation_step::Column::State.eq(State::Verifying))
        .all(&context.database)
        .await?;
    Ok(waiting)
}

/// As long as the youngest role has waited, up to a few seconds.
fn next_look(context: &Context, left: &[operation_step::Model]) -> Option<Duration> {
    let youngest: DateTime<Utc> = left.iter().filter_map(|step| step.assigned_at).max()?;
    let waited = (context.clock.now() - youngest).to_std().unwrap_or_default();
    Some(waited.clamp(context.pace.first_look, LONGEST_LOOK.max(context.pace.first_look)))
}
