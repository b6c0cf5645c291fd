//! A report while it is read: never more of it is held than a batch of rows and a piece of the file.

use std::fmt;

use chrono::NaiveDate;

use super::Report;
use super::table::{Refused, Table};
use crate::error::codes;
use crate::http::Download;
use crate::{ETag, MicrosoftError};

/// Rows of a batch.
const BATCH: usize = 500;

/// What asking for a report came to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and nearly always it is the large one"
)]
pub enum Fetched<R> {
    /// It is still the one that the caller has.
    NotModified,
    /// It is this one.
    Report(Rows<R>),
}

/// The rows of a report. Only when they have all been read is it sure that they are all there.
pub struct Rows<R> {
    download: Download,
    is_whole: bool,
    failure: Option<MicrosoftError>,
    table: Table<R>,
    /// Kept here, so that nothing is lost with who waits for it.
    batch: Vec<R>,
    etag: Option<ETag>,
}

impl<R: Report> Rows<R> {
    /// Reads as far as the header. The tag is the file's own, or else the one that came with its link.
    pub(super) async fn begin(download: Download, of_link: Option<String>) -> Result<Self, MicrosoftError> {
        let etag = download.etag().or(of_link).and_then(|tag| ETag::new(&tag));
        let (table, batch) = (Table::new(), Vec::new());
        let mut rows = Self { download, is_whole: false, failure: None, table, batch, etag };
        while !rows.table.begin()? {
            if rows.is_whole {
                return Err(MicrosoftError::of(&codes::REPORT_EMPTY, "the file has no header"));
            }
            rows.read_on().await?;
        }
        Ok(rows)
    }

    /// The next rows; none: that was the whole report. After an error what was read before it is of no use: it is
    /// not known what is missing.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<R>>, MicrosoftError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        while self.batch.len() < BATCH {
            match self.table.next() {
                Some(row) => self.batch.push(row),
                None if self.is_whole => break,
                None => self.read_on().await?,
            }
        }
        Ok(Some(std::mem::take(&mut self.batch)).filter(|batch| !batch.is_empty()))
    }

    async fn read_on(&mut self) -> Result<(), MicrosoftError> {
        let piece = match self.download.piece().await {
            Ok(piece) => piece,
            Err(error) => return Err(self.failure.insert(error).clone()),
        };
        self.is_whole = piece.is_none();
        self.table.feed(piece.as_deref());
        Ok(())
    }

    /// The tag of the file, with which to ask whether there is a newer one.
    pub fn etag(&self) -> Option<&ETag> {
        self.etag.as_ref()
    }

    /// The day that the report was made of; none as long as no row was read.
    pub fn refresh_date(&self) -> Option<NaiveDate> {
        self.table.tally().refresh_date
    }

    /// How many rows were read so far.
    pub fn read(&self) -> u64 {
        self.table.tally().read
    }

    /// How many rows could not be read so far.
    pub fn refused(&self) -> u64 {
        self.table.tally().refused
    }

    /// The first twenty of those that could not be read.
    pub fn refusals(&self) -> &[Refused] {
        &self.table.tally().refusals
    }

    /// Whether the tenant conceals names: most of those read so far cannot be one's. None: there are no names.
    pub fn conceals_names(&self) -> Option<bool> {
        self.table.tally().conceals_names()
    }
}

impl<R> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("etag", &self.etag).finish_non_exhaustive()
    }
}
