//! Adds the roles that are missing, as the consenting user.

use entity::Owned;
use entity::operation_step::{self, Outcome, Roles, State};
use entity::role_assignment::Origin;
use microsoft::{Caller, MicrosoftError, Role, RoleAssignment};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::{SWAP, Stopped, Work, is_frozen, is_permitted, outcome_of_held, record, wanted};
use crate::failures;
use crate::job::JobError;

/// What is held at the subscription and above it.
struct Held {
    /// Whether Azure told: a user who may not list assignments is told nothing.
    is_known: bool,
    direct: Vec<RoleAssignment>,
    inherited: Vec<RoleAssignment>,
}

impl Held {
    fn all(&self) -> impl Iterator<Item = &RoleAssignment> {
        self.direct.iter().chain(&self.inherited)
    }

    fn has(&self, role: Role) -> bool {
        self.all().any(|held| held.role == role)
    }
}

/// How it came that the roles are held.
enum Grant {
    Held { held: Vec<(RoleAssignment, Origin)>, is_all: bool, outcome: Outcome },
    Refused(Outcome, entity::Failure),
}

impl Work<'_> {
    /// Adds what is missing. Leaves the step `Verifying` or `Done`.
    pub(super) async fn assign(&mut self) -> Result<(), JobError> {
        let Some(open) = self.open().await? else {
            return self.done(Outcome::NeedsReconsent, Some(failures::window_closed())).await;
        };
        let Some(principal_id) = self.tenant.principal_id else {
            return Err(JobError::Fail(anyhow::anyhow!("the service principal is not known")));
        };
        let has_room = open.closes_at - self.context.clock.now() >= SWAP;
        match self.grant(&open.user, principal_id, has_room).await {
            Ok(Grant::Held { held, is_all, outcome }) => record::held(self, held, is_all, outcome).await,
            Ok(Grant::Refused(outcome, failure)) => self.done(outcome, Some(failure)).await,
            Err(Stopped::Microsoft(error)) => {
                let (outcome, failure) = self.outcome_of(error).await?;
                self.step.failure = Some(failure.clone());
                if outcome != Outcome::NeedsReconsent && self.has_added_before() {
                    // Of several roles one could be added and another could not.
                    return self.move_to(State::RollingBack).await;
                }
                self.done(outcome, Some(failure)).await
            }
            Err(Stopped::Job(error)) => Err(error),
        }
    }

    fn has_added_before(&self) -> bool {
        self.needed().is_some_and(|roles| roles.len() > 1)
            && self.step.roles_added.as_ref().is_some_and(|added| added.0.len() > 1)
    }

    async fn grant(&mut self, user: &Caller, principal_id: Uuid, has_room: bool) -> Result<Grant, Stopped> {
        let held = self.held(user, principal_id).await?;
        let wanted = wanted(self.needed(), |role| held.has(role));
        let missing: Vec<_> = wanted.iter().copied().filter(|role| !held.has(*role)).collect();
        let is_swap = self.needed().is_some() && held.direct.iter().any(|one| !wanted.contains(&one.role));
        let own = self.step.roles_added.clone().unwrap_or_default().0;
        let is_resumed = held.direct.iter().any(|one| is_ours(one, &own));
        if (!missing.is_empty() || is_swap) && !is_resumed {
            if let Some(refused) = self.forbids(user, is_swap || self.needed().is_some()).await? {
                return Ok(refused);
            }
            if self.needed().is_some() && !has_room {
                return Ok(Grant::Refused(Outcome::NeedsReconsent, failures::window_too_short()));
            }
        }
        let planned = self.planned().await?;
        self.plan(missing.iter().map(|role| role.definition_id()).collect()).await?;
        self.add(user, principal_id, &held, wanted, &missing, &planned).await
    }

    /// Roles that this step or an earlier one was about to add at the subscription: an answer may have been lost.
    async fn planned(&self) -> Result<Vec<Uuid>, JobError> {
        let steps = operation_step::Entity::owned_by(self.step.organization_id)
            .filter(operation_step::Column::SubscriptionId.eq(self.step.subscription_id))
            .filter(operation_step::Column::RolesAdded.is_not_null())
            .all(&self.context.database)
            .await?;
        Ok(steps.into_iter().filter_map(|step| step.roles_added).flat_map(|roles| roles.0).collect())
    }

    async fn held(&self, user: &Caller, principal_id: Uuid) -> Result<Held, MicrosoftError> {
        let azure_id = self.subscription.azure_subscription_id;
        let arm = self.context.microsoft.arm();
        let (held, is_known) = match arm.role_assignments(user, azure_id, principal_id).await {
            Ok(held) => (held, true),
            Err(MicrosoftError::Forbidden { .. }) => (Vec::new(), false),
            Err(error) => return Err(error),
        };
        let (inherited, direct) = held.into_iter().partition(|one| one.is_inherited_at(azure_id));
        Ok(Held { is_known, direct, inherited })
    }

    /// What stands in the way, before anything is changed.
    async fn forbids(&self, user: &Caller, removes: bool) -> Result<Option<Grant>, MicrosoftError> {
        let refused = |outcome, failure| Ok(Some(Grant::Refused(outcome, failure)));
        if is_frozen(self.subscription.azure_state) {
            return refused(Outcome::SubscriptionDisabled, failures::subscription_disabled());
        }
        let azure_id = self.subscription.azure_subscription_id;
        let permissions = self.context.microsoft.arm().effective_permissions(user, azure_id).await?;
        if !is_permitted(&permissions, removes) {
            return refused(Outcome::NotPermitted, failures::not_permitted());
        }
        Ok(None)
    }

    /// Writes down which roles are about to be added: whoever goes on from here knows that they are ours.
    async fn plan(&mut self, roles: Vec<Uuid>) -> Result<(), JobError> {
        let mut planned = self.step.roles_added.clone().unwrap_or_default().0;
        let new: Vec<_> = roles.into_iter().filter(|role| !planned.contains(role)).collect();
        if new.is_empty() {
            return Ok(());
        }
        planned.extend(new);
        self.step.roles_added = Some(Roles(planned));
        record::planned(self).await
    }

    async fn add(
        &self,
        user: &Caller,
        principal_id: Uuid,
        held: &Held,
        wanted: &[Role],
        missing: &[Role],
        planned: &[Uuid],
    ) -> Result<Grant, Stopped> {
        let azure_id = self.subscription.azure_subscription_id;
        let mut grants = Vec::new();
        for one in &held.direct {
            let origin = if is_ours(one, planned) { Origin::Ours } else { Origin::Adopted };
            grants.push((one.clone(), origin));
        }
        grants.extend(held.inherited.iter().map(|one| (one.clone(), Origin::Inherited)));
        for role in missing {
            let added = self.context.microsoft.arm().assign_role(user, azure_id, *role, principal_id).await?;
            let origin = if added.adopted { Origin::Adopted } else { Origin::Ours };
            grants.push((added, origin));
        }
        let has = |origin| grants.iter().any(|(one, from)| *from == origin && wanted.contains(&one.role));
        let outcome = outcome_of_held(has);
        Ok(Grant::Held { held: grants, is_all: held.is_known, outcome })
    }
}

/// Whether an assignment bears the name that ours get, and we were about to make it.
fn is_ours(assignment: &RoleAssignment, planned: &[Uuid]) -> bool {
    !assignment.adopted && planned.contains(&assignment.role.definition_id())
}
