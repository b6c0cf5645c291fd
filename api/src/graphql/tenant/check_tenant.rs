//! The mutation `checkTenant`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::tenant;
use sea_orm::{ColumnTrait, QueryFilter};
use worker::queue::When;

use super::{Tenant, not_connected};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which tenant to check.
#[derive(InputObject)]
#[graphql(name = "CheckTenantInput")]
pub struct CheckTenantInput {
    /// The tenant.
    tenant_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The tenant whose check was begun, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "CheckTenantPayload")]
pub struct CheckTenantPayload {
    /// The tenant, as it stood before.
    tenant: Option<Tenant>,
    /// Why it is not checked.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct CheckTenant;

#[Object(name = "CheckTenantMutation")]
impl CheckTenant {
    /// Looks whether everything that was granted in a tenant still works; the answer shows in its `health` soon
    /// after. Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`.
    async fn check_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant.")] input: CheckTenantInput,
    ) -> Option<CheckTenantPayload> {
        let outcome = check(ctx, &input.tenant_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (tenant, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(CheckTenantPayload { tenant: tenant.and_then(object), user_errors, client_mutation_id })
            }),
        )
    }
}

async fn check(ctx: &Context<'_>, id: &ID) -> Outcome<tenant::Model> {
    let scope = Scope::of(ctx, Permission::ScanInventory)?;
    let id = Tenant::KIND.row(id)?;
    let found = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(id)).one(scope.database());
    let Some(tenant) = found.await.map_err(|error| internal(&error))? else {
        let message = "There is no such tenant in your organization.";
        return Ok(Err(UserError::new(UserErrorCode::NotFound, "tenantId", message)));
    };
    if let Some(error) = not_connected(&tenant, "tenantId") {
        return Ok(Err(error));
    }
    if tenant.state == tenant::State::Connecting {
        let message = "The first onboarding of this tenant has not ended yet, and says itself what it finds.";
        return Ok(Err(UserError::new(UserErrorCode::NotConnected, "tenantId", message)));
    }
    let job = worker::jobs::CheckTenant::of(&tenant);
    scope.services.queue.push(&job, When::default()).await.map_err(|error| internal(&error))?;
    Ok(Ok(tenant))
}
