//! What is signed: a statement about a consent and all the calls that were made under it.

use chrono::{DateTime, Utc};
use sea_orm::ActiveEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{CSV_HEADER, Line, ReceiptKey, as_of, written};
use crate::audit_event::hex;
use crate::consent;

/// Counts and hashes calls as they go by.
pub struct Tally {
    count: u64,
    json: Sha256,
    csv: Sha256,
}

impl Tally {
    /// Of no call yet.
    pub fn new() -> Self {
        let mut csv = Sha256::new();
        csv.update(CSV_HEADER);
        Self { count: 0, json: Sha256::new(), csv }
    }

    /// Counts a call; `json` and `csv` are what [`Line`] writes of it.
    pub fn add(&mut self, json: &str, csv: &str) {
        self.count += 1;
        self.json.update(json);
        self.json.update("\n");
        self.csv.update(csv);
    }

    /// The tally of `lines`.
    pub fn of(lines: &[Line]) -> Self {
        lines.iter().fold(Self::new(), |mut tally, line| {
            tally.add(&line.json(), &line.csv());
            tally
        })
    }

    /// SHA-256 of the lines of JSON, and of the CSV.
    pub(super) fn hashes(self) -> (String, String) {
        (hex(&self.json.finalize()), hex(&self.csv.finalize()))
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// Who states it: the address of the installation.
    pub iss: String,
    /// The consent.
    pub sub: String,
    /// As of when, in seconds of Unix time.
    pub iat: i64,
    /// The organization that asked for the consent.
    pub organization: String,
    /// Microsoft's id of the tenant.
    pub entra_tenant_id: Uuid,
    /// Object id of the consenting user, if Microsoft told it.
    pub consenting_user_id: Option<Uuid>,
    /// When the window opened.
    pub granted_at: Option<String>,
    /// When the window closes, or has closed, at the latest.
    pub window_closes_at: Option<String>,
    /// When the delegated token was erased: then the window closed.
    pub erased_at: Option<String>,
    /// Why the window closed.
    pub closed_because: Option<String>,
    /// Whether nothing can be added any more.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How many calls there are.
    pub call_count: u64,
    /// SHA-256 of the calls as lines of canonical JSON, each with a line feed at its end.
    pub calls_sha256: String,
    /// SHA-256 of the CSV file.
    pub csv_sha256: String,
}

impl Statement {
    /// About the calls of `consent` that `tally` has counted, at `now`, by the installation at `issuer`.
    pub fn new(issuer: &str, consent: &consent::Model, tally: Tally, now: DateTime<Utc>) -> Self {
        let (moment, is_final) = as_of(consent, now);
        let call_count = tally.count;
        let (calls_sha256, csv_sha256) = tally.hashes();
        Self {
            iss: issuer.trim_end_matches('/').to_owned(),
            sub: consent.row(),
            iat: moment.timestamp(),
            organization: organization(consent.organization_id),
            entra_tenant_id: consent.entra_tenant_id,
            consenting_user_id: consent.consenting_user_id,
            granted_at: consent.granted_at.map(written),
            window_closes_at: consent.window_closes_at.map(written),
            erased_at: consent.erased_at.map(written),
            closed_because: consent.closed_because.map(|because| because.to_value()),
            is_final,
            call_count,
            calls_sha256,
            csv_sha256,
        }
    }

    /// The statement and its signature, as a compact JWS.
    pub fn sign(&self, key: &ReceiptKey) -> String {
        key.sign(&serde_json::to_vec(self).expect("texts and numbers serialize"))
    }

    /// Whether it is about a consent of this organization.
    pub fn is_of(&self, organization_id: Uuid) -> bool {
        self.organization == organization(organization_id)
    }

    /// The consent that it is about.
    pub fn consent_id(&self) -> Option<Uuid> {
        Uuid::try_parse(self.sub.strip_prefix("consent:")?).ok()
    }

    /// Whether it is about exactly these calls, in this order.
    pub(super) fn is_about(&self, lines: &[Line]) -> bool {
        let tally = Tally::of(lines);
        tally.count == self.call_count && tally.hashes().0 == self.calls_sha256
    }
}

fn organization(id: Uuid) -> String {
    format!("organization:{id}")
}
