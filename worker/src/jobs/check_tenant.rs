//! Looks whether everything that was granted in a tenant still works, and writes down how it stands.

use entity::{Owned, tenant};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, Set, Unchanged};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{failures, health};

/// One check of one tenant. Checking again does no harm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckTenant {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
}

impl CheckTenant {
    /// The job that checks `tenant`.
    pub fn of(tenant: &tenant::Model) -> Self {
        Self { organization_id: tenant.organization_id, tenant_id: tenant.id }
    }

    async fn find(&self, context: &Context) -> Result<Option<tenant::Model>, DbErr> {
        let found = tenant::Entity::owned_by(self.organization_id)
            .filter(tenant::Column::Id.eq(self.tenant_id))
            .one(&context.database)
            .await?;
        Ok(found.filter(|tenant| tenant.state.is_checked()))
    }
}

impl Job for CheckTenant {
    const NAME: &'static str = "check-tenant";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 5;
    type Context = Context;

    fn key(&self) -> String {
        self.tenant_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let Some(tenant) = self.find(context).await? else { return Ok(()) };
        let begun = tenant::ActiveModel {
            id: Unchanged(tenant.id),
            check_begun_at: Set(Some(context.clock.now())),
            ..Default::default()
        };
        begun.update(&context.database).await?;
        let sight = health::look(context, &tenant).await?;
        let missed = sight.missed.clone();
        health::store(context, &tenant, sight).await?;
        match missed {
            Some(error) if error.retryable() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        if let Some(tenant) = self.find(context).await? {
            health::could_not_say(context, &tenant, failures::of_job(why)).await?;
        }
        Ok(())
    }
}
