//! A member: a person who signs in, with a role in the organization.

mod change_member;
mod members;
mod remove_member;
mod sign_out_everywhere;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::member;
use uuid::Uuid;

pub use change_member::ChangeMember;
pub(super) use change_member::{check_reach, nothing_there};
pub use members::Members;
pub use remove_member::RemoveMember;
pub use sign_out_everywhere::SignOutEverywhere;

use super::ids::Kind;
use super::reach::{self, Reach, Reaches};
use super::scalars::DateTime;
use super::scope::Scope;
use super::stored::{Identified, Row, Stored};
use crate::permission::Permission;

/// What a member may do; each role includes the ones before it.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "Role", remote = "entity::member::Role")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Starts work.
    Editor,
    /// Decides who may do what.
    Admin,
}

/// A member.
pub struct Member {
    row: member::Model,
    siblings: Arc<Reaches>,
}

impl Stored for Member {
    type Entity = member::Entity;
    const READ: Permission = Permission::ReadMembers;
    const ID: member::Column = member::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Reaches::of(rows.iter().map(|row| row.id)));
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Member {
    const KIND: Kind = Kind::Member;
}

/// A person who signs in, with a role in the organization. Needs the role `VIEWER`, or the scope
/// `members:read`.
#[Object(name = "Member")]
impl Member {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What others call this person.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// What this person may do.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// What this person reaches.
    async fn reach(&self, ctx: &Context<'_>) -> Result<Reach> {
        let scope = Scope::of(ctx, Permission::ReadMembers)?;
        reach::of(scope, &self.siblings, self.row.id, self.row.limited).await
    }

    /// When this person became a member.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When this person was removed; what they did keeps their name.
    async fn removed_at(&self) -> Option<DateTime> {
        self.row.removed_at.map(Into::into)
    }
}
