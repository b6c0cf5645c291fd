//! The receipt of a consent as a file, read page by page.

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Author, ObjectKind, Record};
use entity::receipt::{CSV_HEADER, Line, ReceiptKey, Statement, Tally};
use entity::{Keyring, consent, delegated_call};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::{audit, transaction};

/// Calls that are read at once.
const PAGE: usize = 500;

/// How a receipt is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The calls and the signed statement, as one JSON.
    Json,
    /// The calls, as CSV.
    Csv,
    /// The signed statement alone.
    Jws,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Jws];

    /// How an address names it, and how file names end.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Jws => "jws",
        }
    }
}

/// What of a receipt is still to be written.
pub struct Export {
    database: DatabaseConnection,
    key: ReceiptKey,
    issuer: String,
    consent: consent::Model,
    now: DateTime<Utc>,
    format: Format,
    after: Uuid,
    /// None: all of it is written.
    tally: Option<Tally>,
    has_begun: bool,
}

impl Export {
    /// Begins to write the receipt of `consent`, and says so in the audit. The installation is at `issuer`.
    pub async fn begin(
        database: DatabaseConnection,
        keyring: &Keyring,
        now: DateTime<Utc>,
        author: &Author,
        consent: consent::Model,
        (format, issuer): (Format, String),
    ) -> Result<Self, DbErr> {
        let (_, is_final) = entity::receipt::as_of(&consent, now);
        let record = Record::of(Action::ReceiptExported, ObjectKind::Consent, consent.id)
            .after(json!({ "format": format.as_str(), "final": is_final }));
        let transaction = transaction::begin(&database).await?;
        audit::append(&transaction, keyring, now, author, record).await?;
        transaction.commit().await?;
        Ok(Self {
            database,
            key: ReceiptKey::of(keyring),
            issuer,
            consent,
            now,
            format,
            after: Uuid::nil(),
            tally: Some(Tally::new()),
            has_begun: false,
        })
    }

    /// The next piece; none: that was all.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, DbErr> {
        let Some(mut tally) = self.tally.take() else { return Ok(None) };
        let calls = delegated_call::Entity::of_consent(self.consent.organization_id, self.consent.id)
            .filter(delegated_call::Column::Id.gt(self.after))
            .limit(PAGE as u64);
        let calls = calls.all(&self.database).await?;
        let mut piece = String::new();
        if !self.has_begun {
            self.open(&mut piece);
        }
        let is_last = calls.len() < PAGE;
        for call in calls {
            self.after = call.id;
            let line = Line::from(call);
            let (json, csv) = (line.json(), line.csv());
            tally.add(&json, &csv);
            self.write(&json, &csv, &mut piece);
        }
        if is_last {
            let statement = Statement::new(&self.issuer, &self.consent, tally, self.now);
            self.close(&statement, &mut piece);
        } else {
            self.tally = Some(tally);
        }
        Ok(Some(piece.into_bytes()))
    }

    fn open(&self, piece: &mut String) {
        match self.format {
            Format::Json => piece.push_str("{\"calls\":["),
            Format::Csv => piece.push_str(CSV_HEADER),
            Format::Jws => {}
        }
    }

    fn write(&mut self, json: &str, csv: &str, piece: &mut String) {
        match self.format {
            // Each call is a line, so that what is hashed can be cut out by the usual tools.
            Format::Json => {
                piece.push_str(if self.has_begun { ",\n" } else { "\n" });
                piece.push_str(json);
            }
            Format::Csv => piece.push_str(csv),
            Format::Jws => {}
        }
        self.has_begun = true;
    }

    fn close(&self, statement: &Statement, piece: &mut String) {
        let (before, after) = match self.format {
            Format::Json => ("\n],\"receipt\":\"", "\"}\n"),
            Format::Csv => return,
            Format::Jws => ("", ""),
        };
        piece.push_str(before);
        piece.push_str(&statement.sign(&self.key));
        piece.push_str(after);
    }
}
