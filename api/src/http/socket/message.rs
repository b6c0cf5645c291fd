//! The messages of `graphql-transport-ws`.

use async_graphql::ServerError;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::close::Close;
use crate::http::parameters::Parameters;

/// The longest id of an operation.
const LONGEST_ID: usize = 100;

/// What a client says.
#[derive(Debug)]
pub(super) enum FromClient {
    /// The first message, with the client's `Authorization` and `Tenantry-Organization`.
    Init {
        authorization: Option<SecretString>,
        organization: Option<String>,
    },
    Ping(Option<Value>),
    Pong,
    Subscribe {
        id: String,
        parameters: Parameters,
    },
    Complete(String),
}

impl FromClient {
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err(Close::BadMessage("A message has to be a JSON object"));
        };
        match message.get("type").and_then(Value::as_str) {
            Some("connection_init") => {
                let payload = payload(&mut message)?.unwrap_or_default();
                Ok(Self::Init {
                    authorization: header(&payload, "authorization")?.map(SecretString::from),
                    organization: header(&payload, "tenantry-organization")?,
                })
            }
            Some("ping") => Ok(Self::Ping(payload(&mut message)?.map(Value::Object))),
            Some("pong") => payload(&mut message).map(|_| Self::Pong),
            Some("subscribe") => {
                let id = id(&mut message)?;
                let payload = payload(&mut message)?.ok_or(Close::BadMessage("\"payload\" is missing"))?;
                let parameters = Parameters::from_object(payload)
                    .map_err(|_| Close::BadMessage("The payload is not a GraphQL request"))?;
                Ok(Self::Subscribe { id, parameters })
            }
            Some("complete") => id(&mut message).map(Self::Complete),
            _ => Err(Close::BadMessage("The type of the message is not known")),
        }
    }
}

fn payload(message: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, Close> {
    match message.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err(Close::BadMessage("\"payload\" has to be an object")),
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => Ok(id),
        _ => Err(Close::BadMessage("\"id\" has to be a string of 1 to 100 bytes")),
    }
}

/// Some clients pass on the headers of HTTP as they are, so the name's case is theirs.
fn header(payload: &Map<String, Value>, name: &str) -> Result<Option<String>, Close> {
    match payload.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(value))) => Ok(Some(value.clone())),
        Some(_) => Err(Close::BadMessage("The headers in the payload have to be strings")),
    }
}

pub(super) fn connection_ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

pub(super) fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => json!({ "type": "pong" }).to_string(),
    }
}

/// `response` is JSON already.
pub(super) fn next(id: &str, response: &str) -> String {
    format!(r#"{{"id":{},"type":"next","payload":{response}}}"#, Value::from(id))
}

pub(super) fn error(id: &str, errors: &[ServerError]) -> String {
    json!({ "id": id, "type": "error", "payload": errors }).to_string()
}

pub(super) fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn what_is_not_of_the_protocol_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"connection_init","payload":1}"#,
            r#"{"type":"connection_init","payload":{"authorization":1}}"#,
            r#"{"type":"ping","payload":"x"}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }","variables":1}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert!(matches!(FromClient::parse(text), Err(Close::BadMessage(_))), "{text}");
        }
    }

    #[test]
    fn the_token_is_found_whatever_the_case_of_its_name() {
        for name in ["authorization", "Authorization"] {
            let text = format!(r#"{{"type":"connection_init","payload":{{"{name}":"Bearer x"}}}}"#);
            let Ok(FromClient::Init { authorization: Some(token), .. }) = FromClient::parse(&text) else {
                panic!("{text}")
            };
            assert_eq!(token.expose_secret(), "Bearer x");
        }
    }

    proptest! {
        #[test]
        fn ids_are_quoted(id in ".{1,20}") {
            let text = next(&id, r#"{"data":null}"#);
            let message: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(message["id"].as_str(), Some(id.as_str()));
        }
    }
}
