//! The mutation `cancelOperation`: asks an operation to stop.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::operation::{self, Column};
use sea_orm::{ActiveEnum, ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, QuerySelect, Set, Unchanged};
use serde_json::json;
use uuid::Uuid;

use super::{Operation, announce};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which operation to stop.
#[derive(InputObject)]
#[graphql(name = "CancelOperationInput")]
pub struct CancelOperationInput {
    /// The operation.
    operation_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The operation that was asked to stop, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "CancelOperationPayload")]
pub struct CancelOperationPayload {
    /// The operation. It ends a moment later; follow it to see.
    operation: Option<Operation>,
    /// Why it was not asked to stop.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct CancelOperation;

#[Object(name = "CancelOperationMutation")]
impl CancelOperation {
    /// Asks an operation to stop. What was done stays.
    /// Needs the role `EDITOR`, or the scope `operations:write`.
    /// `userErrors`: `NOT_FOUND`, `ALREADY_ENDED`.
    async fn cancel_operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which operation.")] input: CancelOperationInput,
    ) -> Option<CancelOperationPayload> {
        let outcome = cancel(ctx, &input.operation_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(CancelOperationPayload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn cancel(ctx: &Context<'_>, operation_id: &ID) -> Outcome<operation::Model> {
    let scope = Scope::of(ctx, Permission::ChangeOperations)?;
    let id = Operation::KIND.row(operation_id)?;
    let marked = mark(scope, id).await.map_err(|error| internal(&error))?;
    let Some((operation, asked_now)) = marked else {
        let message = "There is no such operation in your organization.";
        return Ok(Err(UserError::new(UserErrorCode::NotFound, "operationId", message)));
    };
    if operation.state.is_final() {
        let message = "The operation has ended already. What it did stays.";
        return Ok(Err(UserError::new(UserErrorCode::AlreadyEnded, "operationId", message)));
    }
    if asked_now {
        tracing::info!(operation.id = %id, "cancellation asked for");
    }
    announce(scope, &operation).await;
    Ok(Ok(operation))
}

/// Answers the operation, and whether it is we who asked it to stop: whoever asks first is the one.
async fn mark(scope: Scope<'_>, id: Uuid) -> Result<Option<(operation::Model, bool)>, DbErr> {
    let transaction = scope.begin().await?;
    let found = scope.owned::<operation::Entity>().filter(Column::Id.eq(id)).lock_exclusive();
    let Some(operation) = found.one(&transaction).await? else { return Ok(None) };
    if operation.state.is_final() || operation.cancel_requested_at.is_some() {
        return Ok(Some((operation, false)));
    }
    let asked = operation::ActiveModel {
        id: Unchanged(id),
        cancel_requested_at: Set(Some(scope.services.clock.now())),
        ..Default::default()
    };
    let asked = asked.update(&transaction).await?;
    let record = Record::of(Action::OperationCancelled, ObjectKind::Operation, id)
        .before(json!({ "state": operation.state.to_value(), "cancelRequestedAt": null }))
        .after(json!({ "cancelRequestedAt": asked.cancel_requested_at }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Some((asked, true)))
}
