//! <https://learn.microsoft.com/en-us/graph/filter-query-parameter>: the part of `$filter` that is understood.
//!
//! Clauses joined by `and`, each `property operator literal`, `startswith(property,'…')`, `endswith(property,'…')`,
//! `list/any(x:x/property eq literal)`, or `list/$count operator number`. Everything else is refused.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::error;
use super::query::Query;
use crate::reply::Reply;

/// A filter, made of clauses that all must hold.
pub(super) struct Filter(Vec<Clause>);

struct Clause {
    /// Such as `signInActivity`, `lastSignInDateTime`.
    property: Vec<String>,
    test: Test,
    literal: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Begins,
    Ends,
    /// Some element of a list is equal, or its property is.
    Any,
}

impl Filter {
    /// The filter of a query; none: there is no filter. The properties must be among `known`.
    pub(super) fn of(query: &Query, known: &[&str]) -> Result<Option<Self>, Reply> {
        let Some(text) = &query.filter else { return Ok(None) };
        let clauses: Option<Vec<_>> = clauses(text).into_iter().map(clause).collect();
        let invalid = || error::refusal(400, "BadRequest", "Invalid filter clause.");
        let filter = Self(clauses.filter(|clauses| !clauses.is_empty()).ok_or_else(invalid)?);
        let names = |clause: &Clause| known.iter().any(|name| name.eq_ignore_ascii_case(&clause.property[0]));
        if !filter.0.iter().all(names) {
            return Err(error::unsupported("Unsupported or invalid query filter clause specified."));
        }
        if filter.is_advanced() {
            query.must_be_advanced()?;
        }
        if filter.names("signInActivity") && filter.0.len() > 1 {
            return Err(error::unsupported("Filter on signInActivity is not supported with other filters."));
        }
        Ok(Some(filter))
    }

    /// Whether some clause is about this property.
    pub(super) fn names(&self, property: &str) -> bool {
        self.0.iter().any(|clause| clause.property[0].eq_ignore_ascii_case(property))
    }

    /// <https://learn.microsoft.com/en-us/graph/aad-advanced-queries>
    fn is_advanced(&self) -> bool {
        let advanced = |clause: &Clause| {
            matches!(clause.test, Test::NotEqual | Test::Ends)
                || clause.property.last().is_some_and(|last| last == "$count")
        };
        self.0.iter().any(advanced)
    }

    pub(super) fn holds(&self, row: &Value) -> bool {
        self.0.iter().all(|clause| clause.holds(row))
    }
}

/// Splits at ` and `, unless it is quoted.
fn clauses(text: &str) -> Vec<&str> {
    let (mut clauses, mut begin, mut is_quoted) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        is_quoted ^= letter == '\'';
        if !is_quoted && at >= begin && text[at..].starts_with(" and ") {
            clauses.push(text[begin..at].trim());
            begin = at + " and ".len();
        }
    }
    clauses.push(text[begin..].trim());
    clauses
}

fn clause(written: &str) -> Option<Clause> {
    let inside = written.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let written = inside.unwrap_or(written);
    for (name, test) in [("startswith(", Test::Begins), ("endswith(", Test::Ends)] {
        let is_it = written.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
        if let Some(inner) = written.strip_suffix(')').filter(|_| is_it) {
            let (property, value) = inner[name.len()..].split_once(',')?;
            return Some(Clause { property: path(property), test, literal: literal(value)? });
        }
    }
    if let Some((list, inner)) = written.split_once("/any(") {
        let (variable, inner) = inner.strip_suffix(')')?.split_once(':')?;
        let (element, value) = inner.trim().split_once(" eq ")?;
        let below = element.trim().strip_prefix(variable.trim())?;
        let property = path(&format!("{list}{below}"));
        return Some(Clause { property, test: Test::Any, literal: literal(value)? });
    }
    let (property, rest) = written.split_once(' ')?;
    let (operator, value) = rest.trim().split_once(' ')?;
    let test = match operator.to_lowercase().as_str() {
        "eq" => Test::Equal,
        "ne" => Test::NotEqual,
        "lt" => Test::Less,
        "le" => Test::LessOrEqual,
        "gt" => Test::Greater,
        "ge" => Test::GreaterOrEqual,
        _ => return None,
    };
    Some(Clause { property: path(property), test, literal: literal(value)? })
}

