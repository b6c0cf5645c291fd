//! A consent: one grant by a consenting user, with a window.

mod add_subscriptions;
mod close_window;
mod consents;
mod follow_consent;
mod open_windows;
mod receipt;
mod start_consent;
mod verify_receipt;
mod window;
mod work;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use entity::{consent, operation};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QueryOrder};
use uuid::Uuid;

pub use add_subscriptions::AddSubscriptions;
pub use close_window::CloseWindow;
pub use consents::Consents;
pub use follow_consent::FollowConsent;
pub use open_windows::{keep_windows_open, open_windows};
pub use start_consent::StartConsent;
pub use verify_receipt::VerifyReceipt;

use super::batch::Batch;
use super::failure::Failure;
use super::ids::Kind;
use super::operation::Operation;
use super::owner_link::OwnerLink;
use super::scalars::{DateTime, Guid};
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored};
use super::subscription::AzureSubscription;
use super::tenant::Tenant;
use crate::permission::Permission;
use receipt::{Receipt, Receipts};
use window::ConsentWindow;
use work::ConsentWork;

/// What is consented for.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "ConsentKind", remote = "entity::consent::Kind")]
pub enum ConsentKind {
    /// Azure subscriptions, by impersonating the consenting user for the window.
    #[default]
    Azure,
    /// Users, groups and reports of Office 365, by permissions of Tenantry's service principal. Only an administrator of
    /// the tenant can grant them; there is no window.
    #[graphql(name = "OFFICE_365")]
    Office365,
}

/// Where a consent stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConsentState", remote = "entity::consent::State")]
pub enum ConsentState {
    /// Asked for; nobody has come back yet.
    Pending,
    /// Somebody came back, and Microsoft is being asked for the token.
    Returned,
    /// Granted; of an `AZURE` consent the window is open until `closesAt`.
    Granted,
    /// Refused, cancelled, or not acceptable; `failure` says which.
    Refused,
    /// Nobody came back in time.
    Expired,
    /// The window has closed and the delegated token is erased.
    Closed,
}

/// A consent.
pub struct Consent {
    row: consent::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
    /// By the consent's id.
    operations: Batch<Operation>,
    owner_links: Batch<OwnerLink>,
    /// Those that the consents name.
    subscriptions: Batch<AzureSubscription>,
    receipts: Arc<Receipts>,
}

impl Stored for Consent {
    type Entity = consent::Entity;
    const READ: Permission = Permission::ReadConsents;
    const ID: consent::Column = consent::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let named = rows.iter().filter_map(|row| row.work.as_ref()).flat_map(work::shown);
        let siblings = Arc::new(Siblings {
            tenants: Batch::of(rows.iter().filter_map(|row| row.tenant_id)),
            operations: Batch::of(rows.iter().map(|row| row.id)),
            owner_links: Batch::of(rows.iter().filter_map(|row| row.owner_link_id)),
            subscriptions: Batch::of(named.copied()),
            receipts: Arc::new(Receipts::of(&rows)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for Consent {
    const KIND: Kind = Kind::Consent;
}

/// One grant by a consenting user, with a window. Needs the role `VIEWER`, or the scope `consents:read`.
#[Object(name = "Consent")]
impl Consent {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What is consented for.
    async fn kind(&self) -> ConsentKind {
        self.row.kind.into()
    }

    /// Where it stands.
    async fn state(&self) -> ConsentState {
        self.row.state.into()
    }

    /// Microsoft's id of the tenant that it was asked for.
    async fn entra_tenant_id(&self) -> Guid {
        self.row.entra_tenant_id.into()
    }

    /// The tenant; null until it is granted.
    async fn tenant(&self, ctx: &Context<'_>) -> Option<&Tenant> {
        let tenant_id = self.row.tenant_id?;
        let found =
            async { self.siblings.tenants.find(Scope::of(ctx, Permission::ReadInventory)?, tenant_id).await };
        or_null(ctx, found.await)
    }

    /// The operation that it began last; null until it is granted, and while nothing was asked for in its window.
    async fn operation(&self, ctx: &Context<'_>) -> Option<&Operation> {
        let found = async {
            let scope = Scope::of(ctx, Permission::ReadOperations)?;
            self.siblings.operations.get(self.row.id, |consents| begun_by(scope, consents)).await
        };
        or_null(ctx, found.await)
    }

    /// What it begins once it is granted.
    async fn work(&self) -> ConsentWork<'_> {
        ConsentWork { work: self.row.work(), subscriptions: &self.siblings.subscriptions }
    }

    /// The owner link that started it; null: a member or an access token did.
    async fn owner_link(&self, ctx: &Context<'_>) -> Option<&OwnerLink> {
        let id = self.row.owner_link_id?;
        let found =
            async { self.siblings.owner_links.find(Scope::of(ctx, Permission::ReadConsents)?, id).await };
        or_null(ctx, found.await)
    }

    /// Why it was refused.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// Until when the consenting user may come back.
    async fn expires_at(&self) -> DateTime {
        self.row.expires_at.into()
    }

    /// When it was granted: then the window opened.
    async fn granted_at(&self) -> Option<DateTime> {
        self.row.granted_at.map(Into::into)
    }

    /// When the window closes, or has closed, at the latest; null until it is granted.
    async fn closes_at(&self) -> Option<DateTime> {
        self.row.window_closes_at.map(Into::into)
    }

    /// The time in which Tenantry may act as the consenting user; null until it is granted.
    async fn window(&self, ctx: &Context<'_>) -> Option<ConsentWindow> {
        let now = Scope::of(ctx, Permission::ReadConsents).map(|scope| scope.services.clock.now());
        or_null(ctx, now.map(|now| ConsentWindow::of(&self.row, now)))
    }

    /// When the delegated token was erased; null while it is held.
    async fn erased_at(&self) -> Option<DateTime> {
        self.row.erased_at.map(Into::into)
    }

    /// Every call that was made while impersonating the consenting user. Null until it is granted, and for whoever is
    /// limited to some subscriptions of the tenant: it tells of all of them.
    async fn receipt(&self, ctx: &Context<'_>) -> Option<Receipt> {
        or_null(ctx, Receipts::find(&self.siblings.receipts, ctx, &self.row).await)
    }
}

/// The operation that each of `consents` began.
async fn begun_by(scope: Scope<'_>, consents: Vec<Uuid>) -> Result<HashMap<Uuid, Operation>, DbErr> {
    let rows = scope
        .owned::<operation::Entity>()
        .filter(operation::Column::ConsentId.is_in(consents))
        .order_by_asc(operation::Column::CreatedAt)
        .order_by_asc(operation::Column::Id)
        .all(scope.database())
        .await?;
    let consents: Vec<_> = rows.iter().map(|row| row.consent_id).collect();
    let begun = consents.into_iter().zip(Operation::together(rows));
    // Of several, the newest is the last.
    Ok(begun.filter_map(|(consent, operation)| Some((consent?, operation))).collect())
}
