//! An owner link: lets an owner who has no account here start one consent, and nothing else.

mod create_owner_link;
mod owner_links;
mod revoke_owner_link;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::{consent, owner_link};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QueryOrder};
use uuid::Uuid;

pub use create_owner_link::CreateOwnerLink;
pub use owner_links::OwnerLinks;
pub use revoke_owner_link::RevokeOwnerLink;

use super::batch::Batch;
use super::consent::Consent;
use super::ids::Kind;
use super::member::Member;
use super::scalars::DateTime;
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use super::subscription::AzureSubscription;
use super::tenant::Tenant;
use crate::permission::Permission;

/// How an owner link stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "OwnerLinkState", remote = "entity::owner_link::State")]
pub enum OwnerLinkState {
    /// An owner can still start the consent, as long as whoever created the link may ask for it.
    Open,
    /// The consent was granted.
    Used,
    /// It was revoked.
    Revoked,
    /// Past its expiry.
    Expired,
    /// It has started ten consents, and none was granted.
    Exhausted,
}

/// An owner link.
pub struct OwnerLink {
    row: owner_link::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
    members: Batch<Member>,
    subscriptions: Batch<AzureSubscription>,
    /// By the owner link's id.
    consents: Batch<Consent>,
}

impl Stored for OwnerLink {
    type Entity = owner_link::Entity;
    const READ: Permission = Permission::ReadConsents;
    const ID: owner_link::Column = owner_link::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            tenants: Batch::of(rows.iter().map(|row| row.tenant_id)),
            members: Batch::of(rows.iter().map(|row| row.created_by)),
            subscriptions: Batch::of(rows.iter().flat_map(|row| row.subscriptions.0.iter().copied())),
            consents: Batch::of(rows.iter().map(|row| row.id)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for OwnerLink {
    const KIND: Kind = Kind::OwnerLink;
}

/// Lets an owner who has no account here start one consent, and nothing else. The link is shown when it is created,
/// and never again. Needs the role `VIEWER`, or the scope `consents:read`; who is limited to single subscriptions of
/// a tenant sees none.
#[Object(name = "OwnerLink")]
impl OwnerLink {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What it is for. Whoever follows the link is not shown this.
    async fn note(&self) -> &str {
        &self.row.note
    }

    /// How its secret ends, to tell it by.
    async fn hint(&self) -> String {
        format!("…{}", self.row.last_four)
    }

    /// The tenant of its subscriptions.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<&Tenant> {
        self.siblings.tenants.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.tenant_id).await
    }

    /// The subscriptions that it asks an owner of to consent.
    async fn subscriptions(&self, ctx: &Context<'_>) -> Result<Vec<&AzureSubscription>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let mut found = Vec::with_capacity(self.row.subscriptions.0.len());
        for id in &self.row.subscriptions.0 {
            found.extend(self.siblings.subscriptions.find(scope, *id).await?);
        }
        Ok(found)
    }

    /// How it stands.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn state(&self, ctx: &Context<'_>) -> Result<OwnerLinkState> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        Ok(self.row.state(scope.services.clock.now()).into())
    }

    /// How many consents it has started; ten at most.
    async fn consents_started(&self) -> i32 {
        self.row.consents_started
    }

    /// The last consent that it has started; null: nobody has used it.
    async fn consent(&self, ctx: &Context<'_>) -> Option<&Consent> {
        let found = async {
            let scope = Scope::of(ctx, Permission::ReadConsents)?;
            self.siblings.consents.get(self.row.id, |links| started_by(scope, links)).await
        };
        or_null(ctx, found.await)
    }

    /// The member who created it, or who answers for the access token that did.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<&Member> {
        self.siblings.members.one(Scope::of(ctx, Permission::ReadMembers)?, self.row.created_by).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// Until when it is good.
    async fn expires_at(&self) -> DateTime {
        self.row.expires_at.into()
    }

    /// When a consent that it started was granted.
    async fn used_at(&self) -> Option<DateTime> {
        self.row.used_at.map(Into::into)
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.row.revoked_at.map(Into::into)
    }
}

/// The last consent that each of `links` started.
async fn started_by(scope: Scope<'_>, links: Vec<Uuid>) -> Result<HashMap<Uuid, Consent>, DbErr> {
    let rows = scope
        .owned::<consent::Entity>()
        .filter(consent::Column::OwnerLinkId.is_in(links))
        .order_by_asc(consent::Column::CreatedAt)
        .order_by_asc(consent::Column::Id)
        .all(scope.database())
        .await?;
    let links: Vec<_> = rows.iter().map(|row| row.owner_link_id).collect();
    let started = links.into_iter().zip(Consent::together(rows));
    // Of several, the newest is the last.
    Ok(started.filter_map(|(link, consent)| Some((link?, consent))).collect())
}
