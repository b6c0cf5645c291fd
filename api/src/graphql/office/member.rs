//! A member of a group.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use entity::office::membership::{self, Column};
use entity::office::user;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::OfficeUser;
use crate::graphql::batch::Batch;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::Guid;
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::{Row, Stored};
use crate::permission::Permission;

/// What a member of a group is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "GroupMemberKind", remote = "entity::office::membership::Kind")]
pub enum GroupMemberKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A device.
    Device,
    /// A service principal.
    ServicePrincipal,
    /// Something that Tenantry does not know.
    Other,
}

/// A member of a group.
pub struct GroupMember {
    row: membership::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    users: Batch<OfficeUser>,
}

impl Stored for GroupMember {
    type Entity = membership::Entity;
    const READ: Permission = Permission::ReadReports;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings { users: Batch::of(rows.iter().filter_map(user_id)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

/// The id of the user that a member is, if it is one.
fn user_id(row: &membership::Model) -> Option<Uuid> {
    (row.kind == membership::Kind::User).then(|| user::id_of(row.tenant_id, row.member_id))
}

/// A member of a group.
#[Object(name = "GroupMember")]
impl GroupMember {
    /// What it is.
    async fn kind(&self) -> GroupMemberKind {
        self.row.kind.into()
    }

    /// Microsoft's id of it.
    async fn entra_id(&self) -> Guid {
        self.row.member_id.into()
    }

    /// The user that it is; null if it is something else, or was not read yet.
    async fn user(&self, ctx: &Context<'_>) -> Option<&OfficeUser> {
        let id = user_id(&self.row)?;
        or_null(
            ctx,
            async { self.siblings.users.find(Scope::of(ctx, Permission::ReadReports)?, id).await }.await,
        )
    }
}

/// A page of the members that `which` names, by Microsoft's ids: in the order of an index.
pub async fn list(scope: Scope<'_>, which: Expr, paging: &Paging) -> Result<Connection<GroupMember>> {
    let list = scope.owned().filter(which);
    let sort = Sort {
        name: "member",
        expression: Expr::col(Column::MemberId.as_column_ref()),
        key: KeyOf::Id(|row: &membership::Model| row.member_id),
        direction: OrderDirection::Asc,
    };
    page(scope, list, sort, paging).await
}
