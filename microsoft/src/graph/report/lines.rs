//! Rows of a CSV file (RFC 4180), as its pieces arrive.
//!
//! The grammar is that of the crate `csv`, which takes everything after a quote that is never closed for one cell, so
//! that rows vanish without a word. Here a line that is no row costs itself alone: reading goes on at the next line.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

/// A longer row is none.
const LONGEST_ROW: usize = 32 << 10;
/// A row of as many cells is none.
const MOST_CELLS: usize = 1 << 10;
/// The byte order mark of UTF-8, with which Microsoft's files begin.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What begins at a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// On which line it begins, from 1.
    pub line: u64,
    /// How many lines it takes: more than one if there are line breaks in its quotes.
    pub lines: u64,
    pub cells: Result<Cells, &'static str>,
}

/// The cells of a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, place: usize) -> Option<&str> {
        let begin = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(begin..*self.ends.get(place)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

/// Reads rows. Of the file it keeps the last piece, and as much before it as a row is long.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// So much of the buffer has been read.
    read: usize,
    /// How many lines have been read.
    line: u64,
    /// What both were where the last row began.
    began: (usize, u64),
    /// Whether the bytes that come next are the rest of a line that was refused.
    in_refused: bool,
    has_begun: bool,
    is_whole: bool,
    grammar: Grammar,
}

impl Lines {
    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// No more pieces follow.
    pub fn finish(&mut self) {
        self.is_whole = true;
    }

    /// The next row; none: a piece is wanted, or there is no more. Empty lines are no rows.
    pub fn next(&mut self) -> Option<Record> {
        if !self.is_at_row() {
            return None;
        }
        self.began = (self.read, self.line);
        let rest = &self.buffer[self.read..];
        let piece = &rest[..rest.len().min(LONGEST_ROW)];
        let line = self.line + 1;
        let why = match self.grammar.split(piece, self.is_whole && rest.len() < LONGEST_ROW) {
            Split::Row { cells, length } => {
                let has_no_end = piece[..length].last() != Some(&b'\n');
                let lines = count_of(b'\n', &piece[..length]) + u64::from(has_no_end);
                self.line += lines;
                self.read += length;
                return Some(Record { line, lines, cells });
            }
            Split::Open if piece.len() < LONGEST_ROW => return None,
            Split::Open => "the row is too long",
            Split::Broken(why) => why,
        };
        self.in_refused = !self.skip_line();
        Some(Record { line, lines: 1, cells: Err(why) })
    }

    /// Whether a line of the last row, other than its first, is a row of so many cells by itself.
    pub fn hides_row(&mut self, width: usize) -> bool {
        let (row, grammar) = (&self.buffer[self.began.0..self.read], &mut self.grammar);
        let is_row = |line| matches!(grammar.split(line, true), Split::Row { cells: Ok(cells), .. } if cells.len() == width);
        row.split_inclusive(|byte| *byte == b'\n').skip(1).any(is_row)
    }

    /// Takes the last row, of more lines than one, for its first line alone: reading goes on at the second.
    pub fn reread(&mut self) {
        (self.read, self.line) = self.began;
        self.in_refused = !self.skip_line();
    }

    /// Reads on to where a row begins, if that is there.
    fn is_at_row(&mut self) -> bool {
        if !self.has_begun {
            if self.buffer.len() < MARK.len() && !self.is_whole {
                return false;
            }
            self.has_begun = true;
            self.read = if self.buffer.starts_with(MARK) { MARK.len() } else { 0 };
        }
        if self.in_refused {
            self.in_refused = !self.skip_line();
        }
        let rest = self.rest();
        let blank = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (lines, is_there) = (count_of(b'\n', &rest[..blank]), blank < rest.len());
        self.line += lines;
        self.read += blank;
        is_there
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.read..).unwrap_or_default()
    }

    /// Whether the rest of the line is there; it is read in any case.
    fn skip_line(&mut self) -> bool {
        let rest = self.rest();
        let end = rest.iter().position(|byte| *byte == b'\n');
        self.read += end.map_or(rest.len(), |end| end + 1);
        self.line += u64::from(end.is_some());
        end.is_some()
    }
}

fn count_of(wanted: u8, bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == wanted)).sum()
}

/// What the bytes begin with.
enum Split {
    Row {
        cells: Result<Cells, &'static str>,
        length: usize,
    },
    /// The row does not end here.
    Open,
    Broken(&'static str),
}

/// The grammar of the crate `csv`, and room for what it finds.
struct Grammar {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Default for Grammar {
    fn default() -> Self {
        Self {
            // A line ends with its feed alone: a return within a cell is text.
            reader: ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build(),
            text: vec![0; LONGEST_ROW + 1],
            ends: vec![0; MOST_CELLS],
        }
    }
}

impl Grammar {
    /// Of at most [`LONGEST_ROW`] bytes.
    fn split(&mut self, bytes: &[u8], is_end: bool) -> Split {
        self.reader.reset();
        let (mut found, length, written, mut count) =
            self.reader.read_record(bytes, &mut self.text, &mut self.ends);
        if found == ReadRecordResult::InputEmpty && is_end {
            if count_of(b'"', bytes) % 2 == 1 {
                return Split::Broken("a quote is not closed");
            }
            let (text, ends) = (&mut self.text[written..], &mut self.ends[count..]);
            let (at_end, _, _, last) = self.reader.read_record(&[], text, ends);
            (found, count) = (at_end, count + last);
        }
        match found {
            ReadRecordResult::Record => {
                let row = bytes[..length].strip_suffix(b"\n").unwrap_or(&bytes[..length]);
                let returned = usize::from(row.ends_with(b"\r"));
                self.ends[count - 1] -= returned;
                Split::Row { cells: cells(&self.text[..written - returned], &self.ends[..count]), length }
            }
            ReadRecordResult::OutputEndsFull => Split::Broken("the row has too many cells"),
            _ => Split::Open,
        }
    }
}

fn cells(text: &[u8], ends: &[usize]) -> Result<Cells, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "the row is not UTF-8")?;
    // No database takes it.
    if text.contains('\0') {
        return Err("the row holds a zero byte");
    }
    Ok(Cells { text: text.to_owned(), ends: ends.to_vec() })
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
