//! What a caller may do at a subscription, from every role that reaches it.
//!
//! <https://learn.microsoft.com/en-us/rest/api/authorization/permissions/list-for-resource-group>; the
//! same list exists at a subscription.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Arm, Caller, MicrosoftError, pages};

/// Effective permissions: direct, inherited and through groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    grants: Vec<Grant>,
}

/// What one role allows; its exceptions hold within it, not against other roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Grant {
    actions: Vec<String>,
    not_actions: Vec<String>,
}

impl Permissions {
    /// Whether any one role allows the action and does not except it.
    pub fn allows(&self, action: &str) -> bool {
        self.grants.iter().any(|grant| {
            grant.actions.iter().any(|pattern| matches(pattern, action))
                && !grant.not_actions.iter().any(|pattern| matches(pattern, action))
        })
    }
}

impl Arm {
    /// What the caller may do at a subscription. A condition on a role can still forbid what this allows.
    pub async fn effective_permissions(
        &self,
        caller: &Caller,
        subscription: Uuid,
    ) -> Result<Permissions, MicrosoftError> {
        let path = "/providers/Microsoft.Authorization/permissions?api-version=2022-04-01";
        let grants = pages::all(&self.link, caller, self.get_of(subscription, path)).await?;
        Ok(Permissions { grants })
    }
}

/// Whether an action fits a pattern, in which `*` stands for any text, slashes too. Case does not count.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Where to go back to when the text after the last star does not fit: one more byte for the star.
    let mut star: Option<(usize, usize)> = None;
    while read < action.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, read));
            at += 1;
        } else if pattern.get(at).is_some_and(|byte| byte.eq_ignore_ascii_case(&action[read])) {
            at += 1;
            read += 1;
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            at = star_at + 1;
            read = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";

    fn permissions(roles: &[(&[&str], &[&str])]) -> Permissions {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let grants = roles.iter().map(|(yes, no)| Grant { actions: texts(yes), not_actions: texts(no) });
        Permissions { grants: grants.collect() }
    }

    const OWNER: (&[&str], &[&str]) = (&["*"], &[]);
    const CONTRIBUTOR: (&[&str], &[&str]) =
        (&["*"], &["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"]);
    const READER: (&[&str], &[&str]) = (&["*/read"], &[]);
    const USER_ACCESS_ADMINISTRATOR: (&[&str], &[&str]) =
        (&["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"], &[]);

    #[test]
    fn who_may_assign_roles() {
        assert!(permissions(&[OWNER]).allows(WRITE));
        assert!(permissions(&[USER_ACCESS_ADMINISTRATOR]).allows(WRITE));
        assert!(!permissions(&[CONTRIBUTOR]).allows(WRITE));
        assert!(!permissions(&[READER]).allows(WRITE));
        assert!(!permissions(&[]).allows(WRITE));
    }

    #[test]
    fn exceptions_hold_within_their_role_only() {
        assert!(permissions(&[CONTRIBUTOR, USER_ACCESS_ADMINISTRATOR]).allows(WRITE));
        assert!(!permissions(&[CONTRIBUTOR, READER]).allows(WRITE));
    }

    /// The rule in its plainest form.
    fn plain(pattern: &[u8], action: &[u8]) -> bool {
        match (pattern.split_first(), action.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=action.len()).any(|n| plain(rest, &action[n..])),
            (Some((p, pattern)), Some((a, action))) => p.eq_ignore_ascii_case(a) && plain(pattern, action),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_mean_what_the_plain_rule_says(pattern in "[aB/*]{0,8}", action in "[Ab/]{0,10}") {
            prop_assert_eq!(matches(&pattern, &action), plain(pattern.as_bytes(), action.as_bytes()));
        }
    }
}
