//! An invitation: a one-time link by which a person becomes a member.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;

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

impl Model {
    /// Whether somebody can still accept it at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
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
