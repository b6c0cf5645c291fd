//! <https://learn.microsoft.com/en-us/graph/permissions-reference>: the application permissions of Graph that
//! Tenantry's app registration asks for, and those that an administrator granted it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::server::Simulator;
use crate::state::lock;

/// What the other app registration may do: read everything.
pub(crate) const OF_AUTOMATION: [&str; 8] = [
    "Application.Read.All",
    "AuditLog.Read.All",
    "Directory.Read.All",
    "Group.Read.All",
    "Organization.Read.All",
    "Reports.Read.All",
    "ReportSettings.Read.All",
    "User.Read.All",
];

struct Grant {
    permission: String,
    /// From when on a token that is issued has it.
    works_from: DateTime<Utc>,
}

/// What is asked for, and what is granted.
pub(crate) struct Permissions {
    /// Of the app registration: what `/.default` stands for.
    registered: Vec<String>,
    /// What a consent leaves out.
    withheld: Vec<String>,
    granted: Vec<Grant>,
}

impl Permissions {
    pub(crate) fn new(registered: Vec<String>) -> Self {
        Self { registered, withheld: Vec::new(), granted: Vec::new() }
    }

    /// The permissions that a consent to everything would grant.
    pub(crate) fn asked_for(&self) -> Vec<String> {
        let is_given = |permission: &&String| !self.withheld.contains(permission);
        self.registered.iter().filter(is_given).cloned().collect()
    }

    pub(crate) fn grant(&mut self, permissions: &[String], works_from: DateTime<Utc>) {
        for permission in permissions {
            if !self.granted.iter().any(|grant| grant.permission == *permission) {
                self.granted.push(Grant { permission: permission.clone(), works_from });
            }
        }
    }

    /// What a token that is issued now has.
    pub(crate) fn known_at(&self, now: DateTime<Utc>) -> Vec<String> {
        let known = self.granted.iter().filter(|grant| grant.works_from <= now);
        known.map(|grant| grant.permission.clone()).collect()
    }

    /// They go with the service principal.
    pub(crate) fn clear(&mut self) {
        self.granted.clear();
    }
}

impl Simulator {
    /// Grants Tenantry's app these permissions at once, as by an administrator's consent, also such as it does not
    /// ask for: `User.Read.All`, … Tokens that were issued before do not have them.
    pub fn grant_permissions(&self, permissions: &[&str]) {
        let now = self.state.now();
        let mut directory = lock(&self.state.directory);
        directory.ensure_service_principal(&self.state.world, now, now);
        let permissions: Vec<_> = permissions.iter().map(|&permission| permission.to_owned()).collect();
        directory.permissions.grant(&permissions, now);
    }

    /// Takes a permission away; tokens that were issued before still have it.
    pub fn withdraw_permission(&self, permission: &str) {
        let permissions = &mut lock(&self.state.directory).permissions;
        permissions.granted.retain(|grant| grant.permission != permission);
    }

    /// What every later consent leaves out, of the permissions that are asked for.
    pub fn withhold_permissions(&self, permissions: &[&str]) {
        let withheld = permissions.iter().map(|&permission| permission.to_owned()).collect();
        lock(&self.state.directory).permissions.withheld = withheld;
    }

    /// How long after a consent the directory denies knowing what it granted.
    pub fn set_replication(&self, replication: TimeDelta) {
        lock(&self.state.dials).replication = replication;
    }
}
