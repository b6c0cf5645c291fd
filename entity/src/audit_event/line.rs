//! An audit event as it leaves us: one line of an export.

use sea_orm::ActiveEnum;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{ActorKind, Model};

/// An audit event as it leaves us. Its fields are those of the api's `AuditEvent`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    id: String,
    sequence: i64,
    occurred_at: String,
    actor_kind: String,
    actor: Option<String>,
    consenting_user_id: Option<Uuid>,
    action: String,
    object: String,
    before: Option<Value>,
    after: Option<Value>,
    address: Option<String>,
    request_id: Option<String>,
    microsoft_correlation_id: Option<String>,
    previous_hash: String,
    hash: String,
}

impl From<Model> for Line {
    fn from(event: Model) -> Self {
        Self {
            id: format!("audit-event:{}", event.id),
            sequence: event.sequence,
            occurred_at: event.occurred_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            actor_kind: event.actor_kind.to_value(),
            actor: event.actor(),
            consenting_user_id: event.consenting_user_id(),
            action: event.action.to_value(),
            object: event.object(),
            before: event.before.as_deref().map(read),
            after: event.after.as_deref().map(read),
            address: event.address,
            request_id: event.request_id,
            microsoft_correlation_id: event.microsoft_correlation_id,
            previous_hash: hex(&event.previous_hash),
            hash: hex(&event.hash),
        }
    }
}

impl Model {
    /// The global id of the member or access token that did it.
    pub fn actor(&self) -> Option<String> {
        let kind = match self.actor_kind {
            ActorKind::Member => "member",
            ActorKind::AccessToken => "access-token",
            ActorKind::ConsentingUser | ActorKind::Operator | ActorKind::System => return None,
        };
        self.actor_id.map(|id| format!("{kind}:{id}"))
    }

    /// Microsoft's object id of the consenting user who did it.
    pub fn consenting_user_id(&self) -> Option<Uuid> {
        self.actor_id.filter(|_| self.actor_kind == ActorKind::ConsentingUser)
    }

    /// The global id of what it was done to.
    pub fn object(&self) -> String {
        format!("{}:{}", self.object_kind.to_value(), self.object_id)
    }
}

/// What is stored as JSON. What somebody has made unreadable is shown as it is.
pub fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
