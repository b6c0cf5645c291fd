//! Rows by the names of their columns. Whatever cannot be read is counted, and said why.

use std::marker::PhantomData;

use chrono::NaiveDate;

use super::columns::{Columns, Field, Row, refusal};
use super::lines::{Cells, Lines};
use crate::MicrosoftError;
use crate::error::{Detail, codes};

/// All rows of a file have the same.
const REFRESH_DATE: &str = "Report Refresh Date";
/// Whose the row is, in the reports that have one.
const NAMES: [&str; 2] = ["User Principal Name", "Owner Principal Name"];
/// How many refused rows are described.
const DESCRIBED: usize = 20;

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// On which line of the file it begins, from 1.
    pub line: u64,
    /// Which column is to blame and why; never what is in it, which may be a name.
    pub reason: String,
}

/// The rows of a file, as far as they have been read.
pub(super) struct Table<R> {
    lines: Lines,
    header: Option<Header>,
    tally: Tally,
    rows: PhantomData<fn() -> R>,
}

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub refresh_date: Option<NaiveDate>,
    pub read: u64,
    pub refused: u64,
    /// The first of the refused.
    pub refusals: Vec<Refused>,
    /// How many rows name somebody.
    names: u64,
    /// In how many of them it is a name by which one can sign in.
    plain_names: u64,
}

impl Tally {
    /// Whether most names are no names; none: no row names anybody.
    pub fn conceals_names(&self) -> Option<bool> {
        (self.names > 0).then(|| self.plain_names * 2 < self.names)
    }

    fn refuse(&mut self, line: u64, reason: String) {
        self.refused += 1;
        if self.refusals.len() < DESCRIBED {
            self.refusals.push(Refused { line, reason });
        }
    }
}

impl<R: Columns> Table<R> {
    pub fn new() -> Self {
        Self { lines: Lines::default(), header: None, tally: Tally::default(), rows: PhantomData }
    }

    /// Takes the next piece of the file; none: it is whole.
    pub fn feed(&mut self, piece: Option<&[u8]>) {
        match piece {
            Some(piece) => self.lines.feed(piece),
            None => self.lines.finish(),
        }
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Reads the header, unless that is done; false: too little of the file is there.
    pub fn begin(&mut self) -> Result<bool, MicrosoftError> {
        if self.header.is_none() {
            let Some(record) = self.lines.next() else { return Ok(false) };
            let cells = record.cells.map_err(|why| unreadable(format!("the header: {why}"), None))?;
            self.header = Some(Header::of::<R>(&cells)?);
        }
        Ok(true)
    }

    /// The next row that can be read; none: too little of the file is there.
    pub fn next(&mut self) -> Option<R> {
        let header = self.header.as_ref()?;
        while let Some(record) = self.lines.next() {
            let tally = &mut self.tally;
            let (width, lines) = (header.width, &mut self.lines);
            let is_torn = |cells: &Cells| cells.len() != width || lines.hides_row(width);
            let row = if record.lines > 1 && record.cells.as_ref().map_or(true, is_torn) {
                // Between two stray quotes whole rows would vanish in one cell.
                lines.reread();
                Err("a quote is not closed on its line".to_owned())
            } else {
                record.cells.map_err(str::to_owned).and_then(|cells| header.row(&cells, tally))
            };
            match row {
                Ok(row) => {
                    tally.read += 1;
                    return Some(row);
                }
                Err(reason) => tally.refuse(record.line, reason),
            }
        }
        None
    }
}

/// Where in a row the columns are.
struct Header {
    width: usize,
    refresh_date: usize,
    name: Option<usize>,
    /// In the order of the fields.
    places: Vec<Option<usize>>,
}

impl Header {
    fn of<R: Columns>(cells: &Cells) -> Result<Self, MicrosoftError> {
        let names: Vec<_> = cells.iter().map(simple).collect();
        let place = |column: &str| names.iter().position(|name| *name == simple(column));
        let missing = |column| unreadable(format!("there is no column \"{column}\""), Some(column));
        if let Some(column) = R::COLUMNS.iter().find(|it| it.is_required && place(it.name).is_none()) {
            return Err(missing(column.name));
        }
        Ok(Self {
            width: cells.len(),
            refresh_date: place(REFRESH_DATE).ok_or_else(|| missing(REFRESH_DATE))?,
            name: NAMES.into_iter().find_map(place),
            places: R::COLUMNS.iter().map(|column| place(column.name)).collect(),
        })
    }

    fn row<R: Columns>(&self, cells: &Cells, tally: &mut Tally) -> Result<R, String> {
        if cells.len() != self.width {
            return Err(format!("it has {} cells, and the header {}", cells.len(), self.width));
        }
        let date = NaiveDate::read(cells.get(self.refresh_date).map(str::trim));
        let date = date.map_err(|why| refusal(REFRESH_DATE, why))?;
        if tally.refresh_date.is_some_and(|known| known != date) {
            return Err(refusal(REFRESH_DATE, "it is not that of the rows before"));
        }
        let (columns, places) = (R::COLUMNS.iter(), self.places.iter());
        let row = R::read(&mut Row { cells, columns, places })?;
        tally.refresh_date = Some(date);
        let name = self.name.and_then(|place| cells.get(place)).map(str::trim);
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            tally.names += 1;
            tally.plain_names += u64::from(name.contains('@'));
        }
        Ok(row)
    }
}

/// The name of a column without what its spellings differ in.
fn simple(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn unreadable(why: String, column: Option<&str>) -> MicrosoftError {
    let obstacles = column.map(str::to_owned).into_iter().collect();
    MicrosoftError::new(Detail { obstacles, ..Detail::new(&codes::REPORT_UNREADABLE, why) }, None)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
