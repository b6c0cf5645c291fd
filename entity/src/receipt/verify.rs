//! Whether a receipt that somebody shows is one that was signed here, unaltered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::{Line, ReceiptKey, Statement, TYPE};

/// How long an Ed25519 signature is.
const SIGNATURE: usize = 64;

/// A receipt whose signature is right.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What was signed.
    pub statement: Statement,
    /// Whether the calls were there too, and are the ones that were signed.
    pub includes_calls: bool,
}

/// Why something is no receipt that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// Something of it was changed after it was signed.
    Altered,
    /// It was signed with another key.
    OtherKey,
    /// Its end is missing.
    Incomplete,
    /// It is no receipt at all.
    NotRecognized,
}

/// The JSON that is exported.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    calls: Vec<Line>,
    receipt: String,
}

#[derive(Deserialize)]
struct Header {
    kid: String,
    typ: String,
}

/// Reads a receipt: the JSON that was exported, or the signed statement alone.
pub fn read(text: &str, key: &ReceiptKey) -> Result<Receipt, Unsound> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('{') {
        return Ok(Receipt { statement: read_statement(text, key)?, includes_calls: false });
    }
    let export = read_export(text)?;
    let statement = read_statement(&export.receipt, key)?;
    if !statement.is_about(&export.calls) {
        return Err(Unsound::Altered);
    }
    Ok(Receipt { statement, includes_calls: true })
}

fn read_export(text: &str) -> Result<Export, Unsound> {
    serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            return Unsound::Incomplete;
        }
        // What is built like a receipt was one.
        match serde_json::from_str::<Value>(text) {
            Ok(value) if value["calls"].is_array() || value["receipt"].is_string() => Unsound::Altered,
            Err(error) if error.is_eof() => Unsound::Incomplete,
            _ => Unsound::NotRecognized,
        }
    })
}

fn read_statement(jws: &str, key: &ReceiptKey) -> Result<Statement, Unsound> {
    let parts: Vec<&str> = jws.split('.').collect();
    let header = parts.first().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Header>(&header).ok());
    let header = header.filter(|header| header.typ == TYPE).ok_or(Unsound::NotRecognized)?;
    let &[head, payload, signature] = parts.as_slice() else { return Err(Unsound::Incomplete) };
    if header.kid != key.id() {
        return Err(Unsound::OtherKey);
    }
    let cut = signature.len() < URL_SAFE_NO_PAD.encode([0; SIGNATURE]).len();
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Unsound::Altered);
    match signature {
        _ if cut => Err(Unsound::Incomplete),
        Ok(signature) if key.has_signed(&jws[..=head.len() + payload.len()], &signature) => {
            let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Unsound::Altered)?;
            serde_json::from_slice(&payload).map_err(|_| Unsound::NotRecognized)
        }
        _ => Err(Unsound::Altered),
    }
}

#[cfg(test)]
mod tests;
