//! How large a filter may be, and how much of everything it lets through at least.

use async_graphql::Result;

use super::super::ResourceScope;
use super::{ResourceFilter, only_outside};
use crate::error::ErrorCode;

/// Filters within each other.
const DEPTH: usize = 5;

/// Conditions, all told.
const CONDITIONS: usize = 100;

/// Items of lists, all told: each is bound to the statement, and `SQLite` binds 32,766 at most.
const ITEMS: usize = 5_000;

/// How much a filter lets through, whatever resources there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    Some,
    None,
}

impl Extent {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, Self::All) => Self::All,
            _ => Self::Some,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::All => Self::None,
            Self::Some => Self::Some,
            Self::None => Self::All,
        }
    }
}

#[derive(Default)]
struct Size {
    depth: usize,
    conditions: usize,
    items: usize,
}

impl ResourceFilter {
    /// Refuses a filter that is too large.
    pub(super) fn check_bounds(&self) -> Result<()> {
        let mut size = Size::default();
        self.measure(1, &mut size)?;
        for (what, reached, allowed) in [
            ("filters within each other", size.depth, DEPTH),
            ("conditions", size.conditions, CONDITIONS),
            ("items of lists", size.items, ITEMS),
        ] {
            if reached > allowed {
                return Err(ErrorCode::BadInput.error(format!(
                    "The filter has {reached} {what}; at most {allowed} are allowed. Ask in several parts."
                )));
            }
        }
        Ok(())
    }

    fn measure(&self, depth: usize, size: &mut Size) -> Result<()> {
        if depth > 1 && self.scopes.is_some() {
            return Err(only_outside("scopes"));
        }
        if depth > 1 && self.presence.is_some() {
            return Err(only_outside("presence"));
        }
        size.depth = size.depth.max(depth);
        size.conditions += self.singles() + self.lists().iter().flatten().count();
        size.conditions += self.tags.as_ref().map_or(0, Vec::len);
        size.items += self.lists().iter().flatten().sum::<usize>() + self.tags.as_ref().map_or(0, Vec::len);
        for filter in self.inner() {
            // An empty one is one too.
            size.conditions += 1;
            filter.measure(depth + 1, size)?;
        }
        Ok(())
    }

    /// The lengths of the lists that are given, and that let nothing through if they are empty.
    fn lists(&self) -> [Option<usize>; 10] {
        let texts = |list: &Option<Vec<String>>| list.as_ref().map(Vec::len);
        [
            self.subscriptions.as_ref().map(Vec::len),
            self.tenants.as_ref().map(Vec::len),
            texts(&self.types),
            texts(&self.locations),
            texts(&self.resource_groups),
            texts(&self.arm_ids),
            texts(&self.names),
            texts(&self.kinds),
            texts(&self.skus),
            texts(&self.managed_by),
        ]
    }

    /// How many conditions are given that are no lists.
    fn singles(&self) -> usize {
        let ranges = [&self.azure_created_at, &self.azure_changed_at, &self.first_seen_at, &self.changed_at];
        usize::from(self.name_contains.is_some())
            + usize::from(self.tagging.is_some())
            + ranges.into_iter().flatten().count()
    }

    /// How much it lets through of what is there.
    pub(super) fn extent(&self) -> Extent {
        let of = |restricts: bool| if restricts { Extent::Some } else { Extent::All };
        let own = self.lists().into_iter().flatten().fold(Extent::All, |extent, length| {
            extent.and(if length == 0 { Extent::None } else { Extent::Some })
        });
        let first_seen = self.first_seen_at.iter().chain(&self.changed_at);
        let azure = self.azure_created_at.is_some() || self.azure_changed_at.is_some();
        let own = own
            .and(of(self.name_contains.as_ref().is_some_and(|part| !part.is_empty())))
            .and(of(self.tags.as_ref().is_some_and(|tags| !tags.is_empty())))
            .and(of(self.tagging.is_some() || azure))
            // Groups and subscriptions alone are few.
            .and(of(self.scopes.as_ref().is_some_and(|scopes| !scopes.contains(&ResourceScope::Resource))))
            .and(of(first_seen.into_iter().any(|range| range.from.is_some() || range.to.is_some())));
        let all = self.and.iter().flatten().fold(own, |extent, filter| extent.and(filter.extent()));
        let any = self.or.as_ref().map_or(Extent::All, |filters| {
            // Either of two holds unless neither does.
            filters.iter().fold(Extent::All, |none, filter| none.and(filter.extent().not())).not()
        });
        all.and(any).and(self.not.as_ref().map_or(Extent::All, |filter| filter.extent().not()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(types: &[&str]) -> ResourceFilter {
        let types = types.iter().map(|it| (*it).to_owned()).collect();
        ResourceFilter { types: Some(types), ..ResourceFilter::default() }
    }

    fn not(filter: ResourceFilter) -> ResourceFilter {
        ResourceFilter { not: Some(Box::new(filter)), ..ResourceFilter::default() }
    }

    fn any(filters: Vec<ResourceFilter>) -> ResourceFilter {
        ResourceFilter { or: Some(filters), ..ResourceFilter::default() }
    }

    fn all(filters: Vec<ResourceFilter>) -> ResourceFilter {
        ResourceFilter { and: Some(filters), ..ResourceFilter::default() }
    }

    #[test]
    fn what_restricts_nothing_is_empty_however_it_is_written() {
        let nothing = ResourceFilter::default;
        let name = ResourceFilter { name_contains: Some(String::new()), ..nothing() };
        let tags = ResourceFilter { tags: Some(Vec::new()), ..nothing() };
        for filter in [
            nothing(),
            name,
            tags,
            all(Vec::new()),
            all(vec![nothing(), nothing()]),
            any(vec![types(&["a"]), nothing()]),
            not(types(&[])),
            not(any(Vec::new())),
            not(not(nothing())),
        ] {
            assert!(filter.is_empty(), "{filter:?}");
        }
    }

    #[test]
    fn what_restricts_something_is_not_empty() {
        let nothing = ResourceFilter::default;
        for filter in [
            types(&["a"]),
            types(&[]),
            any(Vec::new()),
            any(vec![types(&["a"])]),
            all(vec![nothing(), types(&["a"])]),
            not(types(&["a"])),
            not(nothing()),
        ] {
            assert!(!filter.is_empty(), "{filter:?}");
        }
    }

    #[test]
    fn a_filter_that_is_too_large_says_by_how_much() {
        let deep = (0..5).fold(types(&["a"]), |filter, _| not(filter));
        let wide = any((0..60).map(|_| types(&["a"])).collect());
        let many = any((0..11).map(|_| types(&["a"; 500])).collect());
        for (filter, says) in [
            (deep, "6 filters within each other; at most 5"),
            (wide, "120 conditions; at most 100"),
            (many, "5500 items of lists; at most 5000"),
        ] {
            let refused = filter.check_bounds().expect_err("too large").message;
            assert!(refused.contains(says), "{refused}");
        }
    }
}
