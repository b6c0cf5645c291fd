//! The rows of a CSV file (RFC 4180), read as its pieces arrive.

use csv_core::{ReadRecordResult, Reader};

use super::{LONGEST_ROW, RowRefused};

const MOST_CELLS: usize = 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A row: on which line it begins, and its cells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) cells: Result<Vec<String>, RowRefused>,
}

/// Reads rows. However long a row is, no more of it is kept than is allowed.
pub(super) struct Rows {
    reader: Reader,
    cells: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    is_too_long: bool,
    grammar: Grammar,
    /// The line that is read now.
    line: u64,
    /// The line on which the row began; none: nothing of it was read.
    began: Option<u64>,
    /// The first bytes, until it is known whether they are a mark of the byte order.
    head: Option<Vec<u8>>,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            reader: Reader::new(),
            cells: vec![0; LONGEST_ROW],
            filled: 0,
            ends: vec![0; MOST_CELLS],
            ended: 0,
            is_too_long: false,
            grammar: Grammar::default(),
            line: 1,
            began: None,
            head: Some(Vec::new()),
        }
    }

    /// Reads the next piece, and gives `take` each row that it completes, until that fails.
    pub(super) fn read<E>(
        &mut self,
        piece: &[u8],
        take: &mut impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(mut head) = self.head.take() else { return self.parse(piece, take) };
        head.extend_from_slice(piece);
        if head.len() < BOM.len() {
            self.head = Some(head);
            return Ok(());
        }
        self.parse(head.strip_prefix(BOM).unwrap_or(&head), take)
    }

    /// Gives `take` the last row, which need not end with a line break.
    pub(super) fn finish<E>(&mut self, take: &mut impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        if let Some(head) = self.head.take() {
            self.parse(&head, take)?;
        }
        while self.step(&[]).0 {
            take(self.row(true))?;
        }
        Ok(())
    }

    fn parse<E>(&mut self, mut piece: &[u8], take: &mut impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        // To the parser an empty piece is the end.
        while !piece.is_empty() {
            let (is_complete, read) = self.step(piece);
            piece = &piece[read..];
            if is_complete {
                take(self.row(false))?;
            }
        }
        Ok(())
    }

    /// Reads on to the end of the row or of the piece: whether the row is complete, and how much was read.
    fn step(&mut self, piece: &[u8]) -> (bool, usize) {
        let mut read = 0;
        loop {
            let (cells, ends) = (&mut self.cells[self.filled..], &mut self.ends[self.ended..]);
            let (result, taken, filled, ended) = self.reader.read_record(&piece[read..], cells, ends);
            self.follow(&piece[read..read + taken]);
            read += taken;
            self.filled += filled;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return (false, read),
                ReadRecordResult::Record => return (true, read),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    self.is_too_long = true;
                    (self.filled, self.ended) = (0, 0);
                }
            }
        }
    }

    fn follow(&mut self, read: &[u8]) {
        for byte in read {
            let is_break = matches!(byte, b'\r' | b'\n');
            if self.began.is_none() && !is_break {
                self.began = Some(self.line);
            }
            self.line += u64::from(*byte == b'\n');
            self.grammar.follow(*byte);
        }
    }

    fn row(&mut self, is_end: bool) -> Row {
        let line = self.began.take().unwrap_or(self.line);
        let is_malformed = self.grammar.is_broken(is_end);
        let cells = if std::mem::take(&mut self.is_too_long) {
            Err(RowRefused::TooLong)
        } else if is_malformed {
            Err(RowRefused::Malformed)
        } else {
            self.texts()
        };
        (self.filled, self.ended, self.grammar) = (0, 0, Grammar::default());
        Row { line, cells }
    }

    fn texts(&self) -> Result<Vec<String>, RowRefused> {
        let text = std::str::from_utf8(&self.cells[..self.filled]).map_err(|_| RowRefused::Malformed)?;
        if text.contains('\0') {
            return Err(RowRefused::Malformed);
        }
        let mut begin = 0;
        let cells = self.ends[..self.ended].iter().map(|end| {
            let cell = text.get(begin..*end).map(str::to_owned);
            begin = *end;
            cell.ok_or(RowRefused::Malformed)
        });
        cells.collect()
    }
}

/// The grammar of RFC 4180, to which the parser does not hold anybody.
#[derive(Clone, Copy, Default)]
struct Grammar {
    place: Place,
    is_broken: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quote in quotes: it is the end, or half of a doubled one.
    Quote,
}

impl Grammar {
    fn follow(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::Start | Place::Quote, b'"') | (Place::Quoted, 0..=33 | 35..) => Place::Quoted,
            (Place::Quoted, b'"') => Place::Quote,
            (_, b',' | b'\r' | b'\n') => Place::Start,
            (Place::Start, _) => Place::Plain,
            (Place::Plain, byte) => {
                self.is_broken |= byte == b'"';
                Place::Plain
            }
            (Place::Quote, _) => {
                self.is_broken = true;
                Place::Plain
            }
        };
    }

    fn is_broken(self, is_end: bool) -> bool {
        self.is_broken || is_end && self.place == Place::Quoted
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn rows(file: &[u8], piece: usize) -> Vec<Row> {
        let (mut rows, mut all) = (Rows::new(), Vec::new());
        let mut take = |row| {
            all.push(row);
            Ok::<(), Infallible>(())
        };
        for piece in file.chunks(piece.max(1)) {
            rows.read(piece, &mut take).unwrap();
        }
        rows.finish(&mut take).unwrap();
        all
    }

    fn row(line: u64, cells: &[&str]) -> Row {
        Row { line, cells: Ok(cells.iter().map(|&cell| cell.to_owned()).collect()) }
    }

    #[test]
    fn what_is_no_row_is_refused_and_the_next_is_read() {
        let refused = |line, why| Row { line, cells: Err(why) };
        assert_eq!(
            rows(b"a\"b,c\n\"a\"b\n\xff,x\nx,\0\ngood,1\n\"open", 3),
            [
                refused(1, RowRefused::Malformed),
                refused(2, RowRefused::Malformed),
                refused(3, RowRefused::Malformed),
                refused(4, RowRefused::Malformed),
                row(5, &["good", "1"]),
                refused(6, RowRefused::Malformed),
            ]
        );
        let long = [b"x".repeat(3 * LONGEST_ROW), b"\nnext".to_vec()].concat();
        assert_eq!(rows(&long, 1000), [refused(1, RowRefused::TooLong), row(2, &["next"])]);
    }

    #[test]
    fn lines_are_counted_through_blank_ones_and_quoted_breaks() {
        let file = b"\xef\xbb\xbf\"a\",b\r\n\r\n\"1\r\n2\",\"say \"\"hi\"\"\"\r\nlast,\r\n";
        let expected = [row(1, &["a", "b"]), row(3, &["1\r\n2", "say \"hi\""]), row(5, &["last", ""])];
        for piece in 1..file.len() {
            assert_eq!(rows(file, piece), expected, "in pieces of {piece}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_arrives(
            cells in proptest::collection::vec(proptest::collection::vec("[a\",\r\n é]{0,5}", 2), 1..6),
            piece in 1_usize..20,
        ) {
            let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let read: Vec<_> = rows(&writer.into_inner().unwrap(), piece).into_iter().map(|row| row.cells.unwrap()).collect();
            prop_assert_eq!(read, cells);
        }

        #[test]
        fn rubbish_breaks_nothing(file in proptest::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            prop_assert_eq!(rows(&file, piece), rows(&file, 200));
        }
    }
}
