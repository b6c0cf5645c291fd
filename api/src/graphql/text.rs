//! How texts are compared, the same on both databases: without regard to case in ASCII, as ARM's names are,
//! and byte by byte where an order is asked for.

use async_graphql::Result;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, DbBackend};

use super::pager::check_length;
use crate::error::ErrorCode;

/// A column in lower case. It is `to_ascii_lowercase` in Rust.
pub fn folded(backend: DbBackend, column: impl ColumnTrait) -> Expr {
    let column = Expr::col(column.as_column_ref());
    if backend == DbBackend::Postgres {
        Expr::cust_with_expr("lower($1 collate \"C\")", column)
    } else {
        Expr::cust_with_expr("lower(?)", column)
    }
}

/// Holds where the column has `part` in it, in whichever case. There is no pattern, so nothing to escape.
pub fn contains(backend: DbBackend, column: impl ColumnTrait, argument: &str, part: &str) -> Result<Expr> {
    check(argument, part)?;
    let position = if backend == DbBackend::Postgres { "strpos" } else { "instr" };
    let position = Func::cust(position).arg(folded(backend, column)).arg(part.to_ascii_lowercase());
    Ok(Expr::from(position).gt(0))
}

/// Refuses a text that no database can hold.
pub fn check(argument: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(ErrorCode::BadInput.error(format!("{argument} has a NUL character in it.")));
    }
    Ok(())
}

/// A list of texts in lower case.
pub fn folded_list(argument: &str, texts: &[String]) -> Result<Vec<String>> {
    check_length(argument, texts)?;
    texts.iter().map(|text| check(argument, text).map(|()| text.to_ascii_lowercase())).collect()
}
