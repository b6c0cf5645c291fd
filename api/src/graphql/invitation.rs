//! An invitation: a one-time link by which a person becomes a member.

mod invitations;
mod invite_member;
mod revoke_invitation;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::invitation;
use uuid::Uuid;

pub use invitations::Invitations;
pub use invite_member::InviteMember;
pub use revoke_invitation::RevokeInvitation;

use super::batch::Batch;
use super::ids::Kind;
use super::member::{Member, Role};
use super::reach::{self, Reach, Reaches};
use super::scalars::DateTime;
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use crate::permission::Permission;

/// How an invitation stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "InvitationState", remote = "entity::invitation::State")]
pub enum InvitationState {
    /// Somebody can still accept it.
    Open,
    /// Somebody did.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Past its expiry.
    Expired,
}

/// An invitation.
pub struct Invitation {
    row: invitation::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    members: Batch<Member>,
    reaches: Reaches,
}

impl Stored for Invitation {
    type Entity = invitation::Entity;
    const READ: Permission = Permission::ReadInvitations;
    const ID: invitation::Column = invitation::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let members = rows.iter().flat_map(|row| [row.invited_by, row.accepted_by]).flatten();
        let siblings = Arc::new(Siblings {
            members: Batch::of(members),
            reaches: Reaches::of(rows.iter().map(|row| row.id)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Invitation {
    const KIND: Kind = Kind::Invitation;
}

impl Invitation {
    async fn member(&self, ctx: &Context<'_>, id: Option<Uuid>) -> Option<&Member> {
        let id = id?;
        let found = async { self.siblings.members.find(Scope::of(ctx, Permission::ReadMembers)?, id).await };
        or_null(ctx, found.await)
    }
}

/// A one-time link by which a person becomes a member. The link is shown when the invitation is made, and never
/// again. Needs the role `ADMIN`; no access token may do it.
#[Object(name = "Invitation")]
impl Invitation {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What the invited person is called until they say themselves.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// What the person will be able to do.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// What the person will reach. Of an invitation that was accepted: see the member.
    async fn reach(&self, ctx: &Context<'_>) -> Result<Reach> {
        let scope = Scope::of(ctx, Permission::ReadInvitations)?;
        reach::of(scope, &self.siblings.reaches, self.row.id, self.row.limited).await
    }

    /// How it stands.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn state(&self, ctx: &Context<'_>) -> Result<InvitationState> {
        let scope = Scope::of(ctx, Permission::ReadInvitations)?;
        Ok(self.row.state(scope.services.clock.now()).into())
    }

    /// Who invited; null: the command line did, for the first member.
    async fn invited_by(&self, ctx: &Context<'_>) -> Option<&Member> {
        self.member(ctx, self.row.invited_by).await
    }

    /// The member that came of it.
    async fn accepted_by(&self, ctx: &Context<'_>) -> Option<&Member> {
        self.member(ctx, self.row.accepted_by).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// Until when the link is good.
    async fn expires_at(&self) -> DateTime {
        self.row.expires_at.into()
    }
}
