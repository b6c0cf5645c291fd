//! How texts are compared, the same on both databases: without regard to case in ASCII, as ARM's names are,
//! and byte by byte where an order is asked for.

use async_graphql::Result;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, DbBackend};

use super::pager::check_length;
use crate::error::ErrorCode;

/// A column in lower case. It is `to_ascii_lowercase` in Rust.
pub fn folded(backend: DbBackend, column: impl ColumnTrait) -> Expr {
    folded_text(backend, Expr::col(column.as_column_ref()))
}

/// A text in lower case, likewise.
pub fn folded_text(backend: DbBackend, text: Expr) -> Expr {
    if backend == DbBackend::Postgres {
        Expr::cust_with_expr("lower($1 collate \"C\")", text)
    } else {
        Expr::cust_with_expr("lower(?)", text)
    }
}

/// Holds where the column has `part` in it, in whichever case. There is no pattern, so nothing to escape.
pub fn contains(backend: DbBackend, column: impl ColumnTrait, argument: &str, part: &str) -> Result<Expr> {
    check(argument, part)?;
    Ok(within(backend, folded(backend, column), &part.to_ascii_lowercase()))
}

/// Holds where the text has `part` in it, in this case.
pub fn within(backend: DbBackend, text: Expr, part: &str) -> Expr {
    Expr::from(Func::cust(position(backend)).arg(text).arg(part)).gt(0)
}

/// The function that tells where a text is in another.
fn position(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "strpos" } else { "instr" }
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
