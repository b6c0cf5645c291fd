//! What stands in the way of a change, as an error answer names it.
//!
//! Policies: <https://learn.microsoft.com/en-us/azure/governance/policy/troubleshoot/general>; locks:
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/lock-resources>.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Names that are kept of one answer.
pub(super) const MOST: usize = 5;

/// In which members policies are named, the best for people first.
const NAMES: [&str; 4] = [
    "policyDefinitionDisplayName",
    "policyAssignmentDisplayName",
    "policyAssignmentName",
    "policyDefinitionName",
];

/// For serde: the names of the policies of `additionalInfo`, whatever else it holds.
pub(super) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(all) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    let violations = all.iter().filter(|one| one["type"].as_str().is_some_and(|of| of == "PolicyViolation"));
    let named = violations.filter_map(|one| {
        let named = NAMES.iter().filter_map(|name| one["info"][*name].as_str()).find(|name| !name.is_empty());
        named.map(str::to_owned)
    });
    Ok(named.collect())
}

/// The scopes of `… following scope(s) are locked: 'a','b'. Please …`.
pub(super) fn locked_scopes(message: &str) -> Vec<String> {
    let Some((_, scopes)) = message.split_once("are locked:") else { return Vec::new() };
    let scopes = scopes.split_once(". Please").map_or(scopes, |(scopes, _)| scopes);
    scopes.split('\'').skip(1).step_by(2).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "lenient")]
        info: Vec<String>,
    }

    fn names(json: &str) -> Vec<String> {
        serde_json::from_str::<Holder>(json).expect("an object").info
    }

    #[test]
    fn policies_are_named_as_people_know_them() {
        let both = r#"{"info":[{"type":"PolicyViolation","info":{"policyDefinitionDisplayName":"Require a tag",
            "policyAssignmentName":"a1"}},{"type":"PolicyViolation","info":{"policyAssignmentName":"a2"}}]}"#;
        assert_eq!(names(both), ["Require a tag", "a2"]);
        for odd in ["{}", r#"{"info":null}"#, r#"{"info":7}"#, r#"{"info":[1,{"type":"Other"}]}"#] {
            assert_eq!(names(odd), Vec::<String>::new(), "{odd}");
        }
    }

    #[test]
    fn locked_scopes_are_read_from_the_sentence() {
        let message = "The scope '/s/r' cannot perform write operation because following scope(s) are locked: \
                       '/s','/s/g'. Please remove the lock and try again.";
        assert_eq!(locked_scopes(message), ["/s", "/s/g"]);
        assert_eq!(locked_scopes("are locked: '"), Vec::<String>::new());
        assert_eq!(locked_scopes("nothing"), Vec::<String>::new());
    }
}
