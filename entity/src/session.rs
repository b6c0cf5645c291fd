//! A session: a member who signed in with a browser on our own origin.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, DeleteMany};

use crate::consent::hash;

/// How long a session lasts at most.
pub const LIFETIME: TimeDelta = TimeDelta::hours(12);

/// How long a session lasts without being used.
pub const IDLE: TimeDelta = TimeDelta::hours(2);

/// After how long the cookie of a session is replaced.
pub const ROTATION: TimeDelta = TimeDelta::minutes(15);

/// How long the replaced cookie still counts: requests that were under way carry it.
pub const OVERLAP: TimeDelta = TimeDelta::minutes(1);

/// How long a session is kept after it has run out.
pub const KEPT: TimeDelta = TimeDelta::days(7);

/// How exactly the last use is remembered.
pub const LAST_SEEN: TimeDelta = TimeDelta::minutes(1);

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// Whose it is.
    pub member_id: Uuid,
    /// SHA-256 of the cookie.
    pub token_hash: Vec<u8>,
    /// SHA-256 of the cookie before the last rotation.
    pub former_hash: Option<Vec<u8>>,
    /// When the cookie was last replaced.
    pub rotated_at: DateTimeUtc,
    /// When the member signed in.
    pub created_at: DateTimeUtc,
    /// When it was last used, to the minute.
    pub last_seen_at: DateTimeUtc,
    /// When it ends at the latest.
    pub expires_at: DateTimeUtc,
    /// When it was ended.
    pub ended_at: Option<DateTimeUtc>,
}

/// What a cookie is to the session that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The one that counts.
    Current,
    /// The one before, of a request that was under way when it was replaced.
    Replaced,
    /// The one before, long after: somebody copied it.
    Stolen,
}

impl Model {
    /// Whether it has neither ended nor run out at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at && now < self.last_seen_at + IDLE
    }

    /// What the cookie `secret` is at `now`.
    pub fn cookie(&self, secret: &str, now: DateTime<Utc>) -> Cookie {
        if hash(secret) == self.token_hash {
            Cookie::Current
        } else if now < self.rotated_at + OVERLAP {
            Cookie::Replaced
        } else {
            Cookie::Stolen
        }
    }
}

impl Entity {
    /// Deletes the sessions that ran out long before `now`: the audit remembers who signed in.
    pub fn forget(now: DateTime<Utc>) -> DeleteMany<Self> {
        Self::delete_many().filter(Column::ExpiresAt.lt(now - KEPT))
    }

    /// A session by its id: of a connection that began with its cookie.
    pub fn by_id(id: Uuid) -> Select<Self> {
        Self::find().filter(Column::Id.eq(id))
    }

    /// The session that a cookie names, or named before its last rotation.
    pub fn by_cookie(secret: &str) -> Select<Self> {
        let hash = hash(secret);
        let named = Condition::any().add(Column::TokenHash.eq(hash.clone())).add(Column::FormerHash.eq(hash));
        Self::find().filter(named)
    }
}

/// A session's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // It is found by its cookie or by its member, never in a list of things that are reached.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows
    }
}
