//! Access to a subscription: which roles a level holds, and how the step of an operation gets there and back.

mod assign;
mod record;
mod remove;
mod rule;
mod together;
mod verify;

pub(crate) use rule::{is_frozen, is_permitted, outcome_of_held, outcome_of_refusal, wanted};
pub(crate) use together::{abandon, look, visible};
pub(crate) use verify::telling_action;

use chrono::TimeDelta;
use entity::operation_step::{self, Outcome, State};
use entity::subscription::{self, AccessLevel};
use entity::{Failure, Owned, operation, organization, tenant};
use microsoft::{MicrosoftError, Role};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Set};
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::{failures, operations, window};

/// What lets a user give roles to others.
pub(crate) const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";

/// What lets a user take roles away.
pub(crate) const REMOVE: &str = "Microsoft.Authorization/roleAssignments/delete";

/// What a swap of roles may take: Azure lets a new role work within ten minutes. None is begun closer than this to
/// the window's end.
pub const SWAP: TimeDelta = TimeDelta::minutes(11);

/// What it takes to roll back. A role that does not work by then is given up.
pub(crate) const ROLL_BACK: TimeDelta = TimeDelta::minutes(2);

/// The roles that a level holds.
pub fn roles_of(level: AccessLevel, keep_reader: bool) -> &'static [Role] {
    match level {
        AccessLevel::None => &[],
        AccessLevel::ResourcesOnly | AccessLevel::ReadTags => &[Role::Reader],
        AccessLevel::WriteTags if keep_reader => &[Role::TagContributor, Role::Reader],
        AccessLevel::WriteTags => &[Role::TagContributor],
    }
}

/// The rows that one step is about.
pub(crate) struct Work<'a> {
    context: &'a Context,
    pub(crate) operation: operation::Model,
    pub(crate) step: operation_step::Model,
    subscription: subscription::Model,
    tenant: tenant::Model,
    keep_reader: bool,
}

impl<'a> Work<'a> {
    pub(crate) async fn load(
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
        let organization = organization::Entity::by_ids(&[organization_id]).one(database).await?;
        let keep_reader = organization.is_some_and(|organization| organization.keep_reader);
        Ok(subscription.zip(tenant).map(|(subscription, tenant)| Self {
            context,
            operation,
            step,
            subscription,
            tenant,
            keep_reader,
        }))
    }

    /// Takes the step as far as it goes now. False: another change of the same subscription comes first.
    pub(crate) async fn proceed(&mut self) -> Result<bool, JobError> {
        if !self.is_its_turn().await? {
            return Ok(false);
        }
        if self.step.state == State::Assigning {
            self.assign().await?;
        }
        // Roles that an onboarding adds are looked for together.
        if self.step.state == State::Verifying && self.step.access_level.is_some() {
            self.verify().await?;
        }
        if self.step.state == State::Removing {
            self.remove().await?;
        }
        if self.step.state == State::RollingBack {
            self.roll_back().await?;
        }
        Ok(true)
    }

    /// Changes of one subscription are made one after the other, never interleaved: whoever comes first takes it
    /// until the change is done.
    async fn is_its_turn(&self) -> Result<bool, DbErr> {
        if !self.step.state.changes_access() {
            return Ok(true);
        }
        let changing = operation_step::Entity::changing().select_only().column(operation_step::Column::Id);
        let holder = subscription::Column::ChangingStepId;
        let is_free = Condition::any()
            .add(holder.is_null())
            .add(holder.eq(self.step.id))
            .add(holder.not_in_subquery(changing.into_query()));
        let taken = subscription::Entity::update_many()
            .col_expr(holder, Expr::val(self.step.id))
            .filter(subscription::Column::Id.eq(self.step.subscription_id))
            .filter(is_free)
            .exec(&self.context.database)
            .await?;
        Ok(taken.rows_affected > 0)
    }

