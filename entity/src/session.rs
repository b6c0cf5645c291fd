//! A session: a member who signed in with a browser on our own origin.

use sea_orm::Condition;
use sea_orm::entity::prelude::*;

use crate::consent::hash;

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

impl Entity {
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
