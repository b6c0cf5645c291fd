//! From rows to objects: the finders.

use std::collections::HashMap;

use async_graphql::{ID, OutputType, Result};
use entity::Owned;
use sea_orm::sea_query::{Expr, ExprTrait, PgFunc};
use sea_orm::{ColumnTrait, DbBackend, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::ids::Kind;
use super::scope::{Scope, internal};
use crate::permission::Permission;

/// Values that a statement binds at most: databases allow not many more.
const CHUNK: usize = 10_000;

/// An object that is made of a row.
pub trait Stored: OutputType + Sized + 'static {
    /// Where the rows are.
    type Entity: Owned;
    /// What it takes to read one.
    const READ: Permission;
    /// The column of the row's own id.
    const ID: <Self::Entity as EntityTrait>::Column;

    /// The row's own id.
    fn row_id(row: &Row<Self>) -> Uuid;

    /// The objects of rows that were read together, in their order: what one of them refers to is read for all
    /// of them at once.
    fn together(rows: Vec<Row<Self>>) -> Vec<Self>;
}

/// A stored object with a global id.
pub trait Identified: Stored {
    /// What its ids say.
    const KIND: Kind;
}

/// The row of a stored object.
pub type Row<T> = <<T as Stored>::Entity as EntityTrait>::Model;

/// The object of a global id. None: there is none, or it is somebody else's.
pub async fn find<T: Identified>(scope: Scope<'_>, id: &ID) -> Result<Option<T>> {
    find_row(scope, T::KIND.row(id)?).await
}

/// The object of one row.
pub async fn find_row<T: Stored>(scope: Scope<'_>, id: Uuid) -> Result<Option<T>> {
    let mut found = Box::pin(find_rows(scope, vec![id])).await.map_err(|error| internal(&error))?;
    Ok(found.remove(&id))
}

/// The objects of several rows, by their ids.
pub async fn find_rows<T: Stored>(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, T>, DbErr> {
    let mut rows = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let found = scope.owned::<T::Entity>().filter(one_of::<T>(scope.backend(), chunk));
        rows.extend(found.all(scope.database()).await?);
    }
    let ids: Vec<Uuid> = rows.iter().map(T::row_id).collect();
    Ok(ids.into_iter().zip(T::together(rows)).collect())
}

/// Rows of these ids. `PostgreSQL` takes them as one value: for any number of them it is the same statement, which is
/// prepared once for all.
fn one_of<T: Stored>(backend: DbBackend, ids: &[Uuid]) -> Expr {
    match backend {
        DbBackend::Postgres => Expr::col(T::ID.as_column_ref()).eq(PgFunc::any(ids.to_vec())),
        _ => T::ID.is_in(ids.iter().copied()),
    }
}

/// The object of a row that was just written.
pub fn object<T: Stored>(row: Row<T>) -> Option<T> {
    T::together(vec![row]).pop()
}
