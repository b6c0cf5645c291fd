//! The application permissions of Microsoft Graph that Tenantry can use, and those that it holds.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::error::codes;
use crate::{Audience, Freshness, Graph, MicrosoftError};

/// How long to wait before each time that [`Grants::NotYet`] is asked about again. Microsoft names no times.
pub const REPLICATION_WAITS: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_mins(1),
];

/// An application permission of Microsoft Graph.
///
/// <https://learn.microsoft.com/en-us/graph/permissions-reference>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `Reports.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#reportsreadall>.
    ReportsReadAll,
    /// `Group.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#groupreadall>.
    GroupReadAll,
    /// `User.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#userreadall>.
    UserReadAll,
    /// `AuditLog.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#auditlogreadall>.
    AuditLogReadAll,
    /// `Organization.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#organizationreadall>.
    OrganizationReadAll,
    /// `ReportSettings.Read.All`:
    /// <https://learn.microsoft.com/en-us/graph/permissions-reference#reportsettingsreadall>.
    ReportSettingsReadAll,
    /// `Application.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#applicationreadall>.
    ApplicationReadAll,
    /// `Directory.Read.All`: <https://learn.microsoft.com/en-us/graph/permissions-reference#directoryreadall>.
    DirectoryReadAll,
}

impl Permission {
    /// Every one, those that Tenantry asks for first.
    pub const ALL: [Self; 8] = [
        Self::ReportsReadAll,
        Self::GroupReadAll,
        Self::UserReadAll,
        Self::AuditLogReadAll,
        Self::OrganizationReadAll,
        Self::ReportSettingsReadAll,
        Self::ApplicationReadAll,
        Self::DirectoryReadAll,
    ];

    /// Microsoft's name for it, as tokens and the portal have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReportsReadAll => "Reports.Read.All",
            Self::GroupReadAll => "Group.Read.All",
            Self::UserReadAll => "User.Read.All",
            Self::AuditLogReadAll => "AuditLog.Read.All",
            Self::OrganizationReadAll => "Organization.Read.All",
            Self::ReportSettingsReadAll => "ReportSettings.Read.All",
            Self::ApplicationReadAll => "Application.Read.All",
            Self::DirectoryReadAll => "Directory.Read.All",
        }
    }

    /// The permission of this name, if it is one that Tenantry can use.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == name)
    }

    /// What there is none of without it: a sentence for a person.
    pub const fn needed_for(self) -> &'static str {
        match self {
            Self::ReportsReadAll => "It is needed for every usage report; no other permission gives them.",
            Self::GroupReadAll => "It is needed for groups and for who is in them.",
            Self::UserReadAll => "It is needed for users and the licences assigned to them.",
            Self::AuditLogReadAll => {
                "It is needed for when users last signed in, together with a licence for Microsoft Entra ID P1."
            }
            Self::OrganizationReadAll => "It is needed for how many licences the tenant has bought.",
            Self::ReportSettingsReadAll => {
                "It is needed for whether the tenant conceals names in reports, before a report shows it."
            }
            Self::ApplicationReadAll => {
                "It is needed for Tenantry's own enterprise application in the tenant."
            }
            Self::DirectoryReadAll => {
                "It is not needed: it stands in for most of the others where a tenant has granted it instead."
            }
        }
    }

    /// Whether what it is needed for can be had with these.
    pub fn is_covered_by(self, held: &BTreeSet<Self>) -> bool {
        let has_substitute = match self {
            Self::GroupReadAll | Self::UserReadAll | Self::OrganizationReadAll | Self::ApplicationReadAll => {
                true
            }
            Self::ReportsReadAll
            | Self::AuditLogReadAll
            | Self::ReportSettingsReadAll
            | Self::DirectoryReadAll => false,
        };
        held.contains(&self) || (has_substitute && held.contains(&Self::DirectoryReadAll))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the directory of a tenant says of Tenantry's permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// These are held, and perhaps others that Tenantry has no use for. After a consent that adds to an older one,
    /// the new ones may be missing for a while.
    Held(BTreeSet<Permission>),
    /// None is known. After a consent the directory may need a while: [`REPLICATION_WAITS`]. If it stays so, this is
    /// the reason.
    NotYet(MicrosoftError),
}

impl Graph {
    /// The permissions that Tenantry's service principal holds in a tenant now, by its own token: that is signed for
    /// this tenant, whatever a browser has said. Calls that follow carry this token: they may do what it says.
    pub async fn permissions(&self, tenant: Uuid) -> Result<Grants, MicrosoftError> {
        let asked = self.link.login().app_token(tenant, Audience::Graph, Freshness::Fresh).await;
        let token = match asked {
            Ok(token) => token,
            Err(error) if error.code() == codes::CONSENT_WITHDRAWN.code => return Ok(Grants::NotYet(error)),
            Err(error) => return Err(error),
        };
        if token.tenant_id != Some(tenant) {
            return Err(MicrosoftError::of(&codes::WRONG_TENANT, "the token does not name the tenant"));
        }
        if token.roles.is_empty() {
            let none = MicrosoftError::of(&codes::PERMISSION_MISSING, "the token holds no permission");
            return Ok(Grants::NotYet(none));
        }
        Ok(Grants::Held(token.roles.iter().filter_map(|role| Permission::named(role)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_its_own_name_and_use() {
        let names: BTreeSet<_> = Permission::ALL.iter().map(|one| one.as_str()).collect();
        let uses: BTreeSet<_> = Permission::ALL.iter().map(|one| one.needed_for()).collect();
        assert_eq!((names.len(), uses.len()), (8, 8));
        assert!(uses.iter().all(|text| text.ends_with('.')));
        assert!(Permission::ALL.iter().all(|one| Permission::named(one.as_str()) == Some(*one)));
        assert_eq!(Permission::named("user.read.all"), None);
    }

    #[test]
    fn the_broad_one_stands_in_for_some() {
        let broad = BTreeSet::from([Permission::DirectoryReadAll]);
        let covered: Vec<_> = Permission::ALL.into_iter().filter(|one| one.is_covered_by(&broad)).collect();
        assert_eq!(
            covered,
            [
                Permission::GroupReadAll,
                Permission::UserReadAll,
                Permission::OrganizationReadAll,
                Permission::ApplicationReadAll,
                Permission::DirectoryReadAll,
            ]
        );
    }
}
