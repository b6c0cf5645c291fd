//! What Azure takes as tags: checked before anything is sent.
//!
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/tag-resources#limitations>, and
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/tag-support>.

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

use super::Tags;

/// The most tags of a resource, a resource group or a subscription.
pub const MOST: usize = 50;
/// The most tags of a resource of one of [`FEW_TAGS`].
pub const FEW: usize = 15;
/// The longest name, in UTF-16 code units as Azure counts them.
pub const LONGEST_NAME: usize = 512;
/// The longest name at a storage account.
pub const LONGEST_STORAGE_NAME: usize = 128;
/// The longest value.
pub const LONGEST_VALUE: usize = 256;

const FORBIDDEN: [char; 7] = ['<', '>', '%', '&', '\\', '?', '/'];
const RESERVED: [&str; 3] = ["microsoft", "azure", "windows"];
const STORAGE: &str = "microsoft.storage/storageaccounts";

/// Types whose resources take [`FEW`] tags only: Automation, CDN, public and private DNS, API Management.
pub const FEW_TAGS: [&str; 15] = [
    "microsoft.automation/automationaccounts",
    "microsoft.automation/automationaccounts/runbooks",
    "microsoft.automation/automationaccounts/configurations",
    "microsoft.cdn/profiles",
    "microsoft.cdn/profiles/endpoints",
    "microsoft.network/dnszones",
    "microsoft.network/dnszones/a",
    "microsoft.network/privatednszones",
    "microsoft.network/privatednszones/a",
    "microsoft.network/privatednszones/virtualnetworklinks",
    "microsoft.apimanagement/service",
    "microsoft.network/dnszones/aaaa",
    "microsoft.network/dnszones/cname",
    "microsoft.network/dnszones/mx",
    "microsoft.network/dnszones/txt",
];

/// Where names take no spaces and begin with no digit.
const DNS: [&str; 3] = [
    "microsoft.network/dnszones",
    "microsoft.network/privatednszones",
    "microsoft.network/trafficmanagerprofiles",
];
/// Where names take neither `#` nor `:`.
const FRONT_DOOR: [&str; 2] =
    ["microsoft.network/frontdoors", "microsoft.network/frontdoorwebapplicationfirewallpolicies"];

/// Why Azure, or Tenantry, would refuse a tag write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// The name is empty, or only spaces.
    NameEmpty,
    /// The name is too long.
    NameTooLong,
    /// The name has a character that Azure forbids.
    NameCharacters,
    /// The name begins with a word that Azure keeps for itself.
    NameReserved,
    /// The type takes no names with spaces, or that begin with a digit.
    NameNotForDns,
    /// The type takes no names with `#` or `:`.
    NameNotForFrontDoor,
    /// The value is too long.
    ValueTooLong,
    /// The value has a control character.
    ValueCharacters,
    /// The resource would have more tags than Azure allows.
    TooManyTags,
    /// Resources of this type take no tags.
    TypeNotTaggable,
    /// The subscription's access level lets no tags be written.
    AccessLevelTooLow,
    /// The tenant is disconnected, or being disconnected.
    NotConnected,
    /// The resource was deleted.
    ResourceDeleted,
    /// The new name is there already, with another value.
    NameTaken,
}

/// Why a tag write would be refused, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it is.
    pub code: ProblemCode,
    /// A sentence that says what to do.
    pub message: String,
}

impl Problem {
    /// A problem with what to do about it.
    pub fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Everything that is wrong with one write; never empty where it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Problems(pub Vec<Problem>);

/// Everything that is wrong with a tag of this name and value at a resource of this type, in lower case. What is
/// removed needs a name only.
pub fn problems(resource_type: &str, name: &str, value: Option<&str>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |code, message: String| found.push(Problem::new(code, message));
    if name.trim().is_empty() {
        add(ProblemCode::NameEmpty, "Give the tag a name.".to_owned());
    }
    let longest = if resource_type == STORAGE { LONGEST_STORAGE_NAME } else { LONGEST_NAME };
    let length = units(name);
    if length > longest {
        let message = format!("Azure allows names of {longest} characters here; this one has {length}.");
        add(ProblemCode::NameTooLong, message);
    }
    let forbidden = |c: &char| FORBIDDEN.contains(c) || c.is_control();
    if let Some(character) = name.chars().find(forbidden) {
        let message = format!(
            "Azure allows none of < > % & \\ ? / and no control characters in names; this one has {}.",
            character.escape_debug()
        );
        add(ProblemCode::NameCharacters, message);
    }
    let Some(value) = value else { return found };
    if let Some(word) = reserved(name) {
        let message =
            format!("Azure keeps names for itself that begin with \"{word}\". Choose another name.");
        add(ProblemCode::NameReserved, message);
    }
    if is_any(&DNS, resource_type) && (name.contains(' ') || name.starts_with(|c: char| c.is_ascii_digit())) {
        let message = "DNS zones and Traffic Manager take no names with spaces or with a digit at the start.";
        add(ProblemCode::NameNotForDns, message.to_owned());
    }
    if is_any(&FRONT_DOOR, resource_type) && name.contains(['#', ':']) {
        add(ProblemCode::NameNotForFrontDoor, "Front Door takes no names with # or :.".to_owned());
    }
    let length = units(value);
    if length > LONGEST_VALUE {
        let message = format!("Azure allows values of {LONGEST_VALUE} characters; this one has {length}.");
        add(ProblemCode::ValueTooLong, message);
    }
    if value.chars().any(char::is_control) {
        let message = "The value has a control character, such as a line break. Take it out.";
        add(ProblemCode::ValueCharacters, message.to_owned());
    }
    found
}

/// What is wrong with the number of tags that a resource of this type would have.
pub fn too_many(resource_type: &str, tags: &Tags) -> Option<Problem> {
    let (most, count) = (most(resource_type), tags.0.len());
    (count > most).then(|| {
        let message = format!(
            "Azure allows {most} tags here, and it would have {count}. Remove some that are not needed."
        );
        Problem::new(ProblemCode::TooManyTags, message)
    })
}

/// The most tags of a resource of this type, in lower case.
pub fn most(resource_type: &str) -> usize {
    if FEW_TAGS.contains(&resource_type) { FEW } else { MOST }
}

/// Resources of the type, in lower case, take no tags.
pub fn not_taggable(resource_type: &str) -> Problem {
    Problem::new(
        ProblemCode::TypeNotTaggable,
        format!("Azure takes no tags at resources of the type {resource_type}. Leave them out."),
    )
}

fn reserved(name: &str) -> Option<&'static str> {
    let folded = name.to_lowercase();
    RESERVED.into_iter().find(|word| folded.starts_with(word))
}

