//! The parameters of a GraphQL request, from a body, an address or a socket's message.

use async_graphql::{Request, Variables};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// What a client asks for.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) query: String,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// What is wrong with the parameters, for the person who wrote the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("The body is not JSON in UTF-8.")]
    NotJson,
    #[error("Requests are sent one by one: the body has to be one JSON object.")]
    NotAnObject,
    #[error("The parameter \"query\" is missing.")]
    QueryMissing,
    #[error("The parameter \"{0}\" has to be {1}.")]
    WrongType(&'static str, &'static str),
    #[error("The parameter \"{0}\" is given twice.")]
    Twice(String),
}

impl Parameters {
    /// From the body of a POST.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        let json: Value = serde_json::from_slice(body).map_err(|_| Malformed::NotJson)?;
        match json {
            Value::Object(object) => Self::from_object(object),
            _ => Err(Malformed::NotAnObject),
        }
    }

    /// From the query string of a GET, in which maps are JSON.
    pub(super) fn from_query_string(text: &str) -> Result<Self, Malformed> {
        let mut object = Map::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let value = match &*name {
                "variables" => parse_map("variables", &value)?,
                "extensions" => parse_map("extensions", &value)?,
                _ => Value::String(value.into_owned()),
            };
            if object.insert(name.to_string(), value).is_some() {
                return Err(Malformed::Twice(name.into_owned()));
            }
        }
        Self::from_object(object)
    }

    /// From an object with the parameters as its members; others are none of ours.
    pub(super) fn from_object(mut object: Map<String, Value>) -> Result<Self, Malformed> {
        let query = match object.remove("query") {
            Some(Value::String(query)) => query,
            None | Some(Value::Null) => return Err(Malformed::QueryMissing),
            Some(_) => return Err(Malformed::WrongType("query", "a string")),
        };
        let operation_name = match object.remove("operationName") {
            Some(Value::String(name)) => Some(name),
            None | Some(Value::Null) => None,
            Some(_) => return Err(Malformed::WrongType("operationName", "a string")),
        };
        if !matches!(object.remove("extensions"), None | Some(Value::Null | Value::Object(_))) {
            return Err(Malformed::WrongType("extensions", "a map"));
        }
        let variables = match object.remove("variables") {
            Some(variables @ Value::Object(_)) => Variables::from_json(variables),
            None | Some(Value::Null) => Variables::default(),
            Some(_) => return Err(Malformed::WrongType("variables", "a map")),
        };
        Ok(Self { query, operation_name, variables })
    }

    pub(super) fn into_request(self) -> Request {
        let request = Request::new(self.query).variables(self.variables);
        match self.operation_name {
            Some(name) => request.operation_name(name),
            None => request,
        }
    }
}

fn parse_map(name: &'static str, text: &str) -> Result<Value, Malformed> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|_| Malformed::WrongType(name, "a map in JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn from_json(json: &Value) -> Result<Parameters, Malformed> {
        Parameters::from_body(json.to_string().as_bytes())
    }

    #[test]
    fn wrong_types_are_told() {
        for body in [
            json!([{ "query": "{ a }" }]),
            json!("{ a }"),
            json!({}),
            json!({ "query": null }),
            json!({ "query": 1 }),
            json!({ "query": "{ a }", "operationName": {} }),
            json!({ "query": "{ a }", "variables": "{}" }),
            json!({ "query": "{ a }", "variables": [] }),
            json!({ "query": "{ a }", "extensions": 0 }),
        ] {
            assert!(from_json(&body).is_err(), "{body}");
        }
        assert_eq!(Parameters::from_body(b"{").unwrap_err(), Malformed::NotJson);
        assert_eq!(Parameters::from_body(b"{\"query\":\"\xff\"}").unwrap_err(), Malformed::NotJson);
    }

    #[test]
    fn null_is_the_same_as_nothing() {
        let nulls = json!({ "query": "{ a }", "operationName": null, "variables": null, "extensions": null });
        let parameters = from_json(&nulls).unwrap();
        assert!(parameters.operation_name.is_none() && parameters.variables.is_empty());
    }

    #[test]
    fn addresses_carry_maps_as_json() {
        let text = "query=query%20Q(%24a%3AInt)%7Bx%7D&operationName=Q&variables=%7B%22a%22%3A1%7D&other=1";
        let parameters = Parameters::from_query_string(text).unwrap();
        assert_eq!(parameters.query, "query Q($a:Int){x}");
        assert_eq!(parameters.operation_name.as_deref(), Some("Q"));
        assert_eq!(parameters.variables.len(), 1);
        for bad in ["", "query=a&variables=%5B", "query=a&variables=%5B%5D", "query=a&query=b"] {
            assert!(Parameters::from_query_string(bad).is_err(), "{bad}");
        }
    }
}
