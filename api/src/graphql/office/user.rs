//! A user of a tenant, as its directory has it.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject, Union};
use chrono::{DateTime as Moment, Utc};
use entity::office::{connection, feed, user};
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use uuid::Uuid;

use super::OfficeGroup;
use super::groups::{self, OfficeGroupOrder};
use super::permission::{NotGranted, SIGN_INS};
use super::purchased::{self, Products};
use super::user_licences::{self, OfficeLicence};
use crate::graphql::batch::Batch;
use crate::graphql::ids::Kind;
use crate::graphql::int;
use crate::graphql::pager::{Connection, Paging};
use crate::graphql::scalars::{DateTime, Guid};
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Identified, Row, Stored};
use crate::graphql::tenant::Tenant;
use crate::permission::Permission;

/// A user.
pub struct OfficeUser {
    row: user::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
    licences: Batch<Vec<Uuid>>,
    bought: Batch<Products>,
    sign_ins: Batch<SignIns>,
}

/// How far a tenant's sign-ins are known.
struct SignIns {
    is_granted: bool,
    read_at: Option<Moment<Utc>>,
}

impl Stored for OfficeUser {
    type Entity = user::Entity;
    const READ: Permission = Permission::ReadReports;
    const ID: user::Column = user::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let tenants = || rows.iter().map(|row| row.tenant_id);
        let siblings = Arc::new(Siblings {
            tenants: Batch::of(tenants()),
            licences: Batch::of(rows.iter().map(|row| row.id)),
            bought: Batch::of(tenants()),
            sign_ins: Batch::of(tenants()),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for OfficeUser {
    const KIND: Kind = Kind::OfficeUser;
}

/// When a user signed in last, or why that is not known.
#[derive(Union)]
#[graphql(name = "LastSignIn")]
pub enum LastSignIn {
    /// It may be known.
    SignIn(SignIn),
    /// The permission is not granted.
    NotGranted(NotGranted),
}

/// When a user signed in last.
#[derive(SimpleObject)]
#[graphql(name = "SignIn")]
pub struct SignIn {
    /// When it was, whether it succeeded or not; null: never, or Microsoft does not say.
    at: Option<DateTime>,
    /// When that was read; null: not yet.
    read_at: Option<DateTime>,
}

/// A user of a tenant, as its directory has it. Needs the role `VIEWER`, or the scope `reports:read`.
#[Object(name = "OfficeUser")]
impl OfficeUser {
    /// Its id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// The tenant.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<&Tenant> {
        self.siblings.tenants.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.tenant_id).await
    }

    /// Microsoft's id of it.
    async fn entra_user_id(&self) -> Guid {
        self.row.entra_user_id.into()
    }

    /// The name that people see.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// The name to sign in with.
    async fn principal_name(&self) -> &str {
        &self.row.principal_name
    }

    /// The e-mail address.
    async fn mail(&self) -> Option<&str> {
        self.row.mail.as_deref()
    }

    /// Whether the user may sign in.
    async fn is_enabled(&self) -> bool {
        self.row.is_enabled
    }

    /// Whether the user belongs to another tenant.
    async fn is_guest(&self) -> bool {
        self.row.is_guest
    }

    /// The department.
    async fn department(&self) -> Option<&str> {
        self.row.department.as_deref()
    }

    /// The country, as two letters, whose law decides which services may be used.
    async fn usage_location(&self) -> Option<&str> {
        self.row.usage_location.as_deref()
    }

    /// When the account was made.
    async fn created_at(&self) -> Option<DateTime> {
        self.row.entra_created_at.map(Into::into)
    }

    /// When the user signed in last, or that the permission for that is not granted.
    async fn last_sign_in(&self, ctx: &Context<'_>) -> Result<LastSignIn> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let known = self.siblings.sign_ins.get(self.row.tenant_id, |ids| sign_ins(scope, ids)).await?;
        Ok(match known {
            Some(known) if known.is_granted => LastSignIn::SignIn(SignIn {
                at: self.row.last_sign_in_at.map(Into::into),
                read_at: known.read_at.map(Into::into),
            }),
            _ => LastSignIn::NotGranted(NotGranted { permission: SIGN_INS }),
        })
    }

    /// How many licences are assigned.
    async fn licence_count(&self) -> i32 {
        int(self.row.licence_count)
    }

    /// The licences that are assigned.
    async fn licences(&self, ctx: &Context<'_>) -> Result<Vec<OfficeLicence>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let read = |ids| user_licences::of_users(scope, ids);
        let licences = self.siblings.licences.get(self.row.id, read).await?;
        let read = |ids| purchased::of_tenants(scope, ids);
        let bought = self.siblings.bought.get(self.row.tenant_id, read).await?;
        Ok(licences.into_iter().flatten().map(|sku_id| OfficeLicence::of(*sku_id, bought)).collect())
    }

    /// The groups of which the user is a direct member, by name.
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OfficeGroup>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let of_user = groups::of_user(scope, &self.row);
        let paging = Paging { first, after, last, before };
        groups::list(scope, of_user, &OfficeGroupOrder::default(), &paging).await
    }

    /// When it was first seen here.
    async fn first_seen_at(&self) -> DateTime {
        self.row.first_seen_at.into()
    }

    /// When it was last seen to have changed.
    async fn changed_at(&self) -> DateTime {
        self.row.changed_at.into()
    }

    /// When it was found to be gone; null while it is there.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(Into::into)
    }
}

async fn sign_ins(scope: Scope<'_>, tenants: Vec<Uuid>) -> Result<HashMap<Uuid, SignIns>, DbErr> {
    let feeds = tenants.iter().map(|tenant| feed::id_of(*tenant, feed::Kind::SignIns, 0));
    let feeds = scope.owned::<feed::Entity>().filter(feed::Column::Id.is_in(feeds));
    let feeds = feeds.all(scope.database()).await?;
    let read_at: HashMap<_, _> = feeds.into_iter().map(|feed| (feed.tenant_id, feed.loaded_at)).collect();
    let connections = scope.owned::<connection::Entity>().filter(connection::Column::TenantId.is_in(tenants));
    let connections = connections.all(scope.database()).await?;
    let known = |row: &connection::Model| SignIns {
        is_granted: row.may(SIGN_INS),
        read_at: read_at.get(&row.tenant_id).copied().flatten(),
    };
    Ok(connections.iter().map(|row| (row.tenant_id, known(row))).collect())
}

/// Where in a batch the user of a tenant is who has this name, folded.
pub fn key_of(tenant_id: Uuid, folded_name: &str) -> Uuid {
    Uuid::new_v5(&tenant_id, folded_name.as_bytes())
}

/// The users of one tenant who have these names, folded, by [`key_of`]. Of several with the same name, which only who
/// was deleted can have too, the one who is there.
pub async fn by_names(
    scope: Scope<'_>,
    tenant_id: Uuid,
    names: Vec<String>,
) -> Result<HashMap<Uuid, OfficeUser>, DbErr> {
    let users = scope
        .owned::<user::Entity>()
        .filter(user::Column::TenantId.eq(tenant_id))
        .filter(user::Column::FoldedName.is_in(names))
        .filter(user::Column::DeletedAt.is_null());
    let rows = users.all(scope.database()).await?;
    let users = OfficeUser::together(rows).into_iter();
    Ok(users.map(|user| (key_of(tenant_id, &user.row.folded_name), user)).collect())
}
