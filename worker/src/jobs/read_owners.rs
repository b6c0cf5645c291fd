//! Reads, as the service principal, who could consent for the subscriptions of a tenant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::owners;

/// Reads the owners of every subscription of a tenant that can be read, where nobody did so lately.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadOwners {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
}

impl Job for ReadOwners {
    const NAME: &'static str = "read-owners";
    const CONCURRENCY: usize = 1;
    const MAX_ATTEMPTS: u32 = 3;
    type Context = Context;

    fn key(&self) -> String {
        self.tenant_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        owners::refresh(context, self.organization_id, self.tenant_id).await
    }

    async fn give_up(&self, _: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        tracing::warn!(tenant.id = %self.tenant_id, error = format!("{why:#}"), "owners were not read");
        Ok(())
    }
}
