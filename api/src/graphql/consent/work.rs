//! What a consent begins once it is granted.

use async_graphql::{Context, Enum, Object, Result};
use entity::Work;
use uuid::Uuid;

use crate::graphql::batch::Batch;
use crate::graphql::int;
use crate::graphql::scope::Scope;
use crate::graphql::subscription::{AccessLevel, AzureSubscription};
use crate::permission::Permission;

/// What a consent begins once it is granted.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConsentWorkKind")]
pub enum ConsentWorkKind {
    /// Finds subscriptions, assigns the role, scans.
    Onboard,
    /// Scans what can be read.
    Scan,
    /// Swaps roles, so that subscriptions have another access level.
    ChangeAccess,
    /// Removes what Tenantry created in the tenant, and stops everything about it.
    Disconnect,
    /// Writes the tags of a change set.
    ApplyChangeSet,
    /// Nothing yet: its window is held open for what members ask for.
    Hold,
    /// Reads users, groups and reports of Office 365.
    #[graphql(name = "LOAD_OFFICE_365")]
    LoadOffice365,
}

/// What a consent begins once it is granted.
pub struct ConsentWork<'a> {
    pub work: Work,
    pub subscriptions: &'a Batch<AzureSubscription>,
}

/// The most subscriptions that are shown of one.
const SHOWN: usize = 100;

/// The subscriptions that are named in `work`.
fn all(work: &Work) -> &[Uuid] {
    match work {
        Work::Onboard { subscriptions } | Work::ChangeAccess { subscriptions, .. } => subscriptions,
        Work::Scan
        | Work::Disconnect { .. }
        | Work::ApplyChangeSet { .. }
        | Work::Hold
        | Work::LoadOffice => &[],
    }
}

/// Those of them that are shown.
pub fn shown(work: &Work) -> &[Uuid] {
    let all = all(work);
    &all[..all.len().min(SHOWN)]
}

/// What a consent begins once it is granted.
#[Object(name = "ConsentWork")]
impl ConsentWork<'_> {
    /// What it is.
    async fn kind(&self) -> ConsentWorkKind {
        match self.work {
            Work::Onboard { .. } => ConsentWorkKind::Onboard,
            Work::Scan => ConsentWorkKind::Scan,
            Work::ChangeAccess { .. } => ConsentWorkKind::ChangeAccess,
            Work::Disconnect { .. } => ConsentWorkKind::Disconnect,
            Work::ApplyChangeSet { .. } => ConsentWorkKind::ApplyChangeSet,
            Work::Hold => ConsentWorkKind::Hold,
            Work::LoadOffice => ConsentWorkKind::LoadOffice365,
        }
    }

    /// How many subscriptions it names; none where it is about whatever the consenting user sees.
    async fn subscription_count(&self) -> i32 {
        int(i64::try_from(all(&self.work).len()).unwrap_or(i64::MAX))
    }

    /// The subscriptions that it names, as far as you reach them; 100 at most.
    async fn subscriptions(&self, ctx: &Context<'_>) -> Result<Vec<&AzureSubscription>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let mut found = Vec::new();
        for id in shown(&self.work) {
            found.extend(self.subscriptions.find(scope, *id).await?);
        }
        Ok(found)
    }

    /// The level that each of them is to have; null if it changes no level.
    async fn access_level(&self) -> Option<AccessLevel> {
        match self.work {
            Work::ChangeAccess { level, .. } => Some(level.into()),
            _ => None,
        }
    }
}
