//! The mutation `scanTenant`: takes inventory of what is already granted.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::Action;
use entity::subscription::{self, AccessLevel};
use entity::{Work, operation};
use sea_orm::{ColumnTrait, QueryFilter};

use super::begin::{Wish, begin};
use crate::graphql::operation::Operation;
use crate::graphql::scope::or_null;
use crate::graphql::stored::object;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};

/// Which tenant to scan.
#[derive(InputObject)]
#[graphql(name = "ScanTenantInput")]
pub struct ScanTenantInput {
    /// The tenant.
    tenant_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The scan that was started, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "ScanTenantPayload")]
pub struct ScanTenantPayload {
    /// The scan; the one under way, if there was one.
    operation: Option<Operation>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ScanTenant;

#[Object(name = "ScanTenantMutation")]
impl ScanTenant {
    /// Takes inventory of every subscription of a tenant that can be read.
    /// Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`, `NOTHING_GRANTED`.
    async fn scan_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant.")] input: ScanTenantInput,
    ) -> Option<ScanTenantPayload> {
        let outcome = scan(ctx, &input.tenant_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(ScanTenantPayload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn scan(ctx: &Context<'_>, tenant_id: &ID) -> Outcome<operation::Model> {
    let wish = Wish {
        work: Work::Scan,
        action: Action::ScanStarted,
        needs: |scope, tenant_id| {
            let subscriptions = scope.owned::<subscription::Entity>();
            subscriptions
                .filter(subscription::Column::TenantId.eq(tenant_id))
                .filter(subscription::Column::AccessLevel.ne(AccessLevel::None))
        },
        without: || {
            let message = "No subscription of this tenant can be read yet. Start a consent for it first.";
            UserError::new(UserErrorCode::NothingGranted, "tenantId", message)
        },
    };
    begin(ctx, tenant_id, wish).await
}
