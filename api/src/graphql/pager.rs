//! Pages of any list, found by position and never by offset: an insert in front of a page does not move it, and
//! the last page costs what the first does.

mod connection;
mod listing;
mod position;
mod sort;
mod walk;

use async_graphql::{Error, Result};
use futures::future::BoxFuture;
use sea_orm::{QueryFilter, QueryOrder, QuerySelect, Select};

pub use connection::Connection;
pub use listing::{Listing, cut};
pub use position::{Key, Position};
pub use sort::{KeyOf, OrderDirection, Sort};
pub use walk::Walk;

use super::scope::{Scope, internal};
use super::stored::{Row, Stored};
use crate::error::ErrorCode;
use connection::Edge;

/// The size of a page when nobody says.
const DEFAULT: u64 = 50;

/// The size of the largest page, and of the longest list that may be given.
pub const LARGEST: usize = 500;

/// The arguments that every connection has.
pub struct Paging {
    /// How many, from the start.
    pub first: Option<i32>,
    /// Only what comes after this cursor.
    pub after: Option<String>,
    /// How many, from the end.
    pub last: Option<i32>,
    /// Only what comes before this cursor.
    pub before: Option<String>,
}

/// The part of a list that is asked for.
struct Window {
    count: u64,
    backwards: bool,
    after: Option<Position>,
    before: Option<Position>,
}

impl Paging {
    fn window<M>(&self, sort: &Sort<M>) -> Result<Window> {
        self.window_at(|cursor| sort.position(cursor))
    }

    fn window_at(&self, position: impl Fn(&str) -> Result<Position>) -> Result<Window> {
        let (count, backwards) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(ErrorCode::BadInput.error("Give first or last, not both."));
            }
            (Some(first), None) => (size("first", first)?, false),
            (None, Some(last)) => (size("last", last)?, true),
            (None, None) => (DEFAULT, false),
        };
        let position = |cursor: &Option<String>| cursor.as_deref().map(&position).transpose();
        Ok(Window { count, backwards, after: position(&self.after)?, before: position(&self.before)? })
    }
}

/// What was given as a cursor is none of this list.
fn no_cursor() -> Error {
    ErrorCode::BadCursor
        .error("What was given is not a cursor of this list in this order. Start again without it.")
}

fn size(argument: &str, asked: i32) -> Result<u64> {
    match usize::try_from(asked) {
        Ok(size) if size <= LARGEST => Ok(size as u64),
        Ok(_) => Err(ErrorCode::BadInput.error(format!(
            "{argument} is {asked}; at most {LARGEST} are allowed. Ask for the next page after it."
        ))),
        Err(_) => Err(ErrorCode::BadInput.error(format!("{argument} is {asked}; it cannot be negative."))),
    }
}

/// How many of a list that has no cursors are asked for.
pub fn size_or_default(first: Option<i32>) -> Result<usize> {
    let size = first.map_or(Ok(DEFAULT), |first| size("first", first))?;
    Ok(usize::try_from(size).unwrap_or(LARGEST))
}

/// Refuses a list that is longer than the largest page: each of its items is bound to a statement.
pub fn check_length<T>(argument: &str, given: &[T]) -> Result<()> {
    let count = given.len();
    if count > LARGEST {
        return Err(ErrorCode::BadInput
            .error(format!("{argument} has {count} items; at most {LARGEST} are allowed.")));
    }
    Ok(())
}

/// The page of `list` that `paging` asks for.
pub fn page<'a, T: Stored>(
    scope: Scope<'a>,
    list: Select<T::Entity>,
    sort: Sort<Row<T>>,
    paging: &'a Paging,
) -> BoxFuture<'a, Result<Connection<T>>> {
    page_along(scope, list, None, sort, paging)
}

/// The same, along `walk` as long as that is the quickest way. In a box, since what an object keeps while any of its
/// fields is resolved is as large as the largest of them needs it, for each object of a list.
pub fn page_along<'a, T: Stored>(
    scope: Scope<'a>,
    list: Select<T::Entity>,
    walk: Option<Walk>,
    sort: Sort<Row<T>>,
    paging: &'a Paging,
) -> BoxFuture<'a, Result<Connection<T>>> {
    Box::pin(read_page(scope, list, walk, sort, paging))
}

async fn read_page<T: Stored>(
    scope: Scope<'_>,
    list: Select<T::Entity>,
    walk: Option<Walk>,
    sort: Sort<Row<T>>,
    paging: &Paging,
) -> Result<Connection<T>> {
    let window = paging.window(&sort)?;
    let full = match walk {
        Some(walk) => walk.full::<T>(scope, &list, &sort, &window).await?,
        None => None,
    };
    let mut rows = match full {
        Some(rows) => rows,
        None => read::<T>(scope, &list, &sort, &window).await?,
    };
    let more = rows.len() as u64 > window.count;
    rows.truncate(usize::try_from(window.count).unwrap_or(LARGEST));
    if window.backwards {
        rows.reverse();
    }
    let positions: Vec<_> = rows.iter().map(|row| sort.position_of::<T>(row)).collect();
    let cursors = positions.iter().map(|position| position.write(sort.name)).collect::<Vec<_>>();
    let edges =
        cursors.into_iter().zip(T::together(rows)).map(|(cursor, node)| Edge { cursor, node }).collect();
    Ok(Connection { edges, positions, list: Box::new(list), sort, window, more })
}

/// The rows of the page, and one more if there is one.
async fn read<T: Stored>(
    scope: Scope<'_>,
    list: &Select<T::Entity>,
    sort: &Sort<Row<T>>,
    window: &Window,
) -> Result<Vec<Row<T>>> {
    let mut query = list.clone();
    if let Some(after) = &window.after {
        query = query.filter(sort.ahead::<T>(after));
    }
    if let Some(before) = &window.before {
        query = query.filter(sort.behind::<T>(before));
    }
    let direction = sort.direction(window.backwards);
    query
        .order_by(sort.expression.clone(), direction.clone())
        .order_by(T::ID, direction)
        .limit(window.count + 1)
        .all(scope.database())
        .await
        .map_err(|error| internal(&error))
}
