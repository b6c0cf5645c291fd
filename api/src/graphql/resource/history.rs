//! What has changed of a resource, and by whom.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::resource_change::{self, Column};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use crate::graphql::batch::Batch;
use crate::graphql::change_set::ChangeSet;
use crate::graphql::member::Member;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::{Identified, Row, Stored};
use crate::graphql::text;
use crate::permission::Permission;

/// What has changed.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ResourceChangeField", remote = "entity::resource_change::Field")]
pub enum ResourceChangeField {
    /// A tag.
    Tag,
    /// The name.
    Name,
    /// The kind.
    Kind,
    /// The location.
    Location,
    /// The SKU.
    Sku,
    /// What manages it.
    ManagedBy,
    /// Whether it is there: `true` where it was not seen any more.
    Deleted,
}

/// Who changed it.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ResourceChangeOrigin", remote = "entity::resource_change::Origin")]
pub enum ResourceChangeOrigin {
    /// Somebody or something in Azure.
    Azure,
    /// A member, here.
    Portal,
    /// An Azure policy, right when a member changed it here.
    Policy,
}

/// A change.
pub struct ResourceChange {
    row: resource_change::Model,
    members: Arc<Batch<Member>>,
}

impl Stored for ResourceChange {
    type Entity = resource_change::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let members = Arc::new(Batch::of(rows.iter().filter_map(|row| row.member_id)));
        rows.into_iter().map(|row| Self { row, members: Arc::clone(&members) }).collect()
    }
}

/// A change of one field or one tag of a resource. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "ResourceChange")]
impl ResourceChange {
    /// When it was made here, or seen by a scan.
    async fn at(&self) -> DateTime {
        self.row.at.into()
    }

    /// What has changed.
    async fn field(&self) -> ResourceChangeField {
        self.row.field.into()
    }

    /// The tag's name, if it is a tag.
    async fn tag_name(&self) -> Option<&str> {
        self.row.tag_name.as_deref()
    }

    /// The value before; null: it was not there.
    async fn before(&self) -> Option<&str> {
        self.row.before.as_deref()
    }

    /// The value since; null: it is not there any more.
    async fn after(&self) -> Option<&str> {
        self.row.after.as_deref()
    }

    /// Who changed it.
    async fn origin(&self) -> ResourceChangeOrigin {
        self.row.origin.into()
    }

    /// The id of the change set that changed it, if one did.
    async fn change_set_id(&self) -> Option<ID> {
        self.row.change_set_id.map(|id| ChangeSet::KIND.id(id))
    }

    /// The member who planned that; null if you may not read members, or the member is gone.
    async fn member(&self, ctx: &Context<'_>) -> Option<&Member> {
        let id = self.row.member_id?;
        let found = async { self.members.find(Scope::of(ctx, Permission::ReadMembers)?, id).await };
        or_null(ctx, found.await)
    }
}

/// A page of the changes of a resource.
pub async fn list(
    ctx: &Context<'_>,
    resource_id: Uuid,
    tag: Option<&str>,
    paging: &Paging,
) -> Result<Connection<ResourceChange>> {
    let scope = Scope::of(ctx, Permission::ReadInventory)?;
    let mut changes = scope.owned::<resource_change::Entity>().filter(Column::ResourceId.eq(resource_id));
    if let Some(tag) = tag {
        text::check("tag", tag)?;
        let name = text::folded(scope.backend(), Column::TagName);
        changes = changes.filter(name.eq(tag.to_ascii_lowercase()));
    }
    let sort = Sort {
        name: "id",
        expression: Expr::col(Column::Id.as_column_ref()),
        key: KeyOf::Id(|row: &resource_change::Model| row.id),
        direction: OrderDirection::Desc,
    };
    page(scope, changes, sort, paging).await
}
