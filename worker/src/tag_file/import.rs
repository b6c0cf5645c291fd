//! A CSV file of tags, read as it arrives, and planned as one change set.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use entity::change_set;
use entity::tags::name_term;
use entity::tags::rules::{LONGEST_NAME, LONGEST_VALUE};
use entity::{Owned, resource};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter};
use uuid::Uuid;

use super::cell::restore;
use super::rows::{Row, Rows};
use super::{FileRefused, LARGEST, MOST_ROWS, RowRefused};
use crate::change_set::{Draft, Removal, Request, Wish};

/// Resources that are read at once.
const CHUNK: usize = 500;

/// A file while it is read: of what was read, only what is wished is kept.
pub struct Import {
    rows: Rows,
    wanted: Wanted,
    size: u64,
}

/// What is wished, as far as the file was read.
struct Wanted {
    /// Our ids of the subscriptions, by Azure's.
    subscriptions: HashMap<Uuid, Uuid>,
    columns: Option<Columns>,
    count: u64,
    /// By the resource, and the tag's folded name.
    wishes: HashMap<Uuid, HashMap<String, Line>>,
    refused: Vec<(u64, RowRefused)>,
}

/// What one row wishes.
struct Line {
    number: u64,
    name: String,
    what: What,
    /// Lines that wish the same again.
    again: Vec<u64>,
}

#[derive(PartialEq, Eq)]
enum What {
    Set(String),
    /// Only if it has this value; none: whatever its value is.
    Remove(Option<String>),
}

/// Where in a row what is.
struct Columns {
    count: usize,
    arm_id: usize,
    name: usize,
    value: usize,
    action: Option<usize>,
}

/// What became of a file.
#[derive(Debug)]
pub struct Report {
    /// What was planned, whether it is kept or not.
    pub change_set: change_set::Model,
    /// Rows besides the header.
    pub rows: u64,
    /// Rows that change nothing: the tag is so already, or an earlier row says the same.
    pub unchanged: u64,
    /// Rows that were refused, by their lines.
    pub refused: Vec<(u64, RowRefused)>,
}

impl Import {
    /// Begins to read for somebody who reaches these subscriptions: our ids, by Azure's.
    pub fn new(subscriptions: HashMap<Uuid, Uuid>) -> Self {
        let wanted =
            Wanted { subscriptions, columns: None, count: 0, wishes: HashMap::new(), refused: Vec::new() };
        Self { rows: Rows::new(), wanted, size: 0 }
    }

    /// Reads the next piece.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), FileRefused> {
        self.size += piece.len() as u64;
        if self.size > LARGEST {
            return Err(FileRefused::TooLarge);
        }
        self.rows.read(piece, &mut |row| self.wanted.take(row))
    }

    /// Reads what is left of the last row.
    pub fn end(&mut self) -> Result<(), FileRefused> {
        self.rows.finish(&mut |row| self.wanted.take(row))?;
        if self.wanted.columns.is_none() { Err(FileRefused::Empty) } else { Ok(()) }
    }

    /// Plans what was read, for somebody who is limited by the reach of `limited_by`.
    pub async fn plan(
        self,
        transaction: &DatabaseTransaction,
        request: Request,
        limited_by: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<Report, DbErr> {
        let Wanted { count, mut wishes, mut refused, .. } = self.wanted;
        let organization_id = request.organization_id;
        let mut draft = Draft::begin(transaction, request, now).await?;
        let mut ids: Vec<Uuid> = wishes.keys().copied().collect();
        ids.sort_unstable();
        for chunk in ids.chunks(CHUNK) {
            let rows = resource::Entity::owned_by(organization_id);
            let rows = match limited_by {
                Some(holder) => resource::Entity::within(rows, holder),
                None => rows,
            };
            let rows = rows.filter(resource::Column::Id.is_in(chunk.iter().copied()));
            let resources = rows.all(transaction).await?;
            let wished = resources
                .iter()
                .filter_map(|resource| wishes.remove(&resource.id).map(|lines| (resource.id, wish(lines))));
            draft.add_each(&resources, &wished.collect()).await?;
        }
        for line in wishes.into_values().flat_map(HashMap::into_values) {
            let lines = line.again.into_iter().chain([line.number]);
            refused.extend(lines.map(|line| (line, RowRefused::UnknownResource)));
        }
        refused.sort_unstable_by_key(|(line, _)| *line);
        let change_set = draft.finish().await?;
        let written = u64::try_from(change_set.writes).unwrap_or_default();
        let unchanged = count.saturating_sub(written + refused.len() as u64);
        Ok(Report { change_set, rows: count, unchanged, refused })
    }
}

/// What the rows of one resource wish, in the order of the rows.
fn wish(lines: HashMap<String, Line>) -> Wish {
    let mut lines: Vec<Line> = lines.into_values().collect();
    lines.sort_unstable_by_key(|line| line.number);
    let mut wish = Wish::default();
    for line in lines {
        match line.what {
            What::Set(value) => wish.set.push((line.name, value)),
            What::Remove(value) => wish.remove.push(Removal { name: line.name, value }),
        }
    }
    wish
}

