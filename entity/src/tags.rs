//! Tags as Azure has them, and the terms by which they are found.
//!
//! Names compare case-insensitively and keep their case; values are case-sensitive. Beside the tags, a
//! resource therefore stores *terms*: for each tag its folded name, and its folded name with its value.
//! One `GIN` index over the terms answers both "has the tag" and "has the tag with this value".

pub mod merge;
pub mod rules;

use std::collections::BTreeMap;

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Azure's tags of one resource: names in Azure's case, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Tags(pub BTreeMap<String, String>);

/// The terms of one resource's tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct TagTerms(pub Vec<String>);

impl Tags {
    /// The tag of this name in whichever case: its name as it is written, and its value.
    pub fn find(&self, name: &str) -> Option<(&str, &str)> {
        let folded = name_term(name);
        let mut same = self.0.iter().filter(|(known, _)| name_term(known) == folded);
        same.next().map(|(known, value)| (known.as_str(), value.as_str()))
    }

    /// Lets the tag of this name have this value, or takes it away; a name that is there keeps its case.
    pub fn put(&mut self, name: &str, value: Option<&str>) {
        let known = self.find(name).map(|(known, _)| known.to_owned());
        match value {
            Some(value) => drop(self.0.insert(known.unwrap_or_else(|| name.to_owned()), value.to_owned())),
            None => drop(known.map(|known| self.0.remove(&known))),
        }
    }

    /// The terms by which these tags are found.
    pub fn terms(&self) -> TagTerms {
        let terms = self.0.iter().flat_map(|(name, value)| [name_term(name), value_term(name, value)]);
        TagTerms(terms.collect())
    }
}

/// The term of "has a tag of this name".
pub fn name_term(name: &str) -> String {
    name.to_lowercase()
}

/// The term of "has a tag of this name with this value". A line break parts name and value: Azure
/// refuses control characters in names, so no two tags share a term.
pub fn value_term(name: &str, value: &str) -> String {
    format!("{}\n{value}", name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_and_values_do_not() {
        let tags = Tags(BTreeMap::from([("Env".to_owned(), "Prod".to_owned())]));
        assert_eq!(tags.terms(), TagTerms(vec!["env".to_owned(), "env\nProd".to_owned()]));
        assert_eq!(value_term("ENV", "Prod"), value_term("env", "Prod"));
        assert_ne!(value_term("env", "prod"), value_term("env", "Prod"));
    }
}
