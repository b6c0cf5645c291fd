//! The guard in front of the GraphQL library: what a request may amount to before anything runs.
//!
//! The library's own limits come too late: it expands fragments while it validates, so that 25 fragments
//! of two spreads each cost seconds and gigabytes before it counts them. Here the text is measured before
//! it is parsed, every fragment is weighed once, and whatever is over a limit is refused with the number
//! it reached and the number that is allowed.

mod census;
mod pages;
mod tokens;
mod weight;

use std::fmt;
use std::time::Duration;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Pos, ServerError, Variables};

/// What requests may amount to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a body, and of a socket's message, decompressed too.
    pub body: usize,
    /// Bytes of a document.
    pub document: u64,
    /// Tokens of a document.
    pub tokens: u64,
    /// Brackets inside brackets, and selections inside selections once fragments are expanded.
    pub nesting: u64,
    /// Fields, once fragments are expanded.
    pub fields: u64,
    /// Fields inside fields, introspection apart.
    pub depth: u64,
    /// Aliases of fields of one name.
    pub aliases_of_one: u64,
    /// Aliases in all.
    pub aliases: u64,
    /// Directives at one place.
    pub directives_at_one: u64,
    /// Directives in all.
    pub directives: u64,
    /// Cost of an operation: one a field, for each item that a page may hold.
    pub cost: u64,
    /// Lists inside lists of an introspection.
    pub introspection: u64,
    /// How long a query or a mutation may take.
    pub execution: Duration,
    /// Operations at a time on one socket.
    pub operations: usize,
    /// How long a socket may stay without a `connection_init`.
    pub init: Duration,
    /// How often an idle socket is asked whether it is still there.
    pub ping: Duration,
    /// How long one message to a socket may wait to be taken.
    pub send: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 256 * 1024,
            document: 16 * 1024,
            tokens: 2_000,
            nesting: 32,
            fields: 5_000,
            depth: 12,
            aliases_of_one: 30,
            aliases: 100,
            directives_at_one: 5,
            directives: 50,
            cost: 10_000,
            introspection: 2,
            execution: Duration::from_secs(10),
            operations: 50,
            init: Duration::from_secs(3),
            ping: Duration::from_secs(20),
            send: Duration::from_secs(10),
        }
    }
}

/// One of the limits of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::document`].
    Document,
    /// [`Limits::tokens`].
    Tokens,
    /// [`Limits::nesting`].
    Nesting,
    /// [`Limits::fields`].
    Fields,
    /// [`Limits::depth`].
    Depth,
    /// [`Limits::aliases_of_one`].
    AliasesOfOne,
    /// [`Limits::aliases`].
    Aliases,
    /// [`Limits::directives_at_one`].
    DirectivesAtOne,
    /// [`Limits::directives`].
    Directives,
    /// [`Limits::cost`].
    Cost,
    /// [`Limits::introspection`].
    Introspection,
}

impl Limit {
    /// The limit as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Tokens => "tokens",
            Self::Nesting => "nesting",
            Self::Fields => "fields",
            Self::Depth => "depth",
            Self::AliasesOfOne => "aliasesOfOne",
            Self::Aliases => "aliases",
            Self::DirectivesAtOne => "directivesAtOne",
            Self::Directives => "directives",
            Self::Cost => "cost",
            Self::Introspection => "introspection",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Document => "bytes of document",
            Self::Tokens => "tokens",
            Self::Nesting => "levels of nesting",
            Self::Fields => "fields after expanding fragments",
            Self::Depth => "fields inside fields",
            Self::AliasesOfOne => "aliases of fields of one name",
            Self::Aliases => "aliases",
            Self::DirectivesAtOne => "directives at one place",
            Self::Directives => "directives",
            Self::Cost => "units of cost",
            Self::Introspection => "lists inside lists of an introspection",
        })
    }
}

