//! The pages that the consenting user sees.

use entity::consent::{self, State};
use entity::subscription::AccessLevel;
use entity::{Failure, Work};

use crate::page::Page;

impl Page {
    /// Says what is done now in the consenting user's name.
    pub(super) fn granted(work: &Work) -> Self {
        let done = match work {
            Work::ChangeAccess { level: AccessLevel::WriteTags, .. } => {
                "Tenantry now assigns itself the Tag Contributor role at the subscriptions that it was asked to \
                 write tags in, and then removes roles of its own that this does not need."
            }
            Work::ChangeAccess { .. } => {
                "Tenantry now assigns itself the Reader role at the subscriptions that it was asked to only read, \
                 and then removes roles of its own that this does not need."
            }
            Work::Onboard { .. } => {
                "Tenantry now assigns itself the Reader role where you may grant it, and takes inventory."
            }
            Work::Hold => {
                return Self::granted_with(
                    "For up to an hour Tenantry does, in your name, what the members of the organization ask for. \
                     Then your own access is erased. You can close this page.",
                );
            }
            Work::Disconnect { .. } => {
                "Tenantry now removes the role assignments that it created where you may remove them."
            }
            Work::ApplyChangeSet { .. } => {
                "Tenantry now assigns itself the Tag Contributor role at the subscriptions that it was asked to write \
                 tags in, writes them, and then removes the role again."
            }
            Work::LoadOffice => {
                return Self::granted_with(
                    "Tenantry now looks which permissions it was given, and reads users, groups and usage reports. It \
                     acts by itself and never in your name. You can close this page.",
                );
            }
            Work::Scan => "Tenantry now does what it was asked to.",
        };
        Self::granted_with(&format!(
            "{done} Your own access is erased as soon as that is done, after an hour at the latest. You can close \
             this page."
        ))
    }

    fn granted_with(message: &str) -> Self {
        Self::new(200, "GRANTED", "Thank you, the consent is granted", message)
    }

    pub(super) fn unknown() -> Self {
        Self::new(
            404,
            "CONSENT_UNKNOWN",
            "This link is not known",
            "It was not copied in full, or it is not one of ours. Ask the person who sent it for a new one.",
        )
    }

    pub(super) fn expired() -> Self {
        Self::new(
            410,
            "CONSENT_EXPIRED",
            "This link has expired",
            "A consent has to be given within ten minutes after it was asked for. Ask for a new link.",
        )
    }

    pub(super) fn wrong_browser() -> Self {
        Self::new(
            403,
            "WRONG_BROWSER",
            "This is not the browser that went to Microsoft",
            "For your safety a sign-in is accepted only by the browser in which it began. Open the link \
             again, allow its cookie, and finish in the same browser.",
        )
    }

    pub(super) fn already_received() -> Self {
        Self::new(
            409,
            "ALREADY_RECEIVED",
            "This consent was already received",
            "Nothing has to be done again. You can close this page.",
        )
    }

    /// The page of a consent whose state is spent.
    pub(super) fn of_spent(consent: &consent::Model) -> Self {
        match (&consent.state, &consent.failure) {
            (State::Expired, _) => Self::expired(),
            (State::Refused, Some(failure)) => Self::consent_refused(failure),
            _ => Self::already_received(),
        }
    }

    pub(super) fn consent_refused(failure: &Failure) -> Self {
        Self::of_failure("The consent was not granted", failure)
    }
}
