//! Rows of a CSV file (RFC 4180), as its pieces arrive.
//!
//! A reader that only knows the grammar takes everything after a quote that is never closed for one cell, and rows
//! vanish without a word. Here a line that is no row costs itself alone: reading goes on at the next line.

/// A longer row is none.
const LONGEST_ROW: usize = 32 << 10;
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
        let rest = self.rest();
        let piece = &rest[..rest.len().min(LONGEST_ROW)];
        let line = self.line + 1;
        let why = match split(piece, self.is_whole && rest.len() < LONGEST_ROW) {
            Split::Row { cells, length } => {
                let has_no_end = piece[..length].last() != Some(&b'\n');
                let lines = breaks(&piece[..length]) + u64::from(has_no_end);
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
    pub fn hides_row(&self, width: usize) -> bool {
        let row = self.buffer.get(self.began.0..self.read).unwrap_or_default();
        let is_row =
            |line| matches!(split(line, true), Split::Row { cells: Ok(cells), .. } if cells.len() == width);
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
        let (lines, is_there) = (breaks(&rest[..blank]), blank < rest.len());
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

fn breaks(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Begin,
    Plain,
    Quoted,
    /// After a quote in quotes: it is their end, or half of a doubled one.
    Quote,
    /// After a carriage return behind quotes.
    Return,
}

fn split(bytes: &[u8], is_end: bool) -> Split {
    let (mut text, mut ends, mut place) = (Vec::new(), Vec::new(), Place::Begin);
    for (index, byte) in bytes.iter().enumerate() {
        place = match (place, byte) {
            (Place::Quoted, b'"') => Place::Quote,
            (Place::Begin, b'"') => Place::Quoted,
            (Place::Quoted, _) | (Place::Quote, b'"') => {
                text.push(*byte);
                Place::Quoted
            }
            (Place::Begin | Place::Plain | Place::Quote | Place::Return, b'\n') => {
                if place == Place::Plain {
                    text.pop_if(|last| *last == b'\r');
                }
                ends.push(text.len());
                return Split::Row { cells: cells(text, ends), length: index + 1 };
            }
            (Place::Begin | Place::Plain | Place::Quote, b',') => {
                ends.push(text.len());
                Place::Begin
            }
            (Place::Quote, b'\r') => Place::Return,
            (Place::Quote | Place::Return, _) => return Split::Broken("something follows a closing quote"),
            (Place::Begin | Place::Plain, _) => {
                text.push(*byte);
                Place::Plain
            }
        };
    }
    match place {
        _ if !is_end => Split::Open,
        Place::Quoted => Split::Broken("a quote is not closed"),
        _ => {
            ends.push(text.len());
            Split::Row { cells: cells(text, ends), length: bytes.len() }
        }
    }
}

fn cells(text: Vec<u8>, ends: Vec<usize>) -> Result<Cells, &'static str> {
    let text = String::from_utf8(text).map_err(|_| "the row is not UTF-8")?;
    // No database takes it.
    if text.contains('\0') {
        return Err("the row holds a zero byte");
    }
    Ok(Cells { text, ends })
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
