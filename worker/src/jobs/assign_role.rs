//! Gives our service principal its role at one subscription, and waits until the role works.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::operation_step::{self, Outcome, State};
use entity::role_assignment::{self, Origin};
use entity::subscription::{self, AccessLevel, AzureState};
use entity::{Failure, Owned, operation, tenant};
use microsoft::{Caller, MicrosoftError, Role, RoleAssignment};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, Set, Unchanged,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{audit, failures, operations, transaction, window};

/// What lets a user give roles to others.
const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";

/// The longest wait between two looks whether a role works.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// Takes one step of an onboarding from wherever its row says it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssignRole {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
    /// The step.
    pub step_id: Uuid,
}

impl AssignRole {
    /// The job of `step`.
    pub(crate) fn of(step: &operation_step::Model) -> Self {
        Self { organization_id: step.organization_id, operation_id: step.operation_id, step_id: step.id }
    }
}

impl Job for AssignRole {
    const NAME: &'static str = "assign-role";
    const CONCURRENCY: usize = 8;
    const MAX_ATTEMPTS: u32 = 20;
    type Context = Context;

    fn key(&self) -> String {
        self.step_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        let Some(mut work) = Work::load(context, operation, self.step_id).await? else { return Ok(()) };
        if work.step.state == State::Assigning {
            work.assign().await?;
        }
        if work.step.state == State::Verifying {
            work.verify().await?;
        }
        operations::settle(context, &work.operation).await
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        let Some(operation) = operations::find(context, self.organization_id, self.operation_id).await?
        else {
            return Ok(());
        };
        let Some(mut work) = Work::load(context, operation, self.step_id).await? else { return Ok(()) };
        if matches!(work.step.state, State::Assigning | State::Verifying) {
            work.done(Outcome::Failed, Some(failures::of_job(why))).await?;
        }
        operations::settle(context, &work.operation).await?;
        Ok(())
    }
}

/// The rows that one step is about.
struct Work<'a> {
    context: &'a Context,
    operation: operation::Model,
    step: operation_step::Model,
    subscription: subscription::Model,
    tenant: tenant::Model,
}

impl<'a> Work<'a> {
    async fn load(
        context: &'a Context,
        operation: operation::Model,
        step_id: Uuid,
    ) -> Result<Option<Self>, DbErr> {
        let database = &context.database;
        let organization_id = operation.organization_id;
        let step = operation_step::Entity::owned_by(organization_id)
            .filter(operation_step::Column::Id.eq(step_id))
            .one(database)
            .await?;
        let Some(step) = step else { return Ok(None) };
        let subscription = subscription::Entity::owned_by(organization_id)
            .filter(subscription::Column::Id.eq(step.subscription_id))
            .one(database)
            .await?;
        let tenant = tenant::Entity::owned_by(organization_id)
            .filter(tenant::Column::Id.eq(operation.tenant_id))
            .one(database)
            .await?;
        Ok(subscription.zip(tenant).map(|(subscription, tenant)| Self {
            context,
            operation,
            step,
            subscription,
            tenant,
        }))
    }

    /// Assigns Reader, unless it is there already. Leaves the step `Verifying` or `Done`.
    async fn assign(&mut self) -> Result<(), JobError> {
        let opened =
            window::open(self.context, self.operation.organization_id, self.operation.consent_id).await?;
        let Some(user) = opened else {
            return self.done(Outcome::NeedsReconsent, Some(failures::window_closed())).await;
        };
        let Some(principal_id) = self.tenant.principal_id else {
            return Err(JobError::Fail(anyhow::anyhow!("the service principal is not known")));
        };
        match self.grant(&user, principal_id).await {
            Ok(Grant::Held(assignment, outcome)) => self.granted(&assignment, outcome).await,
            Ok(Grant::Refused(outcome, failure)) => self.done(outcome, Some(failure)).await,
            Err(error) => self.refused(error).await,
        }
    }

