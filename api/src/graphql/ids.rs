//! Global ids, which say their kind: `tenant:0192…`.

use std::fmt;

use async_graphql::{ID, Result};
use uuid::Uuid;

use crate::error::ErrorCode;

/// Of what an id can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An organization.
    Organization,
    /// A member.
    Member,
    /// A tenant.
    Tenant,
    /// A subscription.
    Subscription,
    /// A resource.
    Resource,
    /// An operation.
    Operation,
    /// A consent.
    Consent,
    /// An access token.
    AccessToken,
    /// An invitation.
    Invitation,
    /// An enrollment key.
    EnrollmentKey,
    /// An audit event.
    AuditEvent,
    /// An owner link.
    OwnerLink,
    /// A change set.
    ChangeSet,
    /// A tag write.
    TagWrite,
    /// What is decided about a tag name.
    TagName,
    /// A user of a tenant.
    OfficeUser,
    /// A group of a tenant.
    OfficeGroup,
    /// A report.
    Report,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Organization,
        Self::Member,
        Self::Tenant,
        Self::Subscription,
        Self::Resource,
        Self::Operation,
        Self::Consent,
        Self::AccessToken,
        Self::Invitation,
        Self::EnrollmentKey,
        Self::AuditEvent,
        Self::OwnerLink,
        Self::ChangeSet,
        Self::TagWrite,
        Self::TagName,
        Self::OfficeUser,
        Self::OfficeGroup,
        Self::Report,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Member => "member",
            Self::Tenant => "tenant",
            Self::Subscription => "subscription",
            Self::Resource => "resource",
            Self::Operation => "operation",
            Self::Consent => "consent",
            Self::AccessToken => "access-token",
            Self::Invitation => "invitation",
            Self::EnrollmentKey => "enrollment-key",
            Self::AuditEvent => "audit-event",
            Self::OwnerLink => "owner-link",
            Self::ChangeSet => "change-set",
            Self::TagWrite => "tag-write",
            Self::TagName => "tag-name",
            Self::OfficeUser => "office-user",
            Self::OfficeGroup => "office-group",
            Self::Report => "report",
        }
    }

    /// The id of the row `id` of this kind.
    pub fn id(self, id: Uuid) -> ID {
        ID(format!("{self}:{id}"))
    }

    /// The row that `id` names, which has to be of this kind.
    pub fn row(self, id: &ID) -> Result<Uuid> {
        parse(id).filter(|(kind, _)| *kind == self).map(|(_, row)| row).ok_or_else(|| {
            ErrorCode::BadId.error(format!("What was given is not the id of a kind that fits: {self}."))
        })
    }

    /// The rows that `ids` name.
    pub fn rows(self, ids: &[ID]) -> Result<Vec<Uuid>> {
        ids.iter().map(|id| self.row(id)).collect()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind and the row that `id` names.
pub fn any(id: &ID) -> Result<(Kind, Uuid)> {
    parse(id).ok_or_else(|| ErrorCode::BadId.error("What was given is not an id that was issued here."))
}

/// Only what [`Kind::id`] writes is read: an id has one spelling.
fn parse(id: &ID) -> Option<(Kind, Uuid)> {
    let (kind, row) = id.split_once(':')?;
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let row = Uuid::try_parse(row).ok()?;
    (kind.id(row) == *id).then_some((kind, row))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in prop::sample::select(Kind::ALL.to_vec()), row in proptest::num::u128::ANY) {
            let row = Uuid::from_u128(row);
            prop_assert_eq!(super::any(&kind.id(row)).ok(), Some((kind, row)));
            for other in Kind::ALL {
                prop_assert_eq!(other.row(&kind.id(row)).is_ok(), other == kind);
            }
        }

        #[test]
        fn anything_else_is_no_id(text in ".{0,60}") {
            prop_assert!(super::any(&ID(text)).is_err());
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        for bad in [
            "tenant:0192F0C0-0000-7000-8000-000000000000",
            "tenant:0192f0c0000070008000000000000000",
            "Tenant:0192f0c0-0000-7000-8000-000000000000",
            "tenant:{0192f0c0-0000-7000-8000-000000000000}",
            "0192f0c0-0000-7000-8000-000000000000",
        ] {
            assert!(super::any(&ID(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
