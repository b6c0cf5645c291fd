//! The columns of a report, by their names, and what their cells say.

use chrono::NaiveDate;

use super::lines::Cells;

/// A column that is read.
pub struct Column {
    pub(super) name: &'static str,
    /// Whether the report says nothing without it.
    pub(super) is_required: bool,
}

/// A row whose fields are columns.
pub trait Columns: Sized {
    /// In the order of the fields.
    const COLUMNS: &'static [Column];

    /// Reads a row, or says why not, without a word of what is in it.
    fn read(row: &mut Row<'_>) -> Result<Self, String>;
}

/// The cells of one row, in the order of the fields.
pub struct Row<'a> {
    pub(super) cells: &'a Cells,
    pub(super) columns: std::slice::Iter<'static, Column>,
    /// In which place of the row each column is.
    pub(super) places: std::slice::Iter<'a, Option<usize>>,
}

impl Row<'_> {
    pub(super) fn next<F: Field>(&mut self) -> Result<F, String> {
        let name = self.columns.next().map(|column| column.name).unwrap_or_default();
        let place = self.places.next().copied().flatten();
        let text = place.and_then(|place| self.cells.get(place)).map(str::trim);
        F::read(text.filter(|text| !text.is_empty())).map_err(|why| refusal(name, why))
    }
}

/// Why a cell cannot be read.
pub(super) fn refusal(column: &str, why: &str) -> String {
    format!("column \"{column}\": {why}")
}

/// What a field may be.
pub(super) trait Field: Sized {
    const IS_REQUIRED: bool;

    /// None: the cell is empty, or there is no such column.
    fn read(text: Option<&str>) -> Result<Self, &'static str>;
}

/// What a cell may say.
pub(super) trait Cell: Sized {
    fn read_cell(text: &str) -> Result<Self, &'static str>;
}

impl<T: Cell> Field for T {
    const IS_REQUIRED: bool = true;

    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        T::read_cell(text.ok_or("it is empty")?)
    }
}

impl<T: Cell> Field for Option<T> {
    const IS_REQUIRED: bool = false;

    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        text.map(T::read_cell).transpose()
    }
}

/// Products, which are joined by `+`.
impl Field for Vec<String> {
    const IS_REQUIRED: bool = false;

    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        let products = text.unwrap_or_default().split('+').map(str::trim);
        Ok(products.filter(|product| !product.is_empty()).map(str::to_owned).collect())
    }
}

impl Cell for String {
    fn read_cell(text: &str) -> Result<Self, &'static str> {
        Ok(text.to_owned())
    }
}

impl Cell for NaiveDate {
    fn read_cell(text: &str) -> Result<Self, &'static str> {
        Self::parse_from_str(text, "%Y-%m-%d").map_err(|_| "it is no date")
    }
}

impl Cell for u64 {
    fn read_cell(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "it is no count")
    }
}

/// Some reports write `True`, and some `Yes`.
impl Cell for bool {
    fn read_cell(text: &str) -> Result<Self, &'static str> {
        let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match (is(["true", "yes"]), is(["false", "no"])) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err("it is neither yes nor no"),
        }
    }
}

/// Declares a row: its fields, each with the name of its column. A field that is no `Option` and no list needs its
/// column, and a value in every row; `required` makes the column needed, not the value.
macro_rules! report {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$field_about:meta])* $field:ident: $kind:ty = $column:literal $(, required = $required:literal)?;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $kind,)*
        }

        impl $crate::graph::report::columns::Columns for $name {
            const COLUMNS: &'static [$crate::graph::report::columns::Column] = &[$(
                $crate::graph::report::columns::Column {
                    name: $column,
                    is_required: <$kind as $crate::graph::report::columns::Field>::IS_REQUIRED $(|| $required)?,
                }
            ),*];

            fn read(row: &mut $crate::graph::report::columns::Row<'_>) -> Result<Self, String> {
                Ok(Self { $($field: row.next()?),* })
            }
        }

        impl $crate::graph::report::Report for $name {
            const KIND: $crate::ReportKind = $crate::ReportKind::$name;
        }
    };
}

pub(super) use report;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<F: Field>(text: &str) -> Result<F, &'static str> {
        F::read(Some(text).filter(|text| !text.is_empty()))
    }

    #[test]
    fn cells_say_what_they_say() {
        assert_eq!(read("2026-01-31"), Ok(NaiveDate::from_ymd_opt(2026, 1, 31)));
        assert_eq!(read::<Option<NaiveDate>>(""), Ok(None));
        assert_eq!(read::<u64>("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(
            ["True", "yes", "FALSE", "No"].map(read::<bool>),
            [Ok(true), Ok(true), Ok(false), Ok(false)]
        );
        assert_eq!(read::<Vec<String>>("A + B+"), Ok(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(read::<Vec<String>>(""), Ok(vec![]));
    }

    #[test]
    fn what_is_odd_is_never_taken_for_nothing() {
        assert!(read::<Option<NaiveDate>>("31/01/2026").is_err());
        assert!(read::<Option<u64>>("-1").is_err() && read::<Option<u64>>("1.5").is_err());
        assert!(read::<Option<bool>>("1").is_err());
        assert!(read::<String>("").is_err() && read::<NaiveDate>("").is_err());
    }
}
