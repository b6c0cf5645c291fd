//! The mutation `loadOffice365`: reads what Office 365 tells of a tenant, now and not only once a day.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::Action;
use entity::office::connection;
use entity::{Work, operation};
use sea_orm::{ColumnTrait, QueryFilter};

use super::begin::{Wish, begin};
use crate::graphql::operation::Operation;
use crate::graphql::scope::or_null;
use crate::graphql::stored::object;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};

/// Which tenant to load.
#[derive(InputObject)]
#[graphql(name = "LoadOffice365Input")]
pub struct LoadOffice365Input {
    /// The tenant.
    tenant_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The load that was started, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "LoadOffice365Payload")]
pub struct LoadOffice365Payload {
    /// The load; the one under way, if there was one.
    operation: Option<Operation>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct LoadOffice365;

#[Object(name = "LoadOffice365Mutation")]
impl LoadOffice365 {
    /// Reads users, groups and reports of a tenant that is connected to Office 365, as far as its permissions go.
    /// Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`.
    #[graphql(name = "loadOffice365")]
    async fn load_office_365(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant.")] input: LoadOffice365Input,
    ) -> Option<LoadOffice365Payload> {
        let outcome = load(ctx, &input.tenant_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(LoadOffice365Payload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn load(ctx: &Context<'_>, tenant_id: &ID) -> Outcome<operation::Model> {
    let wish = Wish {
        work: Work::LoadOffice,
        action: Action::OfficeLoadStarted,
        needs: |scope, tenant_id| {
            let connections = scope.owned::<connection::Entity>();
            connections
                .filter(connection::Column::TenantId.eq(tenant_id))
                .filter(connection::Column::NextLoadAt.is_not_null())
        },
        without: || {
            let message = "The tenant is not connected to Office 365. Start a consent of the kind OFFICE_365 for it \
                           first.";
            UserError::new(UserErrorCode::NotConnected, "tenantId", message)
        },
    };
    begin(ctx, tenant_id, wish).await
}
