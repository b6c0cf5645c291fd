//! What an operation will do, told before it begins: what becomes of each subscription and why, by how many calls, and
//! how long all of it takes.
//!
//! Facts are gathered from what is stored (`known.rs`) and, where a consent window is open, from Azure (`asked.rs`).
//! What follows from them (`rule.rs`, `duration.rs`) asks nobody, and decides by the same rules as [`crate::access`].

mod asked;
mod duration;
mod foretell;
mod known;
mod rule;

use entity::estimate::Calls;
use entity::operation_step::Outcome;
use entity::subscription::{AccessLevel, AzureState};
use entity::{Estimate, Failure};
use microsoft::{Owner, Role, Verdict};
use uuid::Uuid;

pub use asked::{Asking, Extent, Inquiry, ask};
pub use duration::{Pace, Window};
pub(crate) use foretell::foretell;
pub use known::{known, pace};

use duration::estimate;
use rule::decide;

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To read what the consenting user sees.
    Onboard,
    /// To have another access level.
    Change {
        /// The level.
        level: AccessLevel,
        /// Whether Reader stays beside Tag Contributor.
        keep_reader: bool,
    },
}

/// Where what is said of a subscription comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Azure was asked for it, just now.
    Asked,
    /// It is what is stored.
    Known,
    /// Nothing stands against it, as far as is known.
    Assumed,
}

/// What is known of one subscription.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Azure's id of it.
    pub azure_subscription_id: Uuid,
    /// Our id of it; none: it was never seen before.
    pub subscription_id: Option<Uuid>,
    /// Its name in Azure.
    pub display_name: String,
    /// Its state in Azure.
    pub azure_state: AzureState,
    /// What Tenantry may do with its tags now.
    pub access_level: AccessLevel,
    /// Whether the service principal reads it.
    pub is_read: bool,
    /// Whether the consenting user sees it; none: nobody asked.
    pub is_seen: Option<bool>,
    /// The service principal's roles at the subscription itself.
    pub direct: Vec<Role>,
    /// Those that it inherits.
    pub inherited: Vec<Role>,
    /// Those that Tenantry assigned.
    pub ours: Vec<Role>,
    /// What the consenting user may do there; none: nobody asked.
    pub rights: Option<Rights>,
    /// How Azure refused to tell, where trying again cannot help.
    pub refusal: Option<(Outcome, Failure)>,
    /// How many resources it has.
    pub resources: Option<u64>,
    /// Whether Azure was asked for the roles and the rights.
    pub is_asked: bool,
}

impl Facts {
    fn has(&self, role: Role) -> bool {
        self.direct.contains(&role) || self.inherited.contains(&role)
    }
}

/// What the consenting user may do at a subscription.
#[derive(Clone, Debug)]
pub struct Rights {
    /// Whether they may give roles to others.
    pub may_assign: bool,
    /// Whether they may take them away too.
    pub may_remove: bool,
    /// By which roles, as far as these are known.
    pub owner_of: Vec<Owner>,
    /// The service principal.
    pub principal_id: Uuid,
    /// How many more role assignments the subscription has room for; none: Azure does not tell.
    pub room: Option<u32>,
}

/// Where resources are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Many subscriptions at once.
    ResourceGraph,
    /// One after the other: Resource Graph shows nothing to Tag Contributor alone.
    ResourceManager,
}

/// The role by which the consenting user gives roles to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByRole {
    /// The role.
    pub owner: Owner,
    /// What its condition says; one that is held without a condition allows.
    pub verdict: Verdict,
}

/// What becomes of one subscription.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What it was decided by.
    pub facts: Facts,
    /// Where that comes from.
    pub basis: Basis,
    /// How it ends.
    pub outcome: Outcome,
    /// What stands in the way.
    pub failure: Option<Failure>,
    /// Roles that the service principal is given.
    pub adds: Vec<Role>,
    /// Roles that are taken away from it.
    pub removes: Vec<Role>,
    /// By which role of the consenting user.
    pub by_role: Option<ByRole>,
    /// From where its resources are read then; none: they are not.
    pub scan: Option<Source>,
    /// The calls about it alone.
    pub calls: Calls,
}

/// A whole plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What becomes of each subscription.
    pub subscriptions: Vec<Planned>,
    /// What all of it takes.
    pub estimate: Estimate,
}

impl Plan {
    /// What comes of `aim` by these facts.
    pub fn of(aim: Aim, facts: Vec<Facts>, pace: Pace, window: Window) -> Self {
        let subscriptions: Vec<_> = facts.into_iter().map(|facts| decide(aim, facts)).collect();
        let estimate = estimate(aim, &subscriptions, pace, window);
        Self { subscriptions, estimate }
    }
}
