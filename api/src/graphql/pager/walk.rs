//! A way through a list by an index that knows its order, which the planner of the database does not see.

use async_graphql::Result;
use sea_orm::sea_query::{Alias, Asterisk, Expr, ExprTrait, JoinType, Query, SelectStatement};
use sea_orm::{ColumnTrait, QueryFilter, QueryTrait, Select};

use super::{Sort, Window};
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::{Row, Stored};

/// Entries that are looked through for a page. Where so many do not fill it, most of them are not in the list, and the
/// planner knows better.
const FAR: u64 = 2_000;

const ENTRY: &str = "entry";
const KEY: &str = "key";
const ID: &str = "id";
const FOUND: &str = "found";

/// Entries of rows in the order of a list: at least of all rows that are in the list.
pub struct Walk {
    /// The entries, in no order yet.
    pub entries: SelectStatement,
    /// The key by which the list is ordered, of an entry.
    pub key: Expr,
    /// The id of an entry's row.
    pub id: Expr,
}

impl Walk {
    /// One row more than the page has, if it is full and was soon found.
    pub(super) async fn full<T: Stored>(
        self,
        scope: Scope<'_>,
        list: &Select<T::Entity>,
        sort: &Sort<Row<T>>,
        window: &Window,
    ) -> Result<Option<Vec<Row<T>>>> {
        let statement = scope.backend().build(&self.statement::<T>(list, sort, window));
        let rows = list.clone().from_raw_sql(statement).all(scope.database()).await;
        let rows = rows.map_err(|error| internal(&error))?;
        Ok((rows.len() as u64 > window.count).then_some(rows))
    }

    /// The row of one entry after the other is looked at, until there are enough. The planner can do nothing else: an
    /// offset, of nothing, keeps it from turning this round.
    fn statement<T: Stored>(
        self,
        list: &Select<T::Entity>,
        sort: &Sort<Row<T>>,
        window: &Window,
    ) -> SelectStatement {
        let Self { mut entries, key, id } = self;
        let direction = sort.direction(window.backwards);
        if let Some(after) = &window.after {
            entries.and_where(sort.ahead_of(after, &key, &id));
        }
        if let Some(before) = &window.before {
            entries.and_where(sort.behind_of(before, &key, &id));
        }
        entries
            .expr_as(key.clone(), KEY)
            .expr_as(id.clone(), ID)
            .order_by_expr(key, direction.clone())
            .order_by_expr(id, direction.clone())
            .limit(FAR);
        let is_its = Expr::col(T::ID.as_column_ref()).eq(Expr::col((ENTRY, ID)));
        let mut row = list.clone().filter(is_its).into_query();
        row.offset(0);
        let mut found = Query::select();
        found
            .column((Alias::new(FOUND), Asterisk))
            .from_subquery(entries, ENTRY)
            .join_lateral(JoinType::InnerJoin, row, FOUND, Expr::val(true))
            .order_by((ENTRY, KEY), direction.clone())
            .order_by((ENTRY, ID), direction)
            .limit(window.count + 1);
        found
    }
}
