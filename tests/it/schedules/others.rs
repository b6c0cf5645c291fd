//! What others do about the roles of our service principal, as the test knows it.

use std::collections::{BTreeMap, BTreeSet};

use simulator::{BuiltInRole, Scope, Simulator};
use uuid::Uuid;

/// What others did about our roles.
#[derive(Default)]
pub struct Others {
    /// Names of the assignments that they made and did not take away again, by subscription.
    pub theirs: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// Names of all that they ever made.
    pub ever: BTreeSet<Uuid>,
    /// Roles that they gave above a subscription.
    pub above: BTreeMap<Uuid, Vec<BuiltInRole>>,
    /// Subscriptions where they took something away.
    pub taken: BTreeSet<Uuid>,
    /// Subscriptions that they changed otherwise.
    pub changed: BTreeSet<Uuid>,
}

impl Others {
    /// Somebody gives our service principal a role at, or above, a subscription. Azure keeps no role twice.
    pub fn give(&mut self, simulator: &Simulator, at: Uuid, role: BuiltInRole, above: bool) {
        let Some(principal) = simulator.service_principal_id() else { return };
        if above {
            simulator.grant(principal, role, Scope::GroupAbove(at));
            return self.above.entry(at).or_default().push(role);
        }
        if simulator.holdings(at).iter().any(|held| held.role == role) {
            return;
        }
        simulator.grant(principal, role, Scope::Subscription(at));
        let held = simulator.holdings(at);
        if let Some(new) = held.iter().find(|held| held.role == role) {
            self.theirs.entry(at).or_default().insert(new.name);
            self.ever.insert(new.name);
        }
    }

    /// Somebody removes the role of our service principal there, whoever gave it.
    pub fn take(&mut self, simulator: &Simulator, at: Uuid, role: BuiltInRole) {
        let Some(principal) = simulator.service_principal_id() else { return };
        let held = simulator.holdings(at);
        let gone = held.iter().filter(|held| held.role == role);
        for gone in gone {
            self.theirs.entry(at).or_default().remove(&gone.name);
            self.taken.insert(at);
        }
        simulator.revoke(principal, role, Scope::Subscription(at));
    }
}
