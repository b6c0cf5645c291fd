//! How many items the fields of an operation ask for.

use std::convert::Infallible;

use async_graphql::parser::types::{Field, OperationDefinition};
use async_graphql::{Name, Value, Variables};

/// Items of a page when nobody says how many.
const DEFAULT_PAGE: u64 = 50;

/// The largest page; a field that is asked for more refuses, and costs no more than this.
const LARGEST_PAGE: u64 = 500;

/// The pages that an operation asks for, by literals and by its variables.
#[derive(Clone, Copy)]
pub(super) struct Pages<'a> {
    operation: &'a OperationDefinition,
    variables: &'a Variables,
}

impl<'a> Pages<'a> {
    pub(super) fn new(operation: &'a OperationDefinition, variables: &'a Variables) -> Self {
        Self { operation, variables }
    }

    /// The items that `field` answers at most. A connection is known by what is selected of it.
    pub(super) fn items(self, field: &Field, is_connection: bool) -> u64 {
        let by_argument = ["first", "last", "ids"].into_iter().find_map(|name| self.argument(field, name));
        match by_argument {
            Some(items) => items.clamp(1, LARGEST_PAGE),
            None if is_connection => DEFAULT_PAGE,
            None => 1,
        }
    }

    fn argument(self, field: &Field, name: &str) -> Option<u64> {
        let argument = field.get_argument(name)?.node.clone();
        let Ok(value) = argument.into_const_with(|name| Ok::<_, Infallible>(self.variable(&name)));
        match value {
            Value::Number(number) => Some(number.as_u64().unwrap_or(1)),
            Value::List(items) => Some(items.len() as u64),
            Value::Null => Some(DEFAULT_PAGE),
            _ => None,
        }
    }

    /// The variable, a list by its length: it may be long, and be asked for often.
    fn variable(self, name: &Name) -> Value {
        let defined = self.operation.variable_definitions.iter().find(|it| it.node.name.node == *name);
        let default = || defined.and_then(|it| it.node.default_value.as_ref()).map(|value| &value.node);
        match self.variables.get(name).or_else(default) {
            Some(Value::Number(number)) => Value::Number(number.clone()),
            Some(Value::List(items)) => Value::from(items.len()),
            _ => Value::Null,
        }
    }
}
