//! What access tokens may do, by domain.

use std::fmt;

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that an access token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AccessScope {
    /// Read tenants, subscriptions, role assignments, resources and tags.
    InventoryRead,
    /// Start scans.
    InventoryScan,
    /// Read and follow operations.
    OperationsRead,
    /// Cancel and retry operations.
    OperationsWrite,
    /// Read consents.
    ConsentsRead,
    /// Ask for consents.
    ConsentsWrite,
    /// Assign, change and remove tags.
    TagsWrite,
    /// Read Office 365 reports, users and groups.
    ReportsRead,
    /// Read members.
    MembersRead,
    /// Read enrollment keys' states, never the keys.
    EnrollmentKeysRead,
    /// Read and export the audit.
    AuditRead,
}

impl AccessScope {
    /// Every scope.
    pub const ALL: [Self; 11] = [
        Self::InventoryRead,
        Self::InventoryScan,
        Self::OperationsRead,
        Self::OperationsWrite,
        Self::ConsentsRead,
        Self::ConsentsWrite,
        Self::TagsWrite,
        Self::ReportsRead,
        Self::MembersRead,
        Self::EnrollmentKeysRead,
        Self::AuditRead,
    ];

    /// The scope's name: domain, colon, what is done.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InventoryRead => "inventory:read",
            Self::InventoryScan => "inventory:scan",
            Self::OperationsRead => "operations:read",
            Self::OperationsWrite => "operations:write",
            Self::ConsentsRead => "consents:read",
            Self::ConsentsWrite => "consents:write",
            Self::TagsWrite => "tags:write",
            Self::ReportsRead => "reports:read",
            Self::MembersRead => "members:read",
            Self::EnrollmentKeysRead => "enrollment-keys:read",
            Self::AuditRead => "audit:read",
        }
    }

    /// The scope of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

impl fmt::Display for AccessScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes. It is stored as a list of names; a name that this version does not know allows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromJsonQueryResult)]
pub struct AccessScopes(u32);

impl AccessScopes {
    /// Whether `scope` is among them.
    pub const fn contains(self, scope: AccessScope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = AccessScope> {
        AccessScope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<AccessScope> for AccessScopes {
    fn from_iter<I: IntoIterator<Item = AccessScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl Serialize for AccessScopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(AccessScope::as_str))
    }
}

impl<'de> Deserialize<'de> for AccessScopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(names.iter().filter_map(|name| AccessScope::parse(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_stored_by_names_and_a_strange_name_allows_nothing() {
        for scope in AccessScope::ALL {
            let set = AccessScopes::from_iter([scope]);
            let stored = serde_json::to_string(&set).unwrap();
            assert_eq!(stored, format!("[\"{scope}\"]"));
            assert_eq!(serde_json::from_str::<AccessScopes>(&stored).unwrap(), set);
            assert_eq!(AccessScope::ALL.into_iter().filter(|other| set.contains(*other)).count(), 1);
        }
        assert!(serde_json::from_str::<AccessScopes>("[\"everything\"]").unwrap().is_empty());
    }
}
