//! The tags of a resource, and their terms, as rows: a table `each` with the columns `key` and `value`.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, Func, FunctionCall};

/// What the table is called.
pub const EACH: &str = "each";

/// The terms in a column: they have no key.
pub fn terms(backend: DbBackend, column: Expr) -> FunctionCall {
    function(backend, "jsonb_array_elements_text", column)
}

/// The tags in a column: the key is the name.
pub fn tags(backend: DbBackend, column: Expr) -> FunctionCall {
    function(backend, "jsonb_each_text", column)
}

/// The column `key`.
pub fn key() -> Expr {
    Expr::col((EACH, "key"))
}

/// The column `value`.
pub fn value() -> Expr {
    Expr::col((EACH, "value"))
}

fn function(backend: DbBackend, of_postgres: &'static str, column: Expr) -> FunctionCall {
    Func::cust(if backend == DbBackend::Postgres { of_postgres } else { "json_each" }).arg(column)
}
