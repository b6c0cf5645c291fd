//! Looks which permissions are held in a tenant, and reads what Office 365 tells of it, feed by feed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{office, operations};

/// Takes a load from wherever its rows say it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadOffice {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
}

impl Job for LoadOffice {
    const NAME: &'static str = "load-office-365";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 8;
    type Context = Context;

    fn key(&self) -> String {
        self.operation_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        office::load(context, operation).await
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        operations::give_up(context, self.organization_id, self.operation_id, why).await
    }
}
