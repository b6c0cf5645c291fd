//! What becomes of one subscription, and why.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use microsoft::Verdict;
use worker::plan::{ByRole, Planned};

use crate::graphql::batch::Batch;
use crate::graphql::estimate::{CallCounts, count};
use crate::graphql::failure::Failure;
use crate::graphql::operation::OperationStepOutcome;
use crate::graphql::pager::{Key, Listing, Paging, Position, cut};
use crate::graphql::scalars::Guid;
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::subscription::{AzureRole, AzureSubscription, SubscriptionOwnerRole};
use crate::permission::Permission;

/// Where what is said of a subscription comes from.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "PlanBasis", remote = "worker::plan::Basis")]
pub enum PlanBasis {
    /// Azure was asked, just now.
    Asked,
    /// It is what Tenantry knows.
    Known,
    /// Nothing stands against it, as far as Tenantry knows; only the consenting user can tell.
    Assumed,
}

/// What a condition on a role says of the role assignment that is planned.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConditionVerdict")]
pub enum ConditionVerdict {
    /// It allows it.
    Allows,
    /// It forbids it.
    Forbids,
    /// Only Azure can tell.
    Unclear,
}

/// The role by which the consenting user gives roles to others.
#[derive(SimpleObject)]
#[graphql(name = "AssignerRole")]
pub struct AssignerRole {
    /// The role.
    role: SubscriptionOwnerRole,
    /// What its condition says; null: it is held without a condition.
    condition: Option<ConditionVerdict>,
}

impl From<&ByRole> for AssignerRole {
    fn from(by: &ByRole) -> Self {
        let verdict = match by.verdict {
            Verdict::Allows => ConditionVerdict::Allows,
            Verdict::Forbids => ConditionVerdict::Forbids,
            Verdict::Unclear => ConditionVerdict::Unclear,
        };
        Self { role: by.owner.role.into(), condition: by.owner.condition.as_ref().map(|_| verdict) }
    }
}

/// What becomes of one subscription.
pub struct PlannedSubscription {
    planned: Planned,
    siblings: Arc<Siblings>,
}

struct Siblings {
    subscriptions: Batch<AzureSubscription>,
}

/// What an operation will do about one subscription.
#[Object(name = "PlannedSubscription")]
impl PlannedSubscription {
    /// Azure's id of the subscription.
    async fn azure_subscription_id(&self) -> Guid {
        self.planned.facts.azure_subscription_id.into()
    }

    /// Its name in Azure.
    async fn display_name(&self) -> &str {
        &self.planned.facts.display_name
    }

    /// The subscription; null if it was never seen before.
    async fn subscription(&self, ctx: &Context<'_>) -> Option<&AzureSubscription> {
        let id = self.planned.facts.subscription_id?;
        let found =
            async { self.siblings.subscriptions.find(Scope::of(ctx, Permission::ReadInventory)?, id).await };
        or_null(ctx, found.await)
    }

    /// Where what is said here comes from.
    async fn basis(&self) -> PlanBasis {
        self.planned.basis.into()
    }

    /// How it will end.
    async fn outcome(&self) -> OperationStepOutcome {
        self.planned.outcome.into()
    }

    /// What stands in the way, and who can mend it.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.planned.failure.as_ref())
    }

    /// Roles that the service principal will be given.
    async fn roles_added(&self) -> Vec<AzureRole> {
        self.planned.adds.iter().copied().map(Into::into).collect()
    }

    /// Roles that will be taken away from it then: only such as Tenantry assigned.
    async fn roles_removed(&self) -> Vec<AzureRole> {
        self.planned.removes.iter().copied().map(Into::into).collect()
    }

    /// By which role the consenting user does that; null if it is not known, or nothing is given.
    async fn by_role(&self) -> Option<AssignerRole> {
        self.planned.by_role.as_ref().map(Into::into)
    }

    /// How many resources it has; null if nobody has counted them.
    async fn resource_count(&self) -> Option<i32> {
        self.planned.facts.resources.map(count)
    }

    /// The calls about it alone; what tells of many at once is in the plan's.
    async fn calls(&self) -> CallCounts {
        self.planned.calls.into()
    }
}

/// A page of `planned`, which is ordered by name.
pub fn list(planned: &[Planned], paging: &Paging) -> Result<Listing<PlannedSubscription>> {
    let position = |one: &Planned| Position {
        key: Key::Text(one.facts.display_name.to_lowercase()),
        id: one.facts.azure_subscription_id,
    };
    let together = |page: &[Planned]| {
        let ids = page.iter().filter_map(|one| one.facts.subscription_id);
        let siblings = Arc::new(Siblings { subscriptions: Batch::of(ids) });
        let each = page.iter().cloned();
        each.map(|planned| PlannedSubscription { planned, siblings: Arc::clone(&siblings) }).collect()
    };
    cut(planned, "plan", position, together, paging)
}
