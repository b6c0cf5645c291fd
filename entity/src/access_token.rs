//! An access token: what a partner integration presents to the api.

pub mod scope;
pub mod secret;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;

pub use scope::{AccessScope, AccessScopes};
pub use secret::AccessTokenSecret;

/// The longest that an access token may last.
pub const LONGEST: TimeDelta = TimeDelta::days(365);

/// How long before its expiry an access token warns of it.
pub const WARNING: TimeDelta = TimeDelta::days(14);

/// How an access token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Good.
    Active,
    /// Good, but not for much longer than [`WARNING`].
    ExpiresSoon,
    /// Past its expiry.
    Expired,
    /// Revoked.
    Revoked,
}

/// One access token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_token")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token.
    pub token_hash: Vec<u8>,
    /// Its last four characters, to tell it by.
    pub last_four: String,
    /// What it may do.
    #[sea_orm(column_type = "JsonBinary")]
    pub scopes: AccessScopes,
    /// Whether it reaches only what its [reach](crate::reach) says.
    pub limited: bool,
    /// The member who created it.
    pub created_by: Uuid,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it expires.
    pub expires_at: DateTimeUtc,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTimeUtc>,
    /// From which address it was last used.
    pub last_used_address: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<DateTimeUtc>,
    /// The access token that it was made to replace.
    pub replaces: Option<Uuid>,
}

impl Model {
    /// How it stands at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        if self.revoked_at.is_some() {
            State::Revoked
        } else if self.expires_at <= now {
            State::Expired
        } else if self.expires_at - WARNING <= now {
            State::ExpiresSoon
        } else {
            State::Active
        }
    }
}

impl Entity {
    /// The access token that `secret` is: who presents it is no viewer yet.
    pub fn by_secret(secret: &AccessTokenSecret) -> Select<Self> {
        Self::find().filter(Column::TokenHash.eq(secret.hash().to_vec()))
    }
}

/// An access token's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // It is for administrators, who are not limited.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows
    }
}
