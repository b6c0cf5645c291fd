use proptest::prelude::*;

use super::super::mailbox::Mailbox;
use super::super::one_drive::OneDrive;
use super::super::service_counts::ServiceCounts;
use super::*;

fn read<R: Columns>(file: &[u8], piece: usize) -> Result<(Vec<R>, Table<R>), MicrosoftError> {
    let (mut table, mut rows) = (Table::new(), Vec::new());
    for piece in file.chunks(piece.max(1)).map(Some).chain([None]) {
        table.feed(piece);
        if table.begin()? {
            rows.extend(std::iter::from_fn(|| table.next()));
        }
    }
    Ok((rows, table))
}

fn mailboxes(text: &str) -> (Vec<Mailbox>, Table<Mailbox>) {
    read(text.as_bytes(), 5).expect("a report")
}

fn reasons(table: &Table<Mailbox>) -> Vec<(u64, &str)> {
    table.tally().refusals.iter().map(|refused| (refused.line, refused.reason.as_str())).collect()
}

#[test]
fn columns_are_found_by_name_in_any_spelling_and_order() {
    let (rows, table) = mailboxes(
        "new,  user principal NAME,Storage Used(Byte),\"ReportRefreshDate\",Is Deleted,Deleted Date\n\
         ?,a@contoso.com,12,2026-01-09,no,\n",
    );
    let [mailbox] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((mailbox.principal_name.as_str(), mailbox.storage_used_bytes), ("a@contoso.com", Some(12)));
    assert_eq!((mailbox.is_deleted, mailbox.deleted_on, mailbox.item_count), (Some(false), None, None));
    assert_eq!(table.tally().refresh_date, NaiveDate::from_ymd_opt(2026, 1, 9));
}

#[test]
fn a_report_without_what_it_is_about_names_the_column() {
    for (file, column) in [
        ("User Principal Name,Item Count\n", REFRESH_DATE),
        ("Report Refresh Date,Item Count\n", "User Principal Name"),
        ("<html><body>Bad Gateway</body></html>", "User Principal Name"),
    ] {
        let error = read::<Mailbox>(file.as_bytes(), 9).err().expect("a refusal");
        assert_eq!((error.code(), error.obstacles()), ("REPORT_UNREADABLE", [column.to_owned()].as_slice()));
        assert!(error.to_string().contains(column));
    }
    let ownerless = read::<OneDrive>(b"Report Refresh Date,Site URL\n", 9).err().expect("a refusal");
    assert_eq!(ownerless.obstacles(), ["Owner Principal Name"]);
    let (rows, _) =
        read::<OneDrive>(b"Report Refresh Date,Owner Principal Name\n2026-01-09,\n", 9).expect("one");
    assert_eq!(rows.len(), 1, "one without an owner is one");
    assert!(read::<ServiceCounts>(b"\"Report Refresh Date\n", 9).is_err(), "a header in open quotes");
}

#[test]
fn a_row_that_cannot_be_read_is_described_without_what_is_in_it() {
    let (rows, table) = mailboxes(
        "Report Refresh Date,User Principal Name,Item Count,Has Archive,Last Activity Date\n\
         2026-01-09,a@contoso.com,1,True,2026-01-08\n\
         2026-01-09,secret,many,True,\n\
         2026-01-09,secret,1,perhaps,\n\
         2026-01-09,secret,1,True,yesterday\n\
         secret,secret,1,True,\n\
         2026-01-10,secret,1,True,\n\
         2026-01-09,,1,True,\n\
         2026-01-09,secret\n\
         2026-01-09,\"secret,1,True,\n\
         2026-01-09,z@contoso.com,1,True,\n",
    );
    assert_eq!(
        rows.iter().map(|it| it.principal_name.as_str()).collect::<Vec<_>>(),
        ["a@contoso.com", "z@contoso.com"]
    );
    assert_eq!((table.tally().read, table.tally().refused), (2, 8));
    assert_eq!(
        reasons(&table),
        [
            (3, "column \"Item Count\": it is no count"),
            (4, "column \"Has Archive\": it is neither yes nor no"),
            (5, "column \"Last Activity Date\": it is no date"),
            (6, "column \"Report Refresh Date\": it is no date"),
            (7, "column \"Report Refresh Date\": it is not that of the rows before"),
            (8, "column \"User Principal Name\": it is empty"),
            (9, "it has 2 cells, and the header 5"),
            (10, "a quote is not closed"),
        ]
    );
}

#[test]
fn nothing_vanishes_between_two_stray_quotes() {
    let (rows, table) = mailboxes(
        "Report Refresh Date,User Principal Name,Item Count\n\
         2026-01-09,\"ann@contoso.com,1\n\
         2026-01-09,bob@contoso.com,2\n\
         2026-01-09,eve@contoso.com\",\n\
         2026-01-09,joe@contoso.com,4\n\
         2026-01-09,\"zoe@contoso.com\n of two lines\",5\n\
         2026-01-09,\"ida@contoso.com,6\n\
         2026-01-09,kim@contoso.com,\"7\n",
    );
    let names: Vec<_> = rows.iter().map(|row| row.principal_name.as_str()).collect();
    assert_eq!(
        names,
        ["bob@contoso.com", "eve@contoso.com\"", "joe@contoso.com", "zoe@contoso.com\n of two lines"]
    );
    assert_eq!(
        reasons(&table),
        [
            (2, "a quote is not closed on its line"),
            (8, "a quote is not closed on its line"),
            (9, "a quote is not closed"),
        ]
    );
}

