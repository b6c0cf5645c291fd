//! Cells that no spreadsheet takes for a formula.
//!
//! <https://owasp.org/www-community/attacks/CSV_Injection>

use std::borrow::Cow;

const BEGINS_A_FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The text as a cell. An apostrophe goes before what would be a formula, and before what looks as if it had got one:
/// so [`restore`] knows which apostrophes are not the text's own.
pub(super) fn neutralise(text: &str) -> Cow<'_, str> {
    if looks_neutralised(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text of a cell.
pub(super) fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if looks_neutralised(text) => text,
        _ => cell,
    }
}

fn looks_neutralised(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINS_A_FORMULA)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_formula_gets_an_apostrophe_and_nothing_else_does() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(neutralise(formula), format!("'{formula}"));
        }
        for text in ["", "a=b", "'", "'quoted'", " =1"] {
            assert_eq!(neutralise(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_round_trip_changes_nothing(text in "['=+@\t\r-]{0,4}.{0,6}") {
            let cell = neutralise(&text);
            prop_assert!(!cell.starts_with(BEGINS_A_FORMULA));
            prop_assert_eq!(restore(&cell), &text);
        }
    }
}
