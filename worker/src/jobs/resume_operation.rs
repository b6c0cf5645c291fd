//! Pushes the jobs that an operation's rows still ask for.

use entity::operation;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{disconnect, operations, plan};

/// Takes an operation whose steps are known from wherever its rows say it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResumeOperation {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
}

impl Job for ResumeOperation {
    const NAME: &'static str = "resume-operation";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 20;
    type Context = Context;

    fn key(&self) -> String {
        self.operation_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(mut operation) = begun else { return Ok(()) };
        if operation.kind == operation::Kind::DisconnectTenant {
            disconnect::prepare(context, &mut operation).await?;
        }
        plan::foretell(context, &operation, None).await?;
        operations::resume(context, &operation).await
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        operations::give_up(context, self.organization_id, self.operation_id, why).await
    }
}
