//! The three-way merge of one tag: what it was when it was last in sync, what Azure has now, and what is wanted here.
//!
//! A value of `None` is a tag that is not there. Whether names differ in case does not matter: the tag is the same.

use serde::{Deserialize, Serialize};

/// What is done where Azure and Tenantry both changed the same tag, to different values.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConflictPolicy {
    /// What is wanted here is written.
    #[sea_orm(string_value = "PORTAL_WINS")]
    PortalWins,
    /// What Azure has stays.
    #[sea_orm(string_value = "AZURE_WINS")]
    AzureWins,
    /// Neither, until a member decides.
    #[default]
    #[sea_orm(string_value = "ASK")]
    Ask,
}

/// What becomes of one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Azure has what is wanted.
    InSync,
    /// What is wanted has to be written: only Tenantry changed the tag, or it goes first.
    Write,
    /// What Azure has stays: only Azure changed the tag, or it goes first.
    Keep,
    /// Both changed it, and a member has to decide.
    Conflict,
}

/// Merges one tag.
pub fn merge(
    base: Option<&str>,
    azure: Option<&str>,
    wanted: Option<&str>,
    policy: ConflictPolicy,
) -> Merged {
    if azure == wanted {
        return Merged::InSync;
    }
    if azure == base {
        return Merged::Write;
    }
    if wanted == base {
        return Merged::Keep;
    }
    match policy {
        ConflictPolicy::PortalWins => Merged::Write,
        ConflictPolicy::AzureWins => Merged::Keep,
        ConflictPolicy::Ask => Merged::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[ab]?")
    }

    fn policy() -> impl Strategy<Value = ConflictPolicy> {
        prop_oneof![
            Just(ConflictPolicy::PortalWins),
            Just(ConflictPolicy::AzureWins),
            Just(ConflictPolicy::Ask)
        ]
    }

    proptest! {
        /// A value that a side set is in Azure afterwards, or waits in the queue of conflicts, or gave way to what the
        /// other side set or removed, as the policy says. Nothing else ever takes its place.
        #[test]
        fn no_value_is_lost_that_a_side_set_and_nobody_removed(
            base in value(), azure in value(), wanted in value(), policy in policy(),
        ) {
            let merged = merge(base.as_deref(), azure.as_deref(), wanted.as_deref(), policy);
            let after = if merged == Merged::Write { wanted.clone() } else { azure.clone() };
            let (azure_changed, we_changed) = (azure != base, wanted != base);

            match (azure_changed, we_changed) {
                (false, _) => prop_assert_eq!(&after, &wanted, "nobody but us changed it"),
                (true, false) => prop_assert_eq!(&after, &azure, "nobody but Azure changed it"),
                (true, true) if azure == wanted => prop_assert_eq!(merged, Merged::InSync),
                (true, true) => match policy {
                    ConflictPolicy::PortalWins => prop_assert_eq!(&after, &wanted),
                    ConflictPolicy::AzureWins => prop_assert_eq!(merged, Merged::Keep),
                    ConflictPolicy::Ask => prop_assert_eq!(merged, Merged::Conflict),
                },
            }
            if merged == Merged::Conflict {
                prop_assert!(azure_changed && we_changed && azure != wanted);
            }
        }

        /// What was merged and written is merged to the same when it is looked at again: a repeat changes nothing.
        #[test]
        fn a_repeat_changes_nothing(base in value(), azure in value(), wanted in value(), policy in policy()) {
            let merged = merge(base.as_deref(), azure.as_deref(), wanted.as_deref(), policy);
            let after = if merged == Merged::Write { wanted.as_deref() } else { azure.as_deref() };
            let again = merge(base.as_deref(), after, wanted.as_deref(), policy);
            let same = if merged == Merged::Write { Merged::InSync } else { merged };
            prop_assert_eq!(again, same);
        }
    }
}
