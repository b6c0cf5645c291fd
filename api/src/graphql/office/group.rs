//! A group of a tenant, as its directory has it.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::office::group::{self, Column};
use entity::office::membership;
use sea_orm::ColumnTrait;
use uuid::Uuid;

use super::member::{self, GroupMember};
use crate::graphql::batch::Batch;
use crate::graphql::ids::Kind;
use crate::graphql::int;
use crate::graphql::pager::{Connection, Paging};
use crate::graphql::scalars::{DateTime, Guid};
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Identified, Row, Stored};
use crate::graphql::tenant::Tenant;
use crate::permission::Permission;

/// What a group is for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "OfficeGroupKind", remote = "entity::office::group::Kind")]
pub enum OfficeGroupKind {
    /// Shares a mailbox, files and often a team.
    #[graphql(name = "MICROSOFT_365")]
    Microsoft365,
    /// Rights are given to it.
    Security,
    /// Rights are given to it, and it takes mail.
    MailEnabledSecurity,
    /// Passes mail on.
    Distribution,
}

/// A group.
pub struct OfficeGroup {
    row: group::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    tenants: Batch<Tenant>,
}

impl Stored for OfficeGroup {
    type Entity = group::Entity;
    const READ: Permission = Permission::ReadReports;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings { tenants: Batch::of(rows.iter().map(|row| row.tenant_id)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for OfficeGroup {
    const KIND: Kind = Kind::OfficeGroup;
}

/// A group of a tenant, as its directory has it. Needs the role `VIEWER`, or the scope `reports:read`.
#[Object(name = "OfficeGroup")]
impl OfficeGroup {
    /// Its id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// The tenant.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<&Tenant> {
        self.siblings.tenants.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.tenant_id).await
    }

    /// Microsoft's id of it.
    async fn entra_group_id(&self) -> Guid {
        self.row.entra_group_id.into()
    }

    /// The name that people see.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// What it is for.
    async fn kind(&self) -> OfficeGroupKind {
        self.row.kind.into()
    }

    /// Whether it has a mailbox or takes mail.
    async fn is_mail_enabled(&self) -> bool {
        self.row.is_mail_enabled
    }

    /// Whether rights can be given to it.
    async fn is_security_enabled(&self) -> bool {
        self.row.is_security_enabled
    }

    /// The rule by which its members are found, if it has one.
    async fn membership_rule(&self) -> Option<&str> {
        self.row.membership_rule.as_deref()
    }

    /// How many direct members it has, of every kind.
    async fn member_count(&self) -> i32 {
        int(self.row.member_count)
    }

    /// When it was made.
    async fn created_at(&self) -> Option<DateTime> {
        self.row.entra_created_at.map(Into::into)
    }

    /// Its direct members, of every kind.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<GroupMember>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let direct = membership::Column::GroupId.eq(self.row.id);
        member::list(scope, direct, &Paging { first, after, last, before }).await
    }

    /// Its members, and those of the groups that are in it, each once.
    async fn transitive_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<GroupMember>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let all = membership::transitive(scope.backend(), self.row.id);
        member::list(scope, all, &Paging { first, after, last, before }).await
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
