//! One page of a list that is at hand.

use std::borrow::Cow;

use async_graphql::{Object, OutputType, Result, TypeName};

use super::connection::{Edge, PageInfo};
use super::position::{Key, Position};
use super::{Paging, no_cursor};
use crate::graphql::int;

/// One page of a list that is at hand.
pub struct Listing<T> {
    edges: Vec<Edge<T>>,
    total: usize,
    previous: bool,
    next: bool,
}

/// The page of `items` that `paging` asks for. They are in the order of their texts and ids, which cursors call `order`;
/// `together` makes the objects of one page.
pub fn cut<I, T>(
    items: &[I],
    order: &'static str,
    position: impl Fn(&I) -> Position,
    together: impl FnOnce(&[I]) -> Vec<T>,
    paging: &Paging,
) -> Result<Listing<T>> {
    let window = paging.window_at(|cursor| {
        let found = Position::read(cursor, order).filter(|found| matches!(found.key, Key::Text(_)));
        found.ok_or_else(no_cursor)
    })?;
    let place = |position: &Position| match &position.key {
        Key::Text(text) => (text.clone(), position.id),
        Key::Moment(_) | Key::Day(_) | Key::Number(_) | Key::Id(_) => (String::new(), position.id),
    };
    let from = window
        .after
        .as_ref()
        .map(place)
        .map_or(0, |after| items.partition_point(|item| place(&position(item)) <= after));
    let to = window
        .before
        .as_ref()
        .map(place)
        .map_or(items.len(), |before| items.partition_point(|item| place(&position(item)) < before));
    let (from, to) = (from, to.max(from));
    let count = usize::try_from(window.count).unwrap_or(usize::MAX).min(to - from);
    let (from, to) = if window.backwards { (to - count, to) } else { (from, from + count) };
    let page = &items[from..to];
    let cursors = page.iter().map(|item| position(item).write(order));
    let edges = cursors.zip(together(page)).map(|(cursor, node)| Edge { cursor, node }).collect();
    Ok(Listing { edges, total: items.len(), previous: from > 0, next: to < items.len() })
}

impl<T: OutputType> TypeName for Listing<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// One page of a list.
#[Object(name_type)]
impl<T: OutputType> Listing<T> {
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
        let cursor = |edge: Option<&Edge<T>>| edge.map(|edge| edge.cursor.clone());
        PageInfo::known(cursor(self.edges.first()), cursor(self.edges.last()), self.previous, self.next)
    }

    /// How many items the whole list has.
    async fn total_count(&self) -> i32 {
        int(i64::try_from(self.total).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn page(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
    ) -> Listing<String> {
        let items: Vec<_> = ["a", "b", "b", "c", "d"].into_iter().zip(1_u128..).collect();
        let position = |(name, id): &(&str, u128)| Position {
            key: Key::Text((*name).to_owned()),
            id: Uuid::from_u128(*id),
        };
        let together = |page: &[(&str, u128)]| page.iter().map(|(name, id)| format!("{name}{id}")).collect();
        let paging =
            Paging { first, after: after.map(str::to_owned), last, before: before.map(str::to_owned) };
        cut(&items, "plan", position, together, &paging).expect("a page")
    }

    fn nodes(page: &Listing<String>) -> Vec<&str> {
        page.edges.iter().map(|edge| edge.node.as_str()).collect()
    }

    #[test]
    fn pages_follow_one_another_and_lose_nothing() {
        let first = page(Some(2), None, None, None);
        assert_eq!((nodes(&first), first.previous, first.next), (vec!["a1", "b2"], false, true));
        let second = page(Some(2), Some(&first.edges[1].cursor), None, None);
        assert_eq!((nodes(&second), second.previous, second.next), (vec!["b3", "c4"], true, true));
        let rest = page(None, Some(&second.edges[1].cursor), None, None);
        assert_eq!((nodes(&rest), rest.next, rest.total), (vec!["d5"], false, 5));
    }

    #[test]
    fn the_end_is_read_backwards() {
        let last = page(None, None, Some(2), None);
        assert_eq!((nodes(&last), last.previous, last.next), (vec!["c4", "d5"], true, false));
        let before = page(None, None, Some(9), Some(&last.edges[0].cursor));
        assert_eq!((nodes(&before), before.previous, before.next), (vec!["a1", "b2", "b3"], false, true));
    }

    #[test]
    fn a_page_of_nothing_is_no_failure() {
        let last = page(Some(9), None, None, None);
        let nothing = page(Some(3), Some(&last.edges[4].cursor), None, Some(&last.edges[0].cursor));
        assert!(nodes(&nothing).is_empty());
    }
}
