//! In which order a list is read, and what lies ahead of and behind a position in it.

use async_graphql::{Enum, Result};
use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, Order};
use uuid::Uuid;

use super::no_cursor;
use super::position::{Key, Position};
use crate::graphql::stored::{Row, Stored};

/// Which end of an order comes first.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "OrderDirection")]
pub enum OrderDirection {
    /// The smallest or oldest first.
    #[default]
    Asc,
    /// The largest or newest first.
    Desc,
}

/// How a row's key is told, which has to be what the database makes of it.
pub enum KeyOf<M> {
    /// A text.
    Text(fn(&M) -> String),
    /// A moment.
    Moment(fn(&M) -> DateTime<Utc>),
    /// A day.
    Day(fn(&M) -> NaiveDate),
    /// A number.
    Number(fn(&M) -> i64),
    /// An id.
    Id(fn(&M) -> Uuid),
}

/// An order of rows; where their keys are equal their ids decide.
pub struct Sort<M> {
    /// How cursors call it.
    pub name: &'static str,
    /// The key, in SQL.
    pub expression: Expr,
    /// The key, of a row.
    pub key: KeyOf<M>,
    /// Which end comes first.
    pub direction: OrderDirection,
}

impl<M> Sort<M> {
    /// In which direction SQL has to read.
    pub(super) fn direction(&self, backwards: bool) -> Order {
        if self.is_descending() == backwards { Order::Asc } else { Order::Desc }
    }

    fn is_descending(&self) -> bool {
        self.direction == OrderDirection::Desc
    }

    /// The position that `cursor` carries.
    pub(super) fn position(&self, cursor: &str) -> Result<Position> {
        let fits = |key: &Key| {
            matches!(
                (&self.key, key),
                (KeyOf::Text(_), Key::Text(_))
                    | (KeyOf::Moment(_), Key::Moment(_))
                    | (KeyOf::Day(_), Key::Day(_))
                    | (KeyOf::Number(_), Key::Number(_))
                    | (KeyOf::Id(_), Key::Id(_))
            )
        };
        Position::read(cursor, self.name).filter(|position| fits(&position.key)).ok_or_else(no_cursor)
    }

    /// Where `row` is.
    pub(super) fn position_of<T: Stored>(&self, row: &Row<T>) -> Position
    where
        T::Entity: EntityTrait<Model = M>,
    {
        let key = match self.key {
            KeyOf::Text(of) => Key::Text(of(row)),
            KeyOf::Moment(of) => Key::Moment(of(row)),
            KeyOf::Day(of) => Key::Day(of(row)),
            KeyOf::Number(of) => Key::Number(of(row)),
            KeyOf::Id(of) => Key::Id(of(row)),
        };
        Position { key, id: T::row_id(row) }
    }

    /// Holds of the rows that come after `position`.
    pub(super) fn ahead<T: Stored>(&self, position: &Position) -> Expr {
        self.ahead_of(position, &self.expression, &Expr::col(T::ID.as_column_ref()))
    }

    /// Holds of the rows that come before `position`.
    pub(super) fn behind<T: Stored>(&self, position: &Position) -> Expr {
        self.behind_of(position, &self.expression, &Expr::col(T::ID.as_column_ref()))
    }

    /// Holds where such a key and id come after `position`.
    pub(super) fn ahead_of(&self, position: &Position, key: &Expr, id: &Expr) -> Expr {
        beyond(position, key, id, !self.is_descending())
    }

    /// Holds where they come before it.
    pub(super) fn behind_of(&self, position: &Position, key: &Expr, id: &Expr) -> Expr {
        beyond(position, key, id, self.is_descending())
    }
}

/// Compared as one row value, with which `PostgreSQL` seeks its index. SQLite does not where the key is an
/// expression; there it is the comparison of the key alone, which the other implies, that seeks.
fn beyond(position: &Position, key: &Expr, id: &Expr, upwards: bool) -> Expr {
    let (key, there) = (key.clone(), Expr::from(position.key.clone()));
    let row = Expr::tuple([key.clone(), id.clone()]);
    let row_there = Expr::tuple([there.clone(), Expr::val(position.id)]);
    if upwards { key.gte(there).and(row.gt(row_there)) } else { key.lte(there).and(row.lt(row_there)) }
}
