//! An access token: what a partner integration presents.

mod access_tokens;
mod create_access_token;
mod revoke_access_token;
mod rotate_access_token;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::access_token;
use uuid::Uuid;

pub use access_tokens::AccessTokens;
pub use create_access_token::CreateAccessToken;
pub use revoke_access_token::RevokeAccessToken;
pub use rotate_access_token::RotateAccessToken;

use super::batch::Batch;
use super::ids::Kind;
use super::scalars::DateTime;
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use super::tenant::Tenant;
use super::viewer::Member;
use crate::permission::Permission;

/// What an access token may do.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AccessScope", remote = "entity::access_token::AccessScope")]
pub enum AccessScope {
    /// `inventory:read`: read tenants, subscriptions, role assignments, resources and tags.
    InventoryRead,
    /// `inventory:scan`: start scans.
    InventoryScan,
    /// `operations:read`: read and follow operations.
    OperationsRead,
    /// `operations:write`: cancel and retry operations.
    OperationsWrite,
    /// `consents:read`: read consents.
    ConsentsRead,
    /// `consents:write`: ask for consents.
    ConsentsWrite,
    /// `tags:write`: assign, change and remove tags.
    TagsWrite,
    /// `reports:read`: read Office 365 reports, users and groups.
    ReportsRead,
    /// `members:read`: read members.
    MembersRead,
    /// `enrollment-keys:read`: read enrollment keys' states, never the keys.
    EnrollmentKeysRead,
    /// `audit:read`: read and export the audit.
    AuditRead,
}

/// How an access token stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "AccessTokenState", remote = "entity::access_token::State")]
pub enum AccessTokenState {
    /// Good.
    Active,
    /// Good for two more weeks at most: rotate it.
    ExpiresSoon,
    /// Past its expiry.
    Expired,
    /// Revoked.
    Revoked,
}

/// An access token.
pub struct AccessToken {
    row: access_token::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    members: Batch<Member>,
}

impl Stored for AccessToken {
    type Entity = access_token::Entity;
    const READ: Permission = Permission::ReadAccessTokens;
    const ID: access_token::Column = access_token::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings { members: Batch::of(rows.iter().map(|row| row.created_by)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for AccessToken {
    const KIND: Kind = Kind::AccessToken;
}

/// What a partner integration presents. Its secret is shown when it is created, and never again. Needs the
/// role `ADMIN`; no access token may do it, but each sees itself.
#[Object(name = "AccessToken")]
impl AccessToken {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// How it begins and ends, to tell it by.
    async fn hint(&self) -> String {
        format!("{}…{}", access_token::secret::PREFIX, self.row.last_four)
    }

    /// What it may do.
    async fn scopes(&self) -> Vec<AccessScope> {
        self.row.scopes.iter().map(Into::into).collect()
    }

    /// How it stands.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn state(&self, ctx: &Context<'_>) -> Result<AccessTokenState> {
        let scope = Scope::of(ctx, Permission::KnowOneself)?;
        Ok(self.row.state(scope.services.clock.now()).into())
    }

    /// The tenants that it is limited to; null: it reaches all of them, future ones included.
    async fn tenants(&self, ctx: &Context<'_>) -> Option<Vec<Tenant>> {
        let found = async {
            if !self.row.limited {
                return Ok(None);
            }
            let scope = Scope::of(ctx, Permission::KnowOneself)?;
            access_tokens::reached(scope, self.row.id).await.map(Some)
        };
        or_null(ctx, found.await)
    }

    /// The member who created it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<&Member> {
        self.siblings.members.one(Scope::of(ctx, Permission::ReadMembers)?, self.row.created_by).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When it expires.
    async fn expires_at(&self) -> DateTime {
        self.row.expires_at.into()
    }

    /// When it was last used, to the minute; null: never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.row.last_used_at.map(Into::into)
    }

    /// From which address it was last used.
    async fn last_used_address(&self) -> Option<&str> {
        self.row.last_used_address.as_deref()
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.row.revoked_at.map(Into::into)
    }

    /// The access token that this one was made to replace.
    async fn replaces(&self) -> Option<ID> {
        self.row.replaces.map(|id| Self::KIND.id(id))
    }
}