impl Wanted {
    fn take(&mut self, row: Row) -> Result<(), FileRefused> {
        let Some(columns) = &self.columns else {
            let header = row.cells.map_err(|_| FileRefused::HeaderMalformed)?;
            self.columns = Some(Columns::of(&header)?);
            return Ok(());
        };
        if self.count == MOST_ROWS {
            return Err(FileRefused::TooManyRows);
        }
        self.count += 1;
        let line = row.line;
        let wished = row.cells.and_then(|cells| columns.read(&cells, line, &self.subscriptions));
        if let Err(refused) = wished.and_then(|(resource, wished)| self.add(resource, wished)) {
            self.refused.push((line, refused));
        }
        Ok(())
    }

    fn add(&mut self, resource: Uuid, line: Line) -> Result<(), RowRefused> {
        match self.wishes.entry(resource).or_default().entry(name_term(&line.name)) {
            Entry::Vacant(entry) => drop(entry.insert(line)),
            Entry::Occupied(mut entry) if entry.get().what == line.what => {
                entry.get_mut().again.push(line.number);
            }
            Entry::Occupied(entry) => return Err(RowRefused::TagTwice { first: entry.get().number }),
        }
        Ok(())
    }
}

impl Columns {
    fn of(header: &[String]) -> Result<Self, FileRefused> {
        let mut missing = Vec::new();
        let mut need = |name| {
            let found = find(header, name)?;
            if found.is_none() {
                missing.push(name);
            }
            Ok(found.unwrap_or_default())
        };
        let (arm_id, name, value) = (need("armId")?, need("tagName")?, need("tagValue")?);
        if !missing.is_empty() {
            return Err(FileRefused::ColumnsMissing(missing));
        }
        Ok(Self { count: header.len(), arm_id, name, value, action: find(header, "action")? })
    }

    fn read(
        &self,
        cells: &[String],
        number: u64,
        subscriptions: &HashMap<Uuid, Uuid>,
    ) -> Result<(Uuid, Line), RowRefused> {
        if cells.len() != self.count {
            return Err(RowRefused::WrongColumnCount);
        }
        let (name, value) = (restore(&cells[self.name]), restore(&cells[self.value]));
        if name.trim().is_empty() {
            return Err(RowRefused::NameEmpty);
        }
        if name.encode_utf16().count() > LONGEST_NAME {
            return Err(RowRefused::NameTooLong);
        }
        if value.encode_utf16().count() > LONGEST_VALUE {
            return Err(RowRefused::ValueTooLong);
        }
        let action = self.action.map_or("", |action| cells[action].trim());
        let what = match action.to_ascii_uppercase().as_str() {
            "" | "SET" => What::Set(value.to_owned()),
            "REMOVE" => What::Remove(Some(value.to_owned()).filter(|value| !value.is_empty())),
            _ => return Err(RowRefused::UnknownAction),
        };
        let resource = resource_of(restore(&cells[self.arm_id]).trim(), subscriptions);
        let resource = resource.ok_or(RowRefused::UnknownResource)?;
        Ok((resource, Line { number, name: name.to_owned(), what, again: Vec::new() }))
    }
}

fn find(header: &[String], name: &'static str) -> Result<Option<usize>, FileRefused> {
    let mut found = (0..header.len()).filter(|at| header[*at].trim().eq_ignore_ascii_case(name));
    let (first, second) = (found.next(), found.next());
    if second.is_some() { Err(FileRefused::ColumnTwice(name)) } else { Ok(first) }
}

/// Our id of the resource, if it is in one of these subscriptions.
fn resource_of(arm_id: &str, subscriptions: &HashMap<Uuid, Uuid>) -> Option<Uuid> {
    let mut parts = arm_id.split('/');
    let is_rooted = parts.next()?.is_empty() && parts.next()?.eq_ignore_ascii_case("subscriptions");
    let azure: Uuid = parts.next().filter(|_| is_rooted)?.parse().ok()?;
    Some(resource::id_of(*subscriptions.get(&azure)?, arm_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &str) -> FileRefused {
        let mut import = Import::new(HashMap::new());
        import.read(file.as_bytes()).and_then(|()| import.end()).unwrap_err()
    }

    #[test]
    fn a_file_without_its_columns_is_refused_with_their_names() {
        assert_eq!(refused(""), FileRefused::Empty);
        assert_eq!(refused("\"armId\n"), FileRefused::HeaderMalformed);
        assert_eq!(
            refused("tagName;tagValue\n"),
            FileRefused::ColumnsMissing(vec!["armId", "tagName", "tagValue"])
        );
        assert_eq!(refused("tagName,ARMID\n"), FileRefused::ColumnsMissing(vec!["tagValue"]));
        assert_eq!(refused("armId,tagName,tagValue,tagname\n"), FileRefused::ColumnTwice("tagName"));
    }

    #[test]
    fn a_file_that_is_too_long_is_given_up() {
        let rows = usize::try_from(MOST_ROWS).unwrap();
        let file = format!("armId,tagName,tagValue\n{}", "x,y,z\n".repeat(rows));
        let mut import = Import::new(HashMap::new());
        import.read(file.as_bytes()).unwrap();

        let refused = import.read(b"one,too,many\n").unwrap_err();

        assert_eq!(refused, FileRefused::TooManyRows);
    }
}
