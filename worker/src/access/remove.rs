//! Takes roles away, as the consenting user: those that the level does not need, or those that a change added in vain.

use entity::operation_step::{Outcome, State};
use entity::role_assignment::{self, Origin};
use entity::{Failure, Owned};
use microsoft::{Caller, Role, RoleAssignment};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::{Stopped, Work, record, roles_of};
use crate::failures;
use crate::job::JobError;

impl Work<'_> {
    /// Removes those of our assignments that the level does not need. Leaves the step `Scanning`, `RollingBack` or
    /// `Done`.
    pub(super) async fn remove(&mut self) -> Result<(), JobError> {
        let Some(level) = self.step.access_level else {
            return Err(JobError::Fail(anyhow::anyhow!("a step that asks for no level removes nothing")));
        };
        if self.is_elevation() {
            return self.put_back().await;
        }
        let spare = self.spare(self.needed().unwrap_or_default()).await?;
        let removed = spare.len();
        if let Some((outcome, failure)) = self.remove_all(spare).await? {
            self.step.failure = Some(failure.clone());
            // Both levels' roles are held now: what was added goes again. A disconnection has added nothing.
            return match outcome {
                Outcome::NeedsReconsent => self.done(outcome, Some(failure)).await,
                _ if self.step.state == State::RollingBack => self.done(outcome, Some(failure)).await,
                _ if self.step.roles_added.is_some() => self.move_to(State::RollingBack).await,
                _ => self.done(outcome, Some(failure)).await,
            };
        }
        let is_news =
            self.subscription.access_level != level || removed > 0 || self.step.roles_added.is_some();
        self.set_level(level).await?;
        self.step.failure = None;
        if level == entity::subscription::AccessLevel::None {
            return self.done(Outcome::Removed, None).await;
        }
        self.step.outcome = Some(if is_news { Outcome::Changed } else { Outcome::Unchanged });
        // Another level pulls other tags, and may read from another source.
        self.move_to(if is_news { State::Scanning } else { State::Done }).await
    }

    /// Tags are written: removes what the subscription's own level does not need.
    async fn put_back(&mut self) -> Result<(), JobError> {
        let level = self.subscription.access_level;
        let spare = self.spare(roles_of(level, self.keep_reader)).await?;
        match self.remove_all(spare).await? {
            None => self.done(self.step.outcome.unwrap_or(Outcome::Failed), self.step.failure.clone()).await,
            Some((Outcome::NeedsReconsent, _)) => {
                self.done(Outcome::NeedsReconsent, Some(failures::elevation_remains())).await
            }
            Some((outcome, failure)) => self.done(outcome, Some(failure)).await,
        }
    }

    /// Our assignments of roles that are not among those `needed`.
    async fn spare(&self, needed: &[Role]) -> Result<Vec<role_assignment::Model>, JobError> {
        let mut ours = self.ours().await?;
        ours.retain(|row| !needed.contains(&Role::from(row.role_definition_id)));
        Ok(ours)
    }

    /// Removes what this step added: everything is as before then. Where the roles of before are gone already, the
    /// change is taken to its end instead.
    pub(super) async fn roll_back(&mut self) -> Result<(), JobError> {
        let failure = self.step.failure.clone();
        let added = self.step.roles_added.clone().unwrap_or_default().0;
        // An answer may have been lost: Azure itself is asked what is there.
        let Some(open) = self.open().await? else { return self.done(Outcome::NeedsReconsent, failure).await };
        let held = match self.find_added(&open.user).await {
            Ok(held) => held,
            Err(Stopped::Job(error)) => return Err(error),
            Err(Stopped::Microsoft(error)) => {
                let (outcome, failure) = self.outcome_of(error).await?;
                return self.done(outcome, Some(failure)).await;
            }
        };
        let ours = self.ours().await?;
        if self.is_past_return(&held, &ours) {
            return self.remove().await;
        }
        let in_vain: Vec<_> =
            ours.into_iter().filter(|row| added.contains(&row.role_definition_id)).collect();
        match self.remove_all(in_vain).await? {
            Some((outcome, failure)) => self.done(outcome, Some(failure)).await,
            None => self.done(Outcome::RolledBack, failure).await,
        }
    }

    /// Whether nothing would be left that the level needs if what this step added went again, while the roles of the new
    /// level are held and were seen to work.
    fn is_past_return(&self, held: &[RoleAssignment], ours: &[role_assignment::Model]) -> bool {
        let added = self.step.roles_added.clone().unwrap_or_default().0;
        let azure_id = self.subscription.azure_subscription_id;
        let goes = |one: &RoleAssignment| {
            !one.adopted && !one.is_inherited_at(azure_id) && added.contains(&one.role.definition_id())
        };
        let stays = |role: &Role| held.iter().any(|one| one.role == *role && !goes(one));
        if roles_of(self.subscription.access_level, self.keep_reader).iter().all(stays) {
            return false;
        }
        let mut added = ours.iter().filter(|row| added.contains(&row.role_definition_id));
        let is_held = |role: &Role| held.iter().any(|one| one.role == *role);
        added.all(|row| row.verified_at.is_some()) && self.needed().unwrap_or_default().iter().all(is_held)
    }

    /// Our assignments at the subscription.
    async fn ours(&self) -> Result<Vec<role_assignment::Model>, JobError> {
        let ours = role_assignment::Entity::owned_by(self.step.organization_id)
            .filter(role_assignment::Column::SubscriptionId.eq(self.step.subscription_id))
            .filter(role_assignment::Column::Origin.eq(Origin::Ours))
            .order_by_asc(role_assignment::Column::Id)
            .all(&self.context.database)
            .await?;
        Ok(ours)
    }

    /// Stores those of our assignments that this step planned and whose answer was lost; answers all that are held.
    async fn find_added(&mut self, user: &Caller) -> Result<Vec<RoleAssignment>, Stopped> {
        let Some(principal_id) = self.tenant.principal_id else { return Ok(Vec::new()) };
        let planned = self.step.roles_added.clone().unwrap_or_default().0;
        let azure_id = self.subscription.azure_subscription_id;
        let held = self.context.microsoft.arm().role_assignments(user, azure_id, principal_id).await?;
        for one in &held {
            let is_planned = planned.contains(&one.role.definition_id());
            if is_planned && !one.adopted && !one.is_inherited_at(azure_id) {
                record::found(self, one).await?;
            }
        }
        Ok(held)
    }

    /// Removes assignments one by one; what was removed stays so. Answers what stopped it, if anything did.
    async fn remove_all(
        &mut self,
        rows: Vec<role_assignment::Model>,
    ) -> Result<Option<(Outcome, Failure)>, JobError> {
        for row in rows {
            let others = role_assignment::Entity::of_others(&row.arm_id, row.organization_id);
            if others.count(&self.context.database).await? > 0 {
                // Whoever removes it last removes it from Azure.
                record::removed(self, &row, None).await?;
                continue;
            }
            let Some(open) = self.open().await? else {
                return Ok(Some((Outcome::NeedsReconsent, failures::window_closed())));
            };
            let azure_id = self.subscription.azure_subscription_id;
            match self.context.microsoft.arm().remove_role(&open.user, azure_id, &row.arm_id).await {
                Ok(correlation_id) => record::removed(self, &row, Some(correlation_id)).await?,
                Err(error) => return self.outcome_of(error).await.map(Some),
            }
        }
        Ok(None)
    }
}
