//! Cells that no spreadsheet takes for a formula.
//!
//! <https://owasp.org/www-community/attacks/CSV_Injection>

use std::borrow::Cow;

/// The text as a cell: an apostrophe goes before what would be a formula. What is exported is not imported again, so
/// that it cannot be told from the text's own does no harm.
pub(super) fn neutralise(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_gets_an_apostrophe_and_nothing_else_does() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(neutralise(formula), format!("'{formula}"));
        }
        for text in ["", "a=b", "1", "ada@contoso.example", "'quoted'", " =1"] {
            assert_eq!(neutralise(text), text);
        }
    }
}