    async fn grant(&self, user: &Caller, principal_id: Uuid) -> Result<Grant, MicrosoftError> {
        let arm = self.context.microsoft.arm();
        let azure_id = self.subscription.azure_subscription_id;
        let held = match arm.role_assignments(user, azure_id, principal_id).await {
            Ok(held) => held,
            Err(MicrosoftError::Forbidden { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let readers = held.into_iter().filter(|assignment| assignment.role == Role::Reader);
        let (inherited, direct): (Vec<_>, Vec<_>) =
            readers.partition(|assignment| assignment.is_inherited_at(azure_id));
        if let Some(assignment) = direct.into_iter().next() {
            return Ok(Grant::Held(assignment, Outcome::AlreadyGranted));
        }
        if let Some(assignment) = inherited.into_iter().next() {
            return Ok(Grant::Held(assignment, Outcome::Inherited));
        }
        if matches!(self.subscription.azure_state, AzureState::Disabled | AzureState::Deleted) {
            return Ok(Grant::Refused(Outcome::SubscriptionDisabled, failures::subscription_disabled()));
        }
        if !arm.effective_permissions(user, azure_id).await?.allows(ASSIGN) {
            return Ok(Grant::Refused(Outcome::NotPermitted, failures::not_permitted()));
        }
        let assignment = arm.assign_role(user, azure_id, Role::Reader, principal_id).await?;
        let outcome = if assignment.adopted { Outcome::AlreadyGranted } else { Outcome::Granted };
        Ok(Grant::Held(assignment, outcome))
    }

    async fn granted(&mut self, assignment: &RoleAssignment, outcome: Outcome) -> Result<(), JobError> {
        let now = self.context.clock.now();
        let origin = match outcome {
            Outcome::Granted => Origin::Ours,
            Outcome::Inherited => Origin::Inherited,
            _ => Origin::Adopted,
        };
        let row = role_assignment::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(self.step.organization_id),
            subscription_id: Set(self.step.subscription_id),
            arm_id: Set(assignment.arm_id.to_lowercase()),
            role_definition_id: Set(assignment.role.definition_id()),
            principal_id: Set(assignment.principal_id),
            scope: Set(assignment.scope.to_lowercase()),
            origin: Set(origin),
            created_at: Set(now),
            verified_at: Set(None),
        };
        let transaction = transaction::begin(&self.context.database).await?;
        let is_known = role_assignment::Entity::owned_by(self.step.organization_id)
            .filter(role_assignment::Column::SubscriptionId.eq(self.step.subscription_id))
            .filter(role_assignment::Column::ArmId.eq(assignment.arm_id.to_lowercase()))
            .count(&transaction)
            .await?
            > 0;
        // What is known keeps its origin: an assignment of ours that is met again is still ours.
        let known =
            OnConflict::columns([role_assignment::Column::SubscriptionId, role_assignment::Column::ArmId])
                .update_columns([role_assignment::Column::PrincipalId])
                .to_owned();
        role_assignment::Entity::insert_many([row])
            .on_conflict(known)
            .exec_without_returning(&transaction)
            .await?;
        let has_moved = self.verify_from_now(outcome, now, &transaction).await?;
        // Another attempt may have come this far before; and what was assigned is told even if the operation was
        // ended meanwhile.
        let is_news = if outcome == Outcome::Granted { has_moved || !is_known } else { !is_known };
        if is_news {
            let author = Author::unasked(self.step.organization_id, Actor::System);
            let record = self.record_of(assignment, outcome);
            audit::append(&transaction, &self.context.keyring, now, &author, record).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Lets the step wait for the role to work. False: somebody has moved the step meanwhile; it is done then.
    async fn verify_from_now(
        &mut self,
        outcome: Outcome,
        now: DateTime<Utc>,
        transaction: &DatabaseTransaction,
    ) -> Result<bool, DbErr> {
        let verifying = operation_step::ActiveModel {
            state: Set(State::Verifying),
            outcome: Set(Some(outcome)),
            failure: Set(None),
            assigned_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        };
        let moved = operation_step::Entity::update_many()
            .set(verifying)
            .filter(operation_step::Column::Id.eq(self.step.id))
            .filter(operation_step::Column::State.eq(State::Assigning))
            .exec(transaction)
            .await?;
        let has_moved = moved.rows_affected > 0;
        self.step.state = if has_moved { State::Verifying } else { State::Done };
        self.step.outcome = Some(outcome);
        self.step.assigned_at = Some(now);
        Ok(has_moved)
    }

    /// What the audit says of an assignment that is held now.
    fn record_of(&self, assignment: &RoleAssignment, outcome: Outcome) -> Record {
        let action = if outcome == Outcome::Granted { Action::RoleAssigned } else { Action::RoleFound };
        Record::of(action, ObjectKind::Subscription, self.step.subscription_id)
            .after(json!({
                "roleDefinitionId": assignment.role.definition_id(),
                "principalId": assignment.principal_id,
                "scope": assignment.scope.to_lowercase(),
                "outcome": outcome.to_value(),
                "operation": format!("operation:{}", self.operation.id),
                "consent": self.operation.consent_id.map(|id| format!("consent:{id}")),
            }))
            .correlated(assignment.correlation_id.map(|id| id.to_string()))
    }

    /// What Microsoft's refusal of a delegated call means for this step.
    async fn refused(&mut self, error: MicrosoftError) -> Result<(), JobError> {
        if error.retryable() {
            return Err(error.into());
        }
        let outcome = match &error {
            MicrosoftError::Forbidden { .. } => Outcome::NotPermitted,
            MicrosoftError::ConditionBlocked { .. } => Outcome::ConditionBlocked,
            MicrosoftError::SubscriptionDisabled { .. } => Outcome::SubscriptionDisabled,
            MicrosoftError::LimitReached { .. } => Outcome::LimitReached,
            MicrosoftError::TokenExpired { .. } | MicrosoftError::InteractionRequired { .. } => {
                // The user's token is refused: nothing more can be done with it anywhere.
                window::close(self.context, self.operation.organization_id, self.operation.consent_id)
                    .await?;
                Outcome::NeedsReconsent
            }
            _ => Outcome::Failed,
        };
        self.done(outcome, Some(failures::of_microsoft(&error))).await
    }

    /// Looks with a fresh app-only token whether the subscription can be seen.
    async fn verify(&mut self) -> Result<(), JobError> {
        let caller = Caller::FreshApp { tenant: self.tenant.entra_tenant_id };
        let now = self.context.clock.now();
        let seen =
            self.context.microsoft.arm().subscription(&caller, self.subscription.azure_subscription_id).await;
        match seen {
            Ok(_) => self.effective(now).await,
            Err(MicrosoftError::Forbidden { .. } | MicrosoftError::NotFound { .. }) => {
                if operations::is_overdue(self.step.assigned_at, now) {
                    return self.done(Outcome::Failed, Some(failures::role_not_effective())).await;
                }
                Err(JobError::RetryAfter(self.next_look(now)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn effective(&mut self, now: DateTime<Utc>) -> Result<(), JobError> {
        role_assignment::Entity::update_many()
            .set(role_assignment::ActiveModel { verified_at: Set(Some(now)), ..Default::default() })
            .filter(role_assignment::Column::SubscriptionId.eq(self.step.subscription_id))
            .filter(role_assignment::Column::VerifiedAt.is_null())
            .exec(&self.context.database)
            .await?;
        let readable = subscription::ActiveModel {
            id: Unchanged(self.subscription.id),
            access_level: Set(self.subscription.access_level.max(AccessLevel::ReadTags)),
            updated_at: Set(now),
            ..Default::default()
        };
        readable.update(&self.context.database).await?;
        self.step.state = State::Scanning;
        self.save().await
    }

    /// Each look waits as long as all looks before it together, up to a minute.
    fn next_look(&self, now: DateTime<Utc>) -> Duration {
        let waited = self.step.assigned_at.and_then(|at| (now - at).to_std().ok()).unwrap_or_default();
        waited.clamp(self.context.pace.first_look, LONGEST_LOOK)
    }

    async fn done(&mut self, outcome: Outcome, failure: Option<Failure>) -> Result<(), JobError> {
        self.step.state = State::Done;
        self.step.outcome = Some(outcome);
        self.step.failure = failure;
        tracing::info!(operation.id = %self.step.operation_id, subscription.id = %self.step.subscription_id,
            ?outcome, "step ended");
        self.save().await
    }

    async fn save(&self) -> Result<(), JobError> {
        let saved = operation_step::ActiveModel {
            id: Unchanged(self.step.id),
            state: Set(self.step.state),
            outcome: Set(self.step.outcome),
            failure: Set(self.step.failure.clone()),
            assigned_at: Set(self.step.assigned_at),
            updated_at: Set(self.context.clock.now()),
            ..Default::default()
        };
        saved.update(&self.context.database).await?;
        Ok(())
    }
}

/// What came of asking for a role.
enum Grant {
    Held(RoleAssignment, Outcome),
    Refused(Outcome, Failure),
}
