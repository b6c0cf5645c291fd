//! The way through resources with a tag in the order of their names, where the database keeps one.

use entity::resource_by_tag::{Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, DbBackend};

use super::ResourceFilter;
use crate::graphql::pager::Walk;
use crate::graphql::scope::Scope;

/// The way to the resources that `filter` lets through, if all of them have one tag with its value.
pub fn walk(scope: Scope<'_>, filter: &ResourceFilter) -> Option<Walk> {
    if scope.backend() != DbBackend::Postgres {
        return None;
    }
    let tag = Func::cust("tag_key").arg(scope.viewer.organization_id).arg(filter.shared_tag()?);
    let has_tag = Expr::col(Column::Tag.as_column_ref()).eq(tag);
    Some(Walk {
        entries: Query::select().from(Entity).and_where(has_tag).to_owned(),
        key: Expr::col(Column::Name.as_column_ref()),
        id: Expr::col(Column::ResourceId.as_column_ref()),
    })
}
