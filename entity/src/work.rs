//! What a consent begins once it is granted, and what an operation does.

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::operation::Kind;
use crate::subscription::AccessLevel;

/// What a consent begins once it is granted, and what an operation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Work {
    /// Finds subscriptions, assigns the role, scans.
    Onboard {
        /// Our ids of the subscriptions to do it for; empty: whatever the consenting user sees.
        subscriptions: Vec<Uuid>,
    },
    /// Scans what can be read.
    Scan,
    /// Swaps roles.
    ChangeAccess {
        /// Our ids of the subscriptions.
        subscriptions: Vec<Uuid>,
        /// The level that each of them is to have.
        level: AccessLevel,
    },
    /// Removes what Tenantry created, and stops.
    Disconnect {
        /// Whether the inventory is deleted too.
        delete_data: bool,
    },
    /// Writes the tags of a change set.
    ApplyChangeSet {
        /// Our id of the change set.
        change_set_id: Uuid,
    },
    /// Nothing yet: the window is held open for what members ask for until it closes.
    Hold,
    /// Reads what Office 365 tells of the tenant: users, groups and reports.
    LoadOffice,
}

impl Work {
    /// Everything that the consenting user sees.
    pub const ONBOARD: Self = Self::Onboard { subscriptions: Vec::new() };

    /// The change set that it applies, if it is that.
    pub fn change_set(&self) -> Option<Uuid> {
        match self {
            Self::ApplyChangeSet { change_set_id } => Some(*change_set_id),
            _ => None,
        }
    }

    /// The kind of operation that does it; none: it begins no operation.
    pub fn operation(&self) -> Option<Kind> {
        match self {
            Self::Onboard { .. } => Some(Kind::OnboardTenant),
            Self::Scan => Some(Kind::ScanTenant),
            Self::ChangeAccess { .. } => Some(Kind::ChangeAccess),
            Self::Disconnect { .. } => Some(Kind::DisconnectTenant),
            Self::ApplyChangeSet { .. } => Some(Kind::ApplyChangeSet),
            Self::LoadOffice => Some(Kind::LoadOffice),
            Self::Hold => None,
        }
    }
}