    /// The roles that are held when the step has ended well, or while it writes tags; none: it asks for no level of its
    /// own.
    fn needed(&self) -> Option<&'static [Role]> {
        let keep_reader = self.keep_reader || self.is_elevation();
        self.step.access_level.map(|level| roles_of(level, keep_reader))
    }

    /// Whether roles are held only while tags are written: the level stays what it is.
    fn is_elevation(&self) -> bool {
        self.operation.kind == operation::Kind::ApplyChangeSet
    }

    async fn open(&self) -> Result<Option<window::Open>, JobError> {
        window::open(self.context, self.operation.organization_id, self.operation.consent_id).await
    }

    /// What the refusal of a delegated call means for this step, where trying again cannot help.
    async fn outcome_of(&self, error: MicrosoftError) -> Result<(Outcome, Failure), JobError> {
        if error.retryable() {
            return Err(error.into());
        }
        let outcome = outcome_of_refusal(&error);
        let Some(because) = window::closed_by(&error) else {
            return Ok((outcome, failures::of_microsoft(&error)));
        };
        let (organization_id, consent_id) = (self.operation.organization_id, self.operation.consent_id);
        window::close_by_id(self.context, organization_id, consent_id, because).await?;
        Ok((Outcome::NeedsReconsent, failures::of_microsoft(&error)))
    }

    async fn done(&mut self, outcome: Outcome, failure: Option<Failure>) -> Result<(), JobError> {
        self.step.outcome = Some(outcome);
        self.step.failure = failure;
        tracing::info!(operation.id = %self.step.operation_id, subscription.id = %self.step.subscription_id,
            ?outcome, "step ended");
        self.move_to(State::Done).await
    }

    /// Stores where the step stands now. What somebody ended meanwhile stays ended.
    async fn move_to(&mut self, state: State) -> Result<(), JobError> {
        let saved = operation_step::ActiveModel {
            state: Set(state),
            outcome: Set(self.step.outcome),
            failure: Set(self.step.failure.clone()),
            roles_added: Set(self.step.roles_added.clone()),
            updated_at: Set(self.context.clock.now()),
            ..Default::default()
        };
        let moved = operation_step::Entity::update_many()
            .set(saved)
            .filter(operation_step::Column::Id.eq(self.step.id))
            .filter(operation_step::Column::State.eq(self.step.state))
            .exec(&self.context.database)
            .await?;
        self.step.state = if moved.rows_affected > 0 { state } else { State::Done };
        Ok(())
    }

    /// Lets the subscription have a level.
    async fn set_level(&mut self, level: AccessLevel) -> Result<(), JobError> {
        if self.subscription.access_level == level {
            return Ok(());
        }
        record::level(self, level).await?;
        self.subscription.access_level = level;
        Ok(())
    }

    /// A job was given up: a step that was changing roles ends, and says why. One that may have added roles takes
    /// them back first; what even that cannot remove stays listed.
    pub(crate) async fn give_up(&mut self, failure: Failure) -> Result<(), JobError> {
        let has_added = self.needed().is_some() && self.step.roles_added.is_some();
        if has_added && self.step.state.changes_access() && self.step.state != State::RollingBack {
            self.step.failure = Some(failure);
            self.move_to(State::RollingBack).await?;
            return Ok(operations::ring(&self.context.queue, &self.operation).await?);
        }
        if self.step.state.changes_access() {
            self.done(Outcome::Failed, Some(failure)).await?;
        }
        Ok(())
    }
}

/// What stopped the work on a step.
enum Stopped {
    /// Microsoft refused: the step has an outcome.
    Microsoft(MicrosoftError),
    /// The attempt failed.
    Job(JobError),
}

impl From<MicrosoftError> for Stopped {
    fn from(error: MicrosoftError) -> Self {
        Self::Microsoft(error)
    }
}

impl From<JobError> for Stopped {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_with_tag_contributor_and_reader_stays_only_where_it_is_wanted() {
        assert_eq!(roles_of(AccessLevel::WriteTags, false), [Role::TagContributor]);
        assert_eq!(roles_of(AccessLevel::WriteTags, true), [Role::TagContributor, Role::Reader]);
        for level in [AccessLevel::ReadTags, AccessLevel::ResourcesOnly] {
            assert_eq!(roles_of(level, true), [Role::Reader]);
        }
        assert!(roles_of(AccessLevel::None, true).is_empty());
    }
}
