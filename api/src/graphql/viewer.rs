//! Who asks: the viewer, its member and its organization.

mod change_organization;

use async_graphql::{Context, ID, Object, Result};
use entity::organization;
use uuid::Uuid;

pub use change_organization::ChangeOrganization;

use super::access_token::AccessToken;
use super::ids::Kind;
use super::member::Member;
use super::scalars::DateTime;
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored, find_row};
use super::tag_name::ConflictPolicy;
use crate::error::ErrorCode;
use crate::permission::Permission;
use crate::viewer::Actor;

/// The query of this file.
#[derive(Default)]
pub struct Viewers;

#[Object(name = "ViewerQuery")]
impl Viewers {
    /// Who asks. Needs any role, or any access token.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn viewer(&self, ctx: &Context<'_>) -> Result<ViewerObject> {
        Scope::of(ctx, Permission::KnowOneself).map(|_| ViewerObject)
    }
}

/// Who asks.
pub struct ViewerObject;

/// Who asks: a member or an access token, in the organization whose things it can see.
#[Object(name = "Viewer")]
impl ViewerObject {
    /// The organization that everything shown belongs to.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        let scope = Scope::of(ctx, Permission::KnowOneself)?;
        let found = find_row(scope, scope.viewer.organization_id).await?;
        found.ok_or_else(gone)
    }

    /// The member who signed in; null for an access token.
    async fn member(&self, ctx: &Context<'_>) -> Option<Member> {
        let found = async {
            let scope = Scope::of(ctx, Permission::KnowOneself)?;
            match scope.viewer.actor {
                Actor::Member(_) => find_row(scope, scope.viewer.member_id).await?.ok_or_else(gone).map(Some),
                Actor::AccessToken { .. } => Ok(None),
            }
        };
        or_null(ctx, found.await)
    }

    /// The access token that was presented; null for a member.
    async fn access_token(&self, ctx: &Context<'_>) -> Option<AccessToken> {
        let found = async {
            let scope = Scope::of(ctx, Permission::KnowOneself)?;
            match scope.viewer.actor {
                Actor::Member(_) => Ok(None),
                Actor::AccessToken { id, .. } => find_row(scope, id).await?.ok_or_else(gone).map(Some),
            }
        };
        or_null(ctx, found.await)
    }
}

fn gone() -> async_graphql::Error {
    ErrorCode::Unauthenticated.error("The member whom this token names is gone. Sign in again.")
}

/// An organization.
pub struct Organization(organization::Model);

impl Stored for Organization {
    type Entity = organization::Entity;
    const READ: Permission = Permission::KnowOneself;
    const ID: organization::Column = organization::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        rows.into_iter().map(Self).collect()
    }
}

impl Identified for Organization {
    const KIND: Kind = Kind::Organization;
}

/// A customer account: the isolation boundary. Needs any role, or any access token.
#[Object(name = "Organization")]
impl Organization {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.0.id)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Whether Reader stays beside Tag Contributor where tags are written.
    async fn keep_reader(&self) -> bool {
        self.0.keep_reader
    }

    /// What happens in conflicts of tags about whose names nothing else is decided.
    async fn conflict_policy(&self) -> ConflictPolicy {
        self.0.conflict_policy.into()
    }
}