fn path(property: &str) -> Vec<String> {
    property.trim().split('/').map(str::to_owned).collect()
}

fn literal(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix('\'') {
        return Some(json!(quoted.strip_suffix('\'')?.replace("''", "'")));
    }
    match text {
        "true" => Some(json!(true)),
        "false" => Some(json!(false)),
        "null" => Some(Value::Null),
        "" => None,
        _ => Some(text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number))),
    }
}

impl Clause {
    fn holds(&self, row: &Value) -> bool {
        let first = member(row, &self.property[0]);
        let rest = &self.property[1..];
        if self.test == Test::Any {
            let elements = first.as_array().map(Vec::as_slice).unwrap_or_default();
            return elements
                .iter()
                .any(|element| order(below(element, rest), &self.literal).is_some_and(Ordering::is_eq));
        }
        if rest.first().is_some_and(|name| name == "$count") {
            let count = json!(first.as_array().map_or(0, Vec::len));
            return self.test.holds(&count, &self.literal);
        }
        self.test.holds(below(first, rest), &self.literal)
    }
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    let found = value.as_object().into_iter().flatten().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or(&Value::Null, |(_, value)| value)
}

fn below<'a>(value: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(value, |value, name| member(value, name))
}

impl Test {
    fn holds(self, value: &Value, literal: &Value) -> bool {
        let text = |value: &Value| value.as_str().map(str::to_lowercase);
        let order = order(value, literal);
        match self {
            Self::Equal => order.is_some_and(Ordering::is_eq),
            Self::NotEqual => !order.is_some_and(Ordering::is_eq),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Self::Begins => {
                text(value).zip(text(literal)).is_some_and(|(value, part)| value.starts_with(&part))
            }
            Self::Ends => text(value).zip(text(literal)).is_some_and(|(value, part)| value.ends_with(&part)),
            Self::Any => false,
        }
    }
}

/// Texts in any case; times are texts that sort.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.to_lowercase().cmp(&other.to_lowercase())),
        (Value::Number(one), Value::Number(other)) => Some(one.as_u64()?.cmp(&other.as_u64()?)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> Option<bool> {
        let row = json!({
            "displayName": "Sean O'Brien and Sons", "accountEnabled": true, "department": null,
            "assignedLicenses": [{ "skuId": "abc" }], "groupTypes": ["Unified"],
            "signInActivity": { "lastSignInDateTime": "2026-01-02T00:00:00Z" },
        });
        let all: Option<Vec<_>> = clauses(text).into_iter().map(clause).collect();
        Some(Filter(all?).holds(&row))
    }

    #[test]
    fn what_holds_and_what_does_not() {
        for (text, wanted) in [
            ("displayName eq 'sean o''brien and sons'", Some(true)),
            ("displayName eq 'Sean O''Brien and Sons' and accountEnabled eq false", Some(false)),
            ("startswith(displayName,'Sean') and accountEnabled eq true", Some(true)),
            ("endswith(displayName, 'sons')", Some(true)),
            ("department eq null", Some(true)),
            ("department ne 'IT'", Some(true)),
            ("assignedLicenses/any(l:l/skuId eq abc)", Some(true)),
            ("groupTypes/any(c:c eq 'DynamicMembership')", Some(false)),
            ("assignedLicenses/$count eq 0", Some(false)),
            ("signInActivity/lastSignInDateTime le 2026-01-02T00:00:00Z", Some(true)),
            ("signInActivity/lastSignInDateTime lt 2026-01-02T00:00:00Z", Some(false)),
            ("nonsense", None),
            ("displayName like 'x'", None),
            ("displayName eq 'x", None),
        ] {
            assert_eq!(holds(text), wanted, "{text}");
        }
    }
}