#[test]
fn nothing_vanishes_with_what_is_not_utf_8() {
    let file = b"Report Refresh Date,User Principal Name\n\
        2026-01-09,\"\xff\n\
        2026-01-09,bob@contoso.com\n\
        2026-01-09\",x\n";
    let (rows, table) = read::<Mailbox>(file, 9).expect("a report");
    assert_eq!((rows.len(), table.tally().refused), (1, 2));
}

#[test]
fn all_are_counted_and_some_described() {
    let text = format!("Report Refresh Date,User Principal Name\n{}", "2026-01-09\n".repeat(50));
    let (rows, table) = mailboxes(&text);
    assert_eq!((rows.len(), table.tally().refused, table.tally().refusals.len()), (0, 50, DESCRIBED));
    assert_eq!(table.tally().refresh_date, None, "no row was read");
}

#[test]
fn concealed_names_are_known_by_what_they_lack() {
    let conceals = |names: &[&str]| {
        let rows: Vec<_> = names.iter().map(|name| format!("2026-01-09,{name}\n")).collect();
        let file = format!("Report Refresh Date,Owner Principal Name\n{}", rows.concat());
        let (_, table) = read::<OneDrive>(file.as_bytes(), 99).expect("a report");
        table.tally().conceals_names()
    };
    assert_eq!(conceals(&[]), None);
    assert_eq!(conceals(&["", ""]), None);
    assert_eq!(conceals(&["a@b", "F00D", "c@d", ""]), Some(false));
    assert_eq!(conceals(&["a@b", "F00D", "BEEF"]), Some(true));
}

const COLUMNS: [&str; 5] =
    ["Report Refresh Date", "User Principal Name", "Item Count", "Has Archive", "Somebody's Own"];

/// What happens to a line on its way.
#[derive(Clone, Debug)]
enum Mishap {
    None,
    Cut(usize),
    /// These bytes, which do not end a line, come into it.
    Struck(usize, Vec<u8>),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let byte = prop_oneof![any::<u8>(), Just(b'"')].prop_filter("it ends the line", |byte| *byte != b'\n');
    prop_oneof![
        4 => Just(Mishap::None),
        1 => (0_usize..40).prop_map(Mishap::Cut),
        1 => (0_usize..40, proptest::collection::vec(byte, 1..5)).prop_map(|(at, with)| Mishap::Struck(at, with)),
    ]
}

fn struck(line: &str, mishap: &Mishap) -> Vec<u8> {
    let mut line = line.as_bytes().to_vec();
    match mishap {
        Mishap::None => {}
        Mishap::Cut(at) => line.truncate(*at),
        Mishap::Struck(at, with) => {
            let at = (*at).min(line.len());
            line.splice(at..at, with.iter().copied());
        }
    }
    line
}

proptest! {
    #[test]
    fn what_is_read_and_what_is_refused_is_all_there_is(
        order in Just((0..COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle(),
        mishaps in proptest::collection::vec(mishap(), 0..40),
        (has_mark, has_returns) in any::<(bool, bool)>(),
        piece in 1_usize..50,
    ) {
        let line = |cells: [&str; 5]| order.iter().map(|place| cells[*place]).collect::<Vec<_>>().join(",");
        let good = line(["2026-01-09", "ann@contoso.com", "17", "Yes", "a cell"]);
        let lines: Vec<_> = mishaps.iter().map(|mishap| struck(&good, mishap)).collect();
        let end: &[u8] = if has_returns { b"\r\n" } else { b"\n" };
        let mut file = if has_mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        for line in std::iter::once(line(COLUMNS).as_bytes()).chain(lines.iter().map(Vec::as_slice)) {
            file.extend_from_slice(line);
            file.extend_from_slice(end);
        }

        let (rows, table) = read::<Mailbox>(&file, piece).expect("the header is whole");

        let is_there = |line: &&Vec<u8>| line.iter().any(|byte| *byte != b'\r');
        let (counted, lines) = (table.tally().read + table.tally().refused, lines.iter().filter(is_there).count());
        if file.contains(&b'"') {
            prop_assert!(counted <= lines as u64, "damaged lines may make one row");
        } else {
            prop_assert_eq!(counted, lines as u64);
        }
        prop_assert_eq!(rows.len() as u64, table.tally().read);
        prop_assert!(table.tally().refusals.iter().all(|it| !it.reason.contains("ann") && !it.reason.contains("17")));
        let is_whole = |row: &&Mailbox| row.principal_name == "ann@contoso.com" && row.item_count == Some(17);
        let whole = mishaps.iter().filter(|mishap| matches!(mishap, Mishap::None)).count();
        let is_of_another_day = table.tally().refresh_date != NaiveDate::from_ymd_opt(2026, 1, 9);
        prop_assert!(rows.iter().filter(is_whole).count() >= whole || is_of_another_day);
    }

    #[test]
    fn rubbish_is_no_report(file in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        if let Ok((rows, table)) = read::<Mailbox>(&file, piece) {
            prop_assert_eq!((rows.len(), table.tally().refused), (0, 0), "{:?}", file);
        }
    }
}