/// Why a document goes no further.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is over a limit.
    #[error("The request reaches {reached} {limit}; {allowed} are allowed.")]
    Exceeded {
        /// The limit.
        limit: Limit,
        /// What the request reaches.
        reached: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// It is not GraphQL.
    #[error("{}", .0.message)]
    Syntax(ServerError),
    /// A fragment contains itself.
    #[error("The fragment \"{0}\" contains itself.")]
    Cycle(String),
    /// It holds no operation of the name asked for.
    #[error("The document has no operation named \"{0}\".")]
    UnknownOperation(String),
    /// It holds several operations and none was asked for.
    #[error("The document has several operations; say which by operationName.")]
    OperationNameMissing,
    /// A variable that may not be null is not given.
    #[error("The variable \"${name}\" of type \"{type_name}\" must be given.")]
    VariableMissing {
        /// The variable.
        name: String,
        /// Its type.
        type_name: String,
        /// Where it is defined.
        position: Pos,
    },
}

/// A document within the limits, and what it asks for.
#[derive(Debug)]
pub struct Admitted {
    /// The parsed document, so that nobody parses it again.
    pub document: ExecutableDocument,
    /// Of which kind the operation to run is.
    pub kind: OperationType,
    /// What it costs at most.
    pub cost: u64,
    /// Whether it reads the schema.
    pub introspects: bool,
    /// Whether it does nothing else.
    pub only_introspects: bool,
}

/// The parser repeats the line in which it stumbled, and there may be a secret in it; the location stays.
fn without_source(mut error: ServerError) -> ServerError {
    if let Some((_, last)) = error.message.rsplit_once('\n') {
        error.message = last.trim_start().trim_start_matches("= ").to_owned();
    }
    error
}

impl Limits {
    /// Measures a request; nothing of it has run when it is refused.
    pub fn admit(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: &Variables,
    ) -> Result<Admitted, Refused> {
        self.check_text(query)?;
        let document = parse_query(query).map_err(|error| Refused::Syntax(without_source(error.into())))?;
        census::check_document(&document, self)?;
        let operation = select(&document.operations, operation_name)?;
        check_variables(operation, variables)?;
        let pages = pages::Pages::new(operation, variables);
        let weight = weight::Scale::new(&document, self, pages).weigh(operation)?;
        Ok(Admitted {
            kind: operation.ty,
            cost: weight.cost,
            introspects: weight.introspects,
            only_introspects: weight.only_introspects,
            document,
        })
    }

    fn check_text(&self, query: &str) -> Result<(), Refused> {
        check(Limit::Document, query.len() as u64, self.document)?;
        let text = tokens::measure(query).map_err(|tokens::Unclosed| {
            Refused::Syntax(ServerError::new("The document has a string that is never closed.", None))
        })?;
        check(Limit::Tokens, text.tokens, self.tokens)?;
        check(Limit::Nesting, text.nesting, self.nesting)
    }
}

fn check(limit: Limit, reached: u64, allowed: u64) -> Result<(), Refused> {
    if reached > allowed { Err(Refused::Exceeded { limit, reached, allowed }) } else { Ok(()) }
}

fn select<'a>(
    operations: &'a DocumentOperations,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Refused> {
    let unknown = |name: &str| Refused::UnknownOperation(name.to_owned());
    match (operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(name)),
        (DocumentOperations::Multiple(named), Some(name)) => {
            named.get(name).map(|operation| &operation.node).ok_or_else(|| unknown(name))
        }
        (DocumentOperations::Multiple(named), None) => {
            let mut all = named.values();
            match (all.next(), all.next()) {
                (Some(operation), None) => Ok(&operation.node),
                _ => Err(Refused::OperationNameMissing),
            }
        }
    }
}

/// The library finds out only when a resolver asks for the variable, by when others have run.
fn check_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refused> {
    for definition in &operation.variable_definitions {
        let definition_name = &definition.node.name.node;
        let variable_type = &definition.node.var_type.node;
        let given = variables.get(definition_name).is_some_and(|value| *value != async_graphql::Value::Null);
        let defaulted = definition.node.default_value.is_some() && !variables.contains_key(definition_name);
        if !variable_type.nullable && !given && !defaulted {
            return Err(Refused::VariableMissing {
                name: definition_name.to_string(),
                type_name: variable_type.to_string(),
                position: definition.pos,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
