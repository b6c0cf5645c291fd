use proptest::prelude::*;

use super::*;

fn records(file: &[u8], piece: usize) -> Vec<Record> {
    let (mut lines, mut records) = (Lines::default(), Vec::new());
    for piece in file.chunks(piece.max(1)) {
        lines.feed(piece);
        records.extend(std::iter::from_fn(|| lines.next()));
    }
    lines.finish();
    records.extend(std::iter::from_fn(|| lines.next()));
    records
}

/// The line on which each row begins, and its cells; none if it was refused.
fn rows(file: &[u8]) -> Vec<(u64, Option<Vec<String>>)> {
    let cells = |cells: &Cells| cells.iter().map(str::to_owned).collect();
    records(file, 3).iter().map(|record| (record.line, record.cells.as_ref().ok().map(cells))).collect()
}

fn row(line: u64, cells: &[&str]) -> (u64, Option<Vec<String>>) {
    (line, Some(cells.iter().map(|&cell| cell.to_owned()).collect()))
}

#[test]
fn rows_are_read_through_marks_breaks_and_quotes() {
    let file = b"\xef\xbb\xbfa,b\r\n\r\n\"1\r\n2\",\"say \"\"hi\"\"\"\r\n\n,\nJo \"x\" Y,z";
    assert_eq!(
        rows(file),
        [
            row(1, &["a", "b"]),
            row(3, &["1\r\n2", "say \"hi\""]),
            row(6, &["", ""]),
            row(7, &["Jo \"x\" Y", "z"]),
        ]
    );
    assert_eq!(rows(b"a"), [row(1, &["a"])]);
    assert_eq!(rows(b"\xef\xbb\xbf"), []);
}

#[test]
fn a_line_that_is_no_row_costs_itself_alone() {
    assert_eq!(
        rows(b"\"open,1\ngood,2\n\xff,4\nnul\0,5\ngood,6"),
        [(1, None), row(2, &["good", "2"]), (3, None), (4, None), row(5, &["good", "6"])]
    );
    let wide = ",".repeat(MOST_CELLS);
    assert_eq!(
        rows(format!("{wide}\ngood,2\n\"open,3").as_bytes()),
        [(1, None), row(2, &["good", "2"]), (3, None),]
    );
}

#[test]
fn what_follows_a_closing_quote_belongs_to_the_cell() {
    assert_eq!(rows(b"\"a\"b,\"1\"\r\n\"c\r\"\n"), [row(1, &["ab", "1"]), row(2, &["c\r"])]);
}

#[test]
fn a_row_beyond_all_measure_is_not_held() {
    for begin in ["", "\""] {
        let long = format!("{begin}{}\nnext,1\n", "x".repeat(3 * LONGEST_ROW));
        for piece in [1_000, LONGEST_ROW, long.len()] {
            let records = records(long.as_bytes(), piece);
            assert_eq!(
                records.iter().map(|it| (it.line, it.cells.is_ok())).collect::<Vec<_>>(),
                [(1, false), (2, true)]
            );
        }
    }
}

#[test]
fn of_a_long_file_little_is_held() {
    let (mut lines, mut count) = (Lines::default(), 0);
    for number in 0..20_000 {
        let rows = (0..10).map(|place| format!("2026-01-01,user{number}-{place}@contoso.com,7\r\n"));
        let piece = rows.collect::<Vec<_>>().concat();
        lines.feed(piece.as_bytes());
        count += std::iter::from_fn(|| lines.next()).count();
        assert!(lines.buffer.capacity() < 4 * piece.len(), "{}", lines.buffer.capacity());
    }
    assert_eq!(count, 200_000);
}

/// Pieces of what makes and breaks rows.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z]{1,4}".prop_map(String::into_bytes),
        3 => Just(b",".to_vec()),
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        2 => Just(b"\"".to_vec()),
        1 => Just(b"\"\"".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_arrives(
        written in proptest::collection::vec(proptest::collection::vec("[a\",\r\n é]{0,5}", 2), 1..6),
        piece in 1_usize..20,
    ) {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        for row in &written {
            writer.write_record(row).expect("a row");
        }
        let file = writer.into_inner().expect("a file");
        let read = records(&file, piece).into_iter().map(|record| record.cells.expect("a row"));
        let read: Vec<Vec<_>> = read.map(|cells| cells.iter().map(str::to_owned).collect()).collect();
        prop_assert_eq!(read, written);
    }

    /// Each line is in one record, and only empty ones are in none.
    #[test]
    fn no_line_is_lost(file in mangled(), has_mark: bool) {
        let text = file.strip_prefix(MARK).unwrap_or(&file);
        let whole = if has_mark { [MARK, text].concat() } else { text.to_vec() };
        let mut covered = 0;
        let all: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        let is_empty = |line: u64| all[usize::try_from(line - 1).expect("few")].iter().all(|byte| *byte == b'\r');
        for record in records(&whole, 7) {
            prop_assert!(record.line > covered && record.lines > 0);
            prop_assert!((covered + 1..record.line).all(is_empty), "before line {}", record.line);
            covered = record.line + record.lines - 1;
        }
        prop_assert!((covered + 1..=all.len() as u64).all(is_empty), "after line {}", covered);
    }

    #[test]
    fn rubbish_is_the_same_however_it_arrives(file in mangled(), piece in 1_usize..30) {
        prop_assert_eq!(records(&file, piece), records(&file, file.len()));
    }
}
