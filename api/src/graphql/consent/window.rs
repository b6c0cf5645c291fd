//! The window of a consent, as a front end counts it down.

use async_graphql::{Enum, SimpleObject};
use chrono::Utc;
use entity::consent;

use crate::graphql::int;
use crate::graphql::scalars::DateTime;

/// Why a window closed.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConsentWindowClosed", remote = "entity::consent::Closed")]
pub enum ConsentWindowClosed {
    /// Nothing was left to do that needs it.
    WorkDone,
    /// Its time was over.
    TimeOver,
    /// Microsoft did not take the delegated token any more: it was revoked, or the password was reset.
    TokenRefused,
    /// Microsoft asked the consenting user to sign in again, as a policy of the tenant demands.
    SignInDemanded,
    /// A member closed it.
    ByMember,
}

/// The time in which Tenantry may act as the consenting user.
#[derive(SimpleObject)]
#[graphql(name = "ConsentWindow")]
pub struct ConsentWindow {
    /// When it opened: the grant.
    opens_at: DateTime,
    /// When it closes at the latest: an hour later, or when the delegated token expires.
    closes_at: DateTime,
    /// How many seconds are left; 0 once it is closed.
    remaining_seconds: i32,
    /// Whether it is open.
    is_open: bool,
    /// Why it closed; null while it is open, and if it closed before reasons were kept.
    closed_because: Option<ConsentWindowClosed>,
}

impl ConsentWindow {
    /// How the window stands at `now`; none: the consent was not granted.
    pub fn of(consent: &consent::Model, now: chrono::DateTime<Utc>) -> Option<Self> {
        let (opens_at, closes_at) = consent.granted_at.zip(consent.window_closes_at)?;
        Some(Self {
            opens_at: opens_at.into(),
            closes_at: closes_at.into(),
            remaining_seconds: int(consent.remaining(now).num_seconds()),
            is_open: consent.is_open(now),
            closed_because: consent.closed_because.map(Into::into),
        })
    }
}
