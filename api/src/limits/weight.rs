//! What an operation amounts to once its fragments are expanded, without expanding them: each fragment
//! is weighed once and its weight added wherever it is spread.

use std::collections::{HashMap, HashSet};

use async_graphql::Name;
use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};

use super::pages::Pages;
use super::{Limit, Limits, Refused, check};

/// The fields by which an introspection comes from one list into the next.
const INTROSPECTION_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

/// What an operation amounts to.
pub(super) struct Outcome {
    pub(super) cost: u64,
    pub(super) introspects: bool,
    pub(super) only_introspects: bool,
}

/// The weight of a selection set.
#[derive(Clone, Copy, Default)]
struct Weight {
    /// Fields and spreads. Spreads count too: a chain of them that ends in nothing would be free.
    fields: u64,
    /// Fields inside fields.
    depth: u64,
    /// Selection sets inside selection sets.
    nesting: u64,
    /// Lists of an introspection, if it is one.
    lists: u64,
    /// The same below `__schema` and `__type`, where it is one.
    introspection: u64,
    /// The cost of what is inside `edges` and `nodes`, paid for each item.
    each: u64,
    /// The cost of the rest.
    once: u64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.depth = self.depth.max(other.depth);
        self.nesting = self.nesting.max(other.nesting);
        self.lists = self.lists.max(other.lists);
        self.introspection = self.introspection.max(other.introspection);
        self.each = self.each.saturating_add(other.each);
        self.once = self.once.saturating_add(other.once);
    }

    /// The weight of a spread, or of an inline fragment, of this.
    fn spread(mut self) -> Self {
        self.fields = self.fields.saturating_add(1);
        self.nesting += 1;
        self
    }

    /// The weight of a field that selects this.
    fn below(self, field: &Field, pages: Pages<'_>) -> Self {
        let name = field.name.node.as_str();
        let reads_schema = matches!(name, "__schema" | "__type");
        let items = pages.items(field, self.each > 0);
        let cost = if self.each > 0 {
            items.saturating_mul(self.each).saturating_add(self.once)
        } else {
            items.saturating_mul(self.once)
        };
        let cost = cost.saturating_add(1);
        let (each, once) = if matches!(name, "edges" | "nodes") { (cost, 0) } else { (0, cost) };
        Self {
            fields: self.fields.saturating_add(1),
            depth: if reads_schema { 1 } else { self.depth + 1 },
            nesting: if field.selection_set.node.items.is_empty() { 0 } else { self.nesting + 1 },
            lists: self.lists + u64::from(INTROSPECTION_LISTS.contains(&name)),
            introspection: if reads_schema { self.lists } else { self.introspection },
            each,
            once,
        }
    }
}

/// Weighs the operations of a document.
pub(super) struct Scale<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    pages: Pages<'a>,
    /// None: it is being weighed right now.
    fragments: HashMap<&'a Name, Option<Weight>>,
}

impl<'a> Scale<'a> {
    pub(super) fn new(document: &'a ExecutableDocument, limits: &'a Limits, pages: Pages<'a>) -> Self {
        Self { document, limits, pages, fragments: HashMap::new() }
    }

    /// Weighs all operations, since the library validates all of them, and judges the cost of `selected`.
    pub(super) fn weigh(mut self, selected: &'a OperationDefinition) -> Result<Outcome, Refused> {
        let mut total = Weight::default();
        for (_, operation) in self.document.operations.iter() {
            total.add(self.set(&operation.node.selection_set.node, 0)?);
        }
        check(Limit::Fields, total.fields, self.limits.fields)?;
        check(Limit::Nesting, total.nesting, self.limits.nesting)?;
        check(Limit::Introspection, total.introspection, self.limits.introspection)?;
        check(Limit::Depth, total.depth, self.limits.depth)?;
        let weight = self.set(&selected.selection_set.node, 0)?;
        let cost = weight.each.saturating_add(weight.once);
        check(Limit::Cost, cost, self.limits.cost)?;
        let mut roots = Roots { document: self.document, seen: HashSet::new(), names: HashSet::new() };
        roots.collect(&selected.selection_set.node);
        let is_query = selected.ty == OperationType::Query;
        Ok(Outcome {
            cost,
            introspects: roots.names.contains("__schema") || roots.names.contains("__type"),
            only_introspects: is_query && roots.names.iter().all(|name| name.starts_with("__")),
        })
    }

    fn set(&mut self, set: &'a SelectionSet, level: u64) -> Result<Weight, Refused> {
        // Fragments nest where the text does not, and each of them is a call here.
        check(Limit::Nesting, level, self.limits.nesting)?;
        let mut weight = Weight::default();
        for selection in &set.items {
            weight.add(match &selection.node {
                Selection::Field(field) => {
                    let below = self.set(&field.node.selection_set.node, level + 1)?;
                    below.below(&field.node, self.pages)
                }
                Selection::InlineFragment(fragment) => {
                    self.set(&fragment.node.selection_set.node, level + 1)?.spread()
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, level + 1)?.spread()
                }
            });
        }
        Ok(weight)
    }

    fn fragment(&mut self, name: &'a Name, level: u64) -> Result<Weight, Refused> {
        match self.fragments.get(name) {
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => return Err(Refused::Cycle(name.to_string())),
            None => {}
        }
        // The library says which fragment is not known.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Weight::default()) };
        self.fragments.insert(name, None);
        let weight = self.set(&fragment.node.selection_set.node, level)?;
        self.fragments.insert(name, Some(weight));
        Ok(weight)
    }
}

/// The names of the fields that an operation asks of its root.
struct Roots<'a> {
    document: &'a ExecutableDocument,
    seen: HashSet<&'a Name>,
    names: HashSet<&'a str>,
}

impl<'a> Roots<'a> {
    fn collect(&mut self, set: &'a SelectionSet) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    self.names.insert(field.node.name.node.as_str());
                }
                Selection::InlineFragment(fragment) => self.collect(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.document.fragments.get(name).filter(|_| self.seen.insert(name));
                    if let Some(fragment) = fragment {
                        self.collect(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
}