/// The type, or one below it.
fn is_any(types: &[&str], resource_type: &str) -> bool {
    types
        .iter()
        .any(|of| resource_type.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// How long Azure says that a text is.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::ProblemCode as Code;
    use super::*;

    const VM: &str = "microsoft.compute/virtualmachines";

    fn codes(resource_type: &str, name: &str, value: &str) -> Vec<Code> {
        problems(resource_type, name, Some(value)).into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn what_azure_takes_is_no_problem() {
        for (of, name, value) in [
            (VM, "cost center", ""),
            (VM, &"n".repeat(512), &"v".repeat(256)),
            (STORAGE, &"n".repeat(128), "v"),
            (VM, "1st#:.-_(x)", "a/b?c<d>"),
            (VM, "my-azure", "microsoft"),
            ("microsoft.network/trafficmanagerprofiles", "a1", "b c"),
            (VM, "名前", "値"),
        ] {
            assert_eq!(codes(of, name, value), [], "{of} {name} {value}");
        }
    }

    #[test]
    fn every_rule_refuses_and_says_what_to_do() {
        for (of, name, value, code) in [
            (VM, "", "v", Code::NameEmpty),
            (VM, "  ", "v", Code::NameEmpty),
            (VM, &*"n".repeat(513), "v", Code::NameTooLong),
            (STORAGE, &*"n".repeat(129), "v", Code::NameTooLong),
            (VM, &*"😀".repeat(257), "v", Code::NameTooLong),
            (VM, "a<b", "v", Code::NameCharacters),
            (VM, "a>b", "v", Code::NameCharacters),
            (VM, "a%b", "v", Code::NameCharacters),
            (VM, "a&b", "v", Code::NameCharacters),
            (VM, "a\\b", "v", Code::NameCharacters),
            (VM, "a?b", "v", Code::NameCharacters),
            (VM, "a/b", "v", Code::NameCharacters),
            (VM, "a\u{7}b", "v", Code::NameCharacters),
            (VM, "Azure-thing", "v", Code::NameReserved),
            (VM, "microsoftX", "v", Code::NameReserved),
            (VM, "WINDOWS", "v", Code::NameReserved),
            ("microsoft.network/dnszones/a", "a b", "v", Code::NameNotForDns),
            ("microsoft.network/trafficmanagerprofiles", "1a", "v", Code::NameNotForDns),
            ("microsoft.network/frontdoors", "a#b", "v", Code::NameNotForFrontDoor),
            ("microsoft.network/frontdoors", "a:b", "v", Code::NameNotForFrontDoor),
            (VM, "a", &*"v".repeat(257), Code::ValueTooLong),
            (VM, "a", "one\ntwo", Code::ValueCharacters),
            (VM, "a", "\0", Code::ValueCharacters),
        ] {
            assert_eq!(codes(of, name, value), [code], "{of} {name:?} {value:?}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let name = format!("azure/{}", "n".repeat(600));
        let found = codes(VM, &name, &"v".repeat(300));
        assert_eq!(found, [Code::NameTooLong, Code::NameCharacters, Code::NameReserved, Code::ValueTooLong]);
    }

    #[test]
    fn what_azure_put_there_can_be_removed() {
        assert!(problems(VM, "azure-thing", None).is_empty());
        assert_eq!(problems(VM, "", None).len(), 1);
    }

    #[test]
    fn some_types_take_fewer_tags() {
        let tags = |count: usize| {
            Tags((0..count).map(|n| (n.to_string(), String::new())).collect::<BTreeMap<_, _>>())
        };
        assert_eq!(too_many(VM, &tags(50)), None);
        assert!(too_many(VM, &tags(51)).is_some());
        assert_eq!(too_many("microsoft.cdn/profiles", &tags(15)), None);
        assert!(too_many("microsoft.cdn/profiles", &tags(16)).is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_judged(of in ".{0,40}", name in ".{0,40}", value in ".{0,40}") {
            problems(&of, &name, Some(&value));
            let removed = problems(&of, &name, None);
            prop_assert!(removed.len() <= problems(&of, &name, Some(&value)).len());
        }
    }
}
