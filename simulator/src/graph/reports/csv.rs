//! A report as CSV, with whatever is odd about it.

use super::view::View;
use super::{Report, ReportMode, Row};

/// The byte order mark of UTF-8, with which files begin. (Their pages do not say so.)
const MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn written(report: &Report, view: &View<'_>, mode: &ReportMode) -> Vec<u8> {
    if *mode == ReportMode::Empty {
        return Vec::new();
    }
    let is_plain = *mode == ReportMode::Plain;
    let terminator = if is_plain { csv::Terminator::Any(b'\n') } else { csv::Terminator::CRLF };
    let mark = if is_plain { Vec::new() } else { MARK.to_vec() };
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(mark);
    let header: Row = report.header.split(',').map(str::to_owned).collect();
    let columns = Columns::of(&header, mode);
    let mut write = |row: &Row| {
        // Into memory: it cannot fail.
        let _ = writer.write_record(columns.chosen(row));
    };
    write(&header);
    if *mode != ReportMode::HeaderOnly {
        (report.rows)(view, &mut |row| write(&row));
    }
    writer.into_inner().unwrap_or_default()
}

/// Which columns are written, in which order; none: one that nobody knows.
struct Columns(Vec<Option<usize>>);

impl Columns {
    fn of(header: &Row, mode: &ReportMode) -> Self {
        let all = (0..header.len()).map(Some);
        Self(match mode {
            ReportMode::ExtraColumns => [None].into_iter().chain(all).chain([None]).collect(),
            ReportMode::MissingColumns(missing) => {
                let is_there = |index: usize| !missing.contains(&header[index]);
                all.filter(|column| column.is_none_or(is_there)).collect()
            }
            ReportMode::ReorderedColumns => all.rev().collect(),
            _ => all.collect(),
        })
    }

    fn chosen<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|column| match column {
            Some(column) => row.get(*column).map(String::as_str).unwrap_or_default(),
            None => "Copilot Last Activity Date, \"new\"",
        })
    }
}
