//! The viewer of a request: on whose behalf, and within which limits, it is answered.

use entity::access_token::AccessScopes;
use entity::audit_event::{self, Author};
use entity::member::Role;
use uuid::Uuid;

/// Who asks: somebody in the organization whose rows, and no others, it can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The isolation boundary.
    pub organization_id: Uuid,
    /// The member who asks, or who answers for the access token that does.
    pub member_id: Uuid,
    /// What it is, and what it may do.
    pub actor: Actor,
    /// Who is limited: the holder of its [reach](entity::reach). None: it reaches everything.
    pub limited_by: Option<Uuid>,
}

/// What a viewer is, and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A member of this role.
    Member(Role),
    /// An access token.
    AccessToken {
        /// Which.
        id: Uuid,
        /// What it may do.
        scopes: AccessScopes,
    },
}

impl Viewer {
    /// A member as it is stored.
    pub fn of_member(member: &entity::member::Model) -> Self {
        Self {
            organization_id: member.organization_id,
            member_id: member.id,
            actor: Actor::Member(member.role),
            limited_by: member.limited.then_some(member.id),
        }
    }

    /// An access token as it is stored.
    pub fn of_access_token(token: &entity::access_token::Model) -> Self {
        Self {
            organization_id: token.organization_id,
            member_id: token.created_by,
            actor: Actor::AccessToken { id: token.id, scopes: token.scopes },
            limited_by: token.limited.then_some(token.id),
        }
    }

    /// The viewer as the audit knows it, asking from `origin`.
    pub fn author(&self, origin: Option<&Origin>) -> Author {
        let actor = match self.actor {
            Actor::Member(_) => audit_event::Actor::Member(self.member_id),
            Actor::AccessToken { id, .. } => audit_event::Actor::AccessToken(id),
        };
        origin.cloned().unwrap_or_default().author(self.organization_id, actor)
    }

    /// Whether it is an administrator.
    pub fn is_admin(&self) -> bool {
        self.actor == Actor::Member(Role::Admin)
    }
}

/// Where a request comes from: for the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as it is known.
    pub address: Option<String>,
    /// The request's trace id.
    pub request_id: String,
}

impl Origin {
    /// `actor` as the audit knows it, asking from here.
    pub fn author(self, organization_id: Uuid, actor: audit_event::Actor) -> Author {
        let request_id = Some(self.request_id).filter(|id| !id.is_empty());
        Author { organization_id, actor, address: self.address, request_id }
    }
}
