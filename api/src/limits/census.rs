//! Counts the aliases and the directives that a document's text holds.

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

use super::{Limit, Limits, Refused, check};

/// Refuses a document with too many of them.
pub(super) fn check_document(document: &ExecutableDocument, limits: &Limits) -> Result<(), Refused> {
    let mut census = Census::default();
    for (_, operation) in document.operations.iter() {
        census.directives(&operation.node.directives);
        for variable in &operation.node.variable_definitions {
            census.directives(&variable.node.directives);
        }
        census.selections(&operation.node.selection_set.node);
    }
    for fragment in document.fragments.values() {
        census.directives(&fragment.node.directives);
        census.selections(&fragment.node.selection_set.node);
    }
    census.check(limits)
}

#[derive(Default)]
struct Census<'a> {
    aliases: HashMap<&'a Name, u64>,
    directives: u64,
    directives_at_one: u64,
}

impl<'a> Census<'a> {
    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.items {
            self.directives(selection.node.directives());
            match &selection.node {
                Selection::Field(field) => {
                    if field.node.alias.is_some() {
                        *self.aliases.entry(&field.node.name.node).or_default() += 1;
                    }
                    self.selections(&field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) {
        let count = directives.len() as u64;
        self.directives += count;
        self.directives_at_one = self.directives_at_one.max(count);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refused> {
        let most = self.aliases.values().copied().max().unwrap_or_default();
        check(Limit::AliasesOfOne, most, limits.aliases_of_one)?;
        check(Limit::Aliases, self.aliases.values().sum(), limits.aliases)?;
        check(Limit::DirectivesAtOne, self.directives_at_one, limits.directives_at_one)?;
        check(Limit::Directives, self.directives, limits.directives)
    }
}
