//! One page of a list, and what is needed to ask for the next.

use std::borrow::Cow;

use async_graphql::{Context, Object, OutputType, Result, TypeName};
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{ConnectionTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::position::Position;
use super::{Sort, Window};
use crate::graphql::int;
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::{Row, Stored};
use crate::permission::Permission;

/// One page of a list.
pub struct Connection<T: Stored> {
    pub(super) edges: Vec<Edge<T>>,
    /// Where the items of `edges` are.
    pub(super) positions: Vec<Position>,
    /// The whole list.
    pub(super) list: Box<Select<T::Entity>>,
    pub(super) sort: Sort<Row<T>>,
    pub(super) window: Window,
    /// Whether the list goes on in the direction in which it was read.
    pub(super) more: bool,
}

impl<T: Stored> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// One page of a list.
#[Object(name_type)]
impl<T: Stored> Connection<T> {
    /// The items of the page, each with its cursor.
    async fn edges(&self) -> &[Edge<T>] {
        &self.edges
    }

    /// The items of the page.
    async fn nodes(&self) -> Vec<&T> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            start_cursor: self.edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.clone()),
            previous: self.previous(),
            next: self.next(),
        }
    }

    /// How many items the whole list has. Counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let scope = Scope::of(ctx, T::READ)?;
        let count = Select::clone(&self.list).select_only().expr(Expr::cust("count(*)")).into_tuple::<i64>();
        let count = Box::pin(count.one(scope.database())).await.map_err(|error| internal(&error))?;
        Ok(int(count.unwrap_or_default()))
    }
}

impl<T: Stored> Connection<T> {
    fn previous(&self) -> Probe {
        match (&self.window.after, self.positions.first()) {
            _ if self.window.backwards && self.more => Probe::Known(true),
            (None, _) => Probe::Known(false),
            (Some(_), Some(first)) => self.any(self.sort.behind::<T>(first)),
            (Some(after), None) => self.any(self.sort.ahead::<T>(after).not()),
        }
    }

    fn next(&self) -> Probe {
        match (&self.window.before, self.positions.last()) {
            _ if !self.window.backwards && self.more => Probe::Known(true),
            (None, _) => Probe::Known(false),
            (Some(_), Some(last)) => self.any(self.sort.ahead::<T>(last)),
            (Some(before), None) => self.any(self.sort.behind::<T>(before).not()),
        }
    }

    fn any(&self, condition: Expr) -> Probe {
        let rows = Select::clone(&self.list).filter(condition).select_only().expr(Expr::cust("1")).limit(1);
        Probe::Ask(Box::new(rows.into_query()))
    }
}

/// An item of a page.
pub struct Edge<T> {
    pub(super) cursor: String,
    pub(super) node: T,
}

impl<T: OutputType> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// An item of a page, with its cursor.
#[Object(name_type)]
impl<T: OutputType> Edge<T> {
    /// Where the item is in the list; stays good when others come and go.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The item.
    async fn node(&self) -> &T {
        &self.node
    }
}

/// Where a page lies in its list.
pub struct PageInfo {
    start_cursor: Option<String>,
    end_cursor: Option<String>,
    previous: Probe,
    next: Probe,
}

impl PageInfo {
    /// Of a list that is at hand.
    pub(super) fn known(start: Option<String>, end: Option<String>, previous: bool, next: bool) -> Self {
        let (previous, next) = (Probe::Known(previous), Probe::Known(next));
        Self { start_cursor: start, end_cursor: end, previous, next }
    }
}

/// Whether there is a row.
enum Probe {
    Known(bool),
    Ask(Box<SelectStatement>),
}

impl Probe {
    async fn answer(&self, ctx: &Context<'_>) -> Result<bool> {
        match self {
            Self::Known(known) => Ok(*known),
            Self::Ask(rows) => {
                let found = Scope::of(ctx, Permission::KnowOneself)?.database().query_one(&**rows).await;
                Ok(found.map_err(|error| internal(&error))?.is_some())
            }
        }
    }
}

/// Where a page lies in its list.
#[Object(name = "PageInfo")]
impl PageInfo {
    /// Whether the list has items before this page.
    async fn has_previous_page(&self, ctx: &Context<'_>) -> Result<bool> {
        self.previous.answer(ctx).await
    }

    /// Whether the list has items after this page.
    async fn has_next_page(&self, ctx: &Context<'_>) -> Result<bool> {
        self.next.answer(ctx).await
    }

    /// The cursor of the first item: give it as `before` for the page before this.
    async fn start_cursor(&self) -> Option<&str> {
        self.start_cursor.as_deref()
    }

    /// The cursor of the last item: give it as `after` for the page after this.
    async fn end_cursor(&self) -> Option<&str> {
        self.end_cursor.as_deref()
    }
}
