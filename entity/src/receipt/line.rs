//! One call as a receipt shows it: a line of canonical JSON, or a row of CSV.

use sea_orm::ActiveEnum;
use serde::{Deserialize, Serialize};

use super::{scope_of, written};
use crate::delegated_call;

/// One call. The members are in the order of RFC 8785, and all are texts or whole numbers, so that what serde writes
/// is the canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    /// When it was about to be sent.
    pub begun_at: String,
    /// The `x-ms-client-request-id` that was sent.
    pub client_request_id: String,
    /// The `x-ms-correlation-request-id` that was sent: `correlationId` in Azure's Activity Log.
    pub correlation_id: String,
    /// When the answer was there, or the wait for it was over.
    // Named, so that a member that is missing is not taken for one that is null.
    #[serde(deserialize_with = "Option::deserialize")]
    pub ended_at: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// Microsoft's own code of a refusal.
    #[serde(deserialize_with = "Option::deserialize")]
    pub microsoft_code: Option<String>,
    /// Microsoft's id of the request, its `x-ms-request-id`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub microsoft_request_id: Option<String>,
    /// What became of it.
    pub outcome: String,
    /// The path and query.
    pub path: String,
    /// The scope that it acted at.
    pub scope: String,
    /// The HTTP status of the answer.
    #[serde(deserialize_with = "Option::deserialize")]
    pub status: Option<i32>,
}

impl From<delegated_call::Model> for Line {
    fn from(call: delegated_call::Model) -> Self {
        Self {
            begun_at: written(call.begun_at),
            client_request_id: call.id.to_string(),
            correlation_id: call.correlation_id.to_string(),
            ended_at: call.ended_at.map(written),
            method: call.method,
            microsoft_code: call.microsoft_code,
            microsoft_request_id: call.microsoft_request_id,
            outcome: call.outcome.to_value(),
            scope: scope_of(&call.path),
            path: call.path,
            status: call.status,
        }
    }
}

/// The first row of the CSV.
pub const CSV_HEADER: &str = "begunAt,endedAt,method,scope,path,outcome,status,microsoftCode,\
                              microsoftRequestId,clientRequestId,correlationId\r\n";

impl Line {
    /// The line of JSON, without its end.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers serialize")
    }

    /// The row of CSV (RFC 4180), with its end.
    pub fn csv(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let cells = [
            &self.begun_at,
            &text(&self.ended_at),
            &self.method,
            &self.scope,
            &self.path,
            &self.outcome,
            &status,
            &text(&self.microsoft_code),
            &text(&self.microsoft_request_id),
            &self.client_request_id,
            &self.correlation_id,
        ];
        let mut row = cells.map(|cell| self::cell(cell)).join(",");
        row.push_str("\r\n");
        row
    }
}

/// A cell in quotes. Spreadsheets run what begins like a formula, unless an apostrophe is in front of it.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
pub(super) fn example() -> Line {
    Line {
        begun_at: "2026-11-24T09:30:00.000000Z".to_owned(),
        client_request_id: "0193f0c0-0000-7000-8000-000000000000".to_owned(),
        correlation_id: "6f3c1d6e-0000-4000-8000-000000000000".to_owned(),
        ended_at: Some("2026-11-24T09:30:01.250000Z".to_owned()),
        method: "PUT".to_owned(),
        microsoft_code: None,
        microsoft_request_id: Some("r1".to_owned()),
        outcome: "SUCCEEDED".to_owned(),
        path: "/subscriptions/x?api-version=2022-12-01&$filter=a eq 'b'".to_owned(),
        scope: "/subscriptions/x".to_owned(),
        status: Some(201),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    #[test]
    fn a_line_is_canonical() {
        let line = example().json();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        // A map of serde_json is sorted.
        assert_eq!(line, value.to_string());
        assert!(!line.contains(": ") && !line.contains('\n'));
    }

    #[test]
    fn a_member_that_is_missing_doubled_or_new_is_noticed() {
        let line = example().json();
        for altered in [
            line.replace(r#""microsoftCode":null,"#, ""),
            line.replace(r#""status":201"#, r#""status":500,"status":201"#),
            line.replace(r#""status":201"#, r#""note":"x","status":201"#),
            line.replace(r#""status":201"#, r#""status":201.0"#),
        ] {
            assert_ne!(altered, line);
            assert!(serde_json::from_str::<Line>(&altered).is_err(), "{altered}");
        }
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_guarded() {
        let line = Line { microsoft_code: Some("=cmd|'/c calc'!A1".to_owned()), ..example() };
        assert!(line.csv().contains(r#","'=cmd|'/c calc'!A1","#), "{}", line.csv());
        let line = Line { microsoft_code: Some("a\"b,\nc".to_owned()), ..example() };
        assert!(line.csv().contains("\"a\"\"b,\nc\""), "{}", line.csv());
    }

    proptest! {
        #[test]
        fn no_cell_begins_a_formula_or_ends_early(text in "[=+@\t\r\n\"',a-]{0,12}") {
            let written = cell(&text);
            let inner = &written[1..written.len() - 1];
            prop_assert!(!inner.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
        }
    }
}
