//! Looks, as the service principal and with a fresh token, whether the roles work.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::operation_step::{Outcome, State};
use microsoft::{Caller, MicrosoftError, Role};

use super::{ROLL_BACK, Work, record};
use crate::job::JobError;
use crate::{failures, operations, window};

/// The longest wait between two looks whether a role works.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// What only this role lets us do.
pub(crate) fn telling_action(role: Role) -> &'static str {
    match role {
        Role::TagContributor => "Microsoft.Resources/tags/write",
        Role::Reader | Role::Other(_) => "Microsoft.Compute/virtualMachines/read",
    }
}

impl Work<'_> {
    /// Leaves the step where it is, with a wait, until the roles work; then tags are written, or what is not needed any
    /// more is removed.
    pub(super) async fn verify(&mut self) -> Result<(), JobError> {
        let now = self.context.clock.now();
        match self.works().await {
            Ok(true) => self.effective(now).await,
            Ok(false) | Err(MicrosoftError::Forbidden { .. } | MicrosoftError::NotFound { .. }) => {
                self.not_yet(now).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn works(&self) -> Result<bool, MicrosoftError> {
        let caller = Caller::FreshApp { tenant: self.tenant.entra_tenant_id };
        let arm = self.context.microsoft.arm();
        let azure_id = self.subscription.azure_subscription_id;
        let permissions = arm.effective_permissions(&caller, azure_id).await?;
        Ok(self.needed().unwrap_or_default().iter().all(|role| permissions.allows(telling_action(*role))))
    }

    async fn not_yet(&mut self, now: DateTime<Utc>) -> Result<(), JobError> {
        let (organization_id, consent_id) = (self.operation.organization_id, self.operation.consent_id);
        let closes_at = window::closes_at(self.context, organization_id, consent_id).await?;
        let failure = match closes_at {
            // What was added stays, and a new consent goes on here.
            None => return self.done(Outcome::NeedsReconsent, Some(failures::window_closed())).await,
            Some(_) if operations::is_overdue(self.step.assigned_at, now) => failures::role_not_effective(),
            Some(closes_at) if closes_at - now < ROLL_BACK => failures::window_too_short(),
            Some(_) => return Err(JobError::RetryAfter(self.next_look(now))),
        };
        self.step.failure = Some(failure);
        self.move_to(State::RollingBack).await
    }

    async fn effective(&mut self, now: DateTime<Utc>) -> Result<(), JobError> {
        let subscriptions = [self.step.subscription_id];
        record::verified(self.context, self.step.organization_id, &subscriptions, now).await?;
        self.move_to(if self.is_elevation() { State::Writing } else { State::Removing }).await
    }

    /// Each look waits as long as all looks before it together, up to a minute.
    fn next_look(&self, now: DateTime<Utc>) -> Duration {
        let waited = self.step.assigned_at.and_then(|at| (now - at).to_std().ok()).unwrap_or_default();
        waited.clamp(self.context.pace.first_look, LONGEST_LOOK)
    }
}
