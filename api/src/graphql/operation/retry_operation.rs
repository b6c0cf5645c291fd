//! The mutation `retryOperation`: lets an operation that has ended go on with what it did not do.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::operation::{self, Kind, State};
use entity::operation_step::{self, Column as Step, Outcome as StepOutcome, State as StepState};
use entity::subscription::{self, AccessLevel};
use entity::tenant;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect, QueryTrait, Set,
};
use serde_json::json;
use uuid::Uuid;
use worker::access::SWAP;

use super::{Operation, announce};
use crate::graphql::consent::keep_windows_open;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::tenant::not_connected;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which operation to retry.
#[derive(InputObject)]
#[graphql(name = "RetryOperationInput")]
pub struct RetryOperationInput {
    /// The operation.
    operation_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The operation that goes on, or why it does not.
#[derive(SimpleObject)]
#[graphql(name = "RetryOperationPayload")]
pub struct RetryOperationPayload {
    /// The operation, queued again.
    operation: Option<Operation>,
    /// Why it does not go on.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RetryOperation;

#[Object(name = "RetryOperationMutation")]
impl RetryOperation {
    /// Lets an operation that has ended go on with what it did not do; nothing that was done is repeated. What
    /// still needs a consent window ends as `NEEDS_RECONSENT` if that has closed; an elevated change set goes on under
    /// another window that is open.
    /// Needs the role `EDITOR`, or the scope `operations:write`.
    /// `userErrors`: `NOT_FOUND`, `NOT_ENDED`, `NOTHING_TO_RETRY`, `NOT_CONNECTED`.
    async fn retry_operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which operation.")] input: RetryOperationInput,
    ) -> Option<RetryOperationPayload> {
        let outcome = retry(ctx, &input.operation_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (operation, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(RetryOperationPayload {
                    operation: operation.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn retry(ctx: &Context<'_>, operation_id: &ID) -> Outcome<operation::Model> {
    let scope = Scope::of(ctx, Permission::ChangeOperations)?;
    let id = Operation::KIND.row(operation_id)?;
    let begun = begin_again(scope, id).await.map_err(|error| internal(&error))?;
    if let Ok(operation) = &begun {
        tracing::info!(operation.id = %operation.id, "retry asked for");
        announce(scope, operation).await;
    }
    Ok(begun)
}

async fn begin_again(scope: Scope<'_>, id: Uuid) -> Result<Result<operation::Model, UserError>, DbErr> {
    let refuse = |code, message| Ok(Err(UserError::new(code, "operationId", message)));
    let transaction = scope.begin().await?;
    let found = || scope.owned::<operation::Entity>().filter(operation::Column::Id.eq(id));
    let tenant = match found().one(&transaction).await? {
        // Whoever disconnects the tenant holds it before its operations.
        Some(operation) => {
            let organization_id = scope.viewer.organization_id;
            worker::disconnect::lock(&transaction, organization_id, operation.tenant_id).await?
        }
        None => None,
    };
    let operation = found().lock_exclusive().one(&transaction).await?;
    let Some((tenant, operation)) = tenant.zip(operation) else {
        return refuse(UserErrorCode::NotFound, "There is no such operation in your organization.");
    };
    if let Some(error) = is_over(&tenant, &operation) {
        return Ok(Err(error));
    }
    if !operation.state.is_final() {
        return refuse(
            UserErrorCode::NotEnded,
            "The operation has not ended yet. Follow it, or cancel it first.",
        );
    }
    if operation.state == State::Succeeded {
        return refuse(UserErrorCode::NothingToRetry, "The operation did everything it was asked to.");
    }
    let now = scope.services.clock.now();
    Reset { scope, operation: &operation, now, transaction: &transaction }.steps().await?;
    let record = Record::of(Action::OperationRetried, ObjectKind::Operation, id)
        .before(json!({ "state": operation.state.to_value() }))
        .after(json!({ "state": State::Queued.to_value(), "deadlineAt": now + operation::DEADLINE }));
    let consent_id = operation.consent_id;
    let holds_roles = operation.kind == Kind::ApplyChangeSet && consent_id.is_some();
    let mut again = operation.into_active_model();
    if holds_roles {
        // Under a window that is open now; without one its steps end as `NEEDS_RECONSENT`.
        let windows = keep_windows_open(scope, tenant.id, SWAP, &transaction).await?;
        again.consent_id = Set(windows.first().map_or(consent_id, |consent| Some(consent.id)));
    }
    again.state = Set(State::Queued);
    again.failure = Set(None);
    again.finished_at = Set(None);
    again.cancel_requested_at = Set(None);
    again.deadline_at = Set(now + operation::DEADLINE);
    again.heartbeat_at = Set(now);
    let operation = again.update(&transaction).await?;
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Ok(operation))
}

/// Whether the tenant has moved on: a disconnected one takes up no work, and a connected one is not disconnected by
/// an old operation.
fn is_over(tenant: &tenant::Model, operation: &operation::Model) -> Option<UserError> {
    if operation.kind != Kind::DisconnectTenant {
        return not_connected(tenant, "operationId");
    }
    let message = "The tenant is connected again. Ask for disconnectTenant if it is to be disconnected.";
    let error = || UserError::new(UserErrorCode::NothingToRetry, "operationId", message);
    tenant.state.is_connected().then(error)
}

/// Puts the steps that did not succeed back to where they have to go on.
struct Reset<'a> {
    scope: Scope<'a>,
    operation: &'a operation::Model,
    now: DateTime<Utc>,
    transaction: &'a DatabaseTransaction,
}

impl Reset<'_> {
    async fn steps(&self) -> Result<(), DbErr> {
        let every_one = Condition::all();
        if self.operation.kind == Kind::ScanTenant {
            return self.put(StepState::Scanning, every_one).await;
        }
        if self.operation.kind == Kind::DisconnectTenant {
            return self
                .put(StepState::Removing, Condition::all().add(Step::Outcome.ne(StepOutcome::Removed)))
                .await;
        }
        if self.operation.kind == Kind::ApplyChangeSet {
            worker::change_set::again(self.transaction, self.operation).await?;
            let undone =
                Condition::any().add(Step::Outcome.is_null()).add(Step::Outcome.ne(StepOutcome::Written));
            let undone = Condition::all().add(undone);
            let elevated = undone.clone().add(Step::AccessLevel.is_not_null());
            self.put(StepState::Assigning, elevated).await?;
            return self.put(StepState::Writing, undone).await;
        }
        if self.operation.kind == Kind::LoadOffice {
            return worker::office::again(self.transaction, self.operation, self.now).await;
        }
        if self.operation.kind == Kind::ChangeAccess {
            let done = [StepOutcome::Changed, StepOutcome::Unchanged];
            self.put(StepState::Scanning, Condition::all().add(Step::Outcome.is_in(done))).await?;
            return self.put(StepState::Assigning, every_one).await;
        }
        let accessible = [StepOutcome::Granted, StepOutcome::AlreadyGranted, StepOutcome::Inherited];
        let has_access = Condition::all().add(Step::Outcome.is_in(accessible));
        // Without an access level nobody has seen the role work yet: the operation ended while it waited for that.
        let never_seen = self
            .scope
            .owned::<subscription::Entity>()
            .filter(subscription::Column::AccessLevel.eq(AccessLevel::None))
            .select_only()
            .column(subscription::Column::Id);
        let unverified = has_access.clone().add(Step::SubscriptionId.in_subquery(never_seen.into_query()));
        self.put(StepState::Verifying, unverified).await?;
        self.put(StepState::Scanning, has_access).await?;
        self.put(StepState::Assigning, every_one).await
    }

    /// What one call has put back is not `DONE` any more, so the next leaves it where it is.
    async fn put(&self, state: StepState, which: Condition) -> Result<(), DbErr> {
        let mut again = operation_step::ActiveModel {
            state: Set(state),
            failure: Set(None),
            scanned: Set(false),
            resources_seen: Set(0),
            resources_written: Set(0),
            resources_deleted: Set(0),
            updated_at: Set(self.now),
            ..Default::default()
        };
        if state == StepState::Assigning {
            again.outcome = Set(None);
            again.assigned_at = Set(None);
        }
        let did_not_succeed = Condition::any().add(Step::Scanned.eq(false)).add(Step::Failure.is_not_null());
        operation_step::Entity::update_many()
            .set(again)
            .filter(Step::OrganizationId.eq(self.operation.organization_id))
            .filter(Step::OperationId.eq(self.operation.id))
            .filter(Step::State.eq(StepState::Done))
            .filter(did_not_succeed)
            .filter(which)
            .exec(self.transaction)
            .await?;
        Ok(())
    }
}
