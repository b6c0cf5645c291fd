//! An invitation: a one-time link by which a person becomes a member.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Set;
use sea_orm::entity::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use crate::consent::hash;
use crate::member::Role;

/// How long an invitation is good for.
pub const LIFETIME: TimeDelta = TimeDelta::days(7);

/// One invitation.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// SHA-256 of the secret in the link.
    pub token_hash: Vec<u8>,
    /// What the invited person is called until they say themselves.
    pub display_name: String,
    /// The role that the person gets.
    pub role: Role,
    /// Whether the person will reach only what the invitation's [reach](crate::reach) says.
    pub limited: bool,
    /// The member who invited; none: the command line did, for the first member.
    pub invited_by: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Until when the link is good.
    pub expires_at: DateTimeUtc,
    /// When it was accepted.
    pub accepted_at: Option<DateTimeUtc>,
    /// The member that came of it.
    pub accepted_by: Option<Uuid>,
    /// When it was revoked.
    pub revoked_at: Option<DateTimeUtc>,
}

/// How an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody can still accept it.
    Open,
    /// Somebody did.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Past its expiry.
    Expired,
}

/// Whom an invitation is for.
pub struct Guest {
    /// The organization.
    pub organization_id: Uuid,
    /// What the person is called until they say themselves.
    pub display_name: String,
    /// The role that the person gets.
    pub role: Role,
    /// Whether the person will reach only what the invitation's [reach](crate::reach) says.
    pub limited: bool,
    /// The member who invites; none: the command line.
    pub invited_by: Option<Uuid>,
}

impl Guest {
    /// An open invitation, and the secret for its link, which nobody can be told again.
    pub fn invited(self, now: DateTime<Utc>) -> (ActiveModel, SecretString) {
        let secret = SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let invitation = ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(self.organization_id),
            token_hash: Set(hash(secret.expose_secret())),
            display_name: Set(self.display_name),
            role: Set(self.role),
            limited: Set(self.limited),
            invited_by: Set(self.invited_by),
            created_at: Set(now),
            expires_at: Set(now + LIFETIME),
            accepted_at: Set(None),
            accepted_by: Set(None),
            revoked_at: Set(None),
        };
        (invitation, secret)
    }
}

impl Model {
    /// How it stands at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        if self.accepted_at.is_some() {
            State::Accepted
        } else if self.revoked_at.is_some() {
            State::Revoked
        } else if self.expires_at <= now {
            State::Expired
        } else {
            State::Open
        }
    }

    /// Whether somebody can still accept it at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.state(now) == State::Open
    }
}

impl Entity {
    /// The invitation whose link carries `secret`: who follows it is no viewer yet.
    pub fn by_secret(secret: &str) -> Select<Self> {
        Self::find().filter(Column::TokenHash.eq(hash(secret)))
    }
}

/// An invitation's relations are reached by id.
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
