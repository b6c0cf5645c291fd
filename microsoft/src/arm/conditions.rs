//! What a condition on somebody's role says about roles that they give to others.
//!
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/delegate-role-assignments-examples>; the
//! attributes: <https://learn.microsoft.com/en-us/azure/role-based-access-control/conditions-authorization-actions-attributes>.

use uuid::Uuid;

use super::role_assignments::Role;

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lets the role be given.
    Allows,
    /// It forbids that.
    Forbids,
    /// It speaks of what is not understood here; only Azure can tell.
    Unclear,
}

/// Conditions on attributes of the assignment that is asked for.
const ATTRIBUTE: &str = "@request[microsoft.authorization/roleassignments:";
const ANY_ACTION: &str = "actionmatches{";
const ACTION: &str = "actionmatches{'microsoft.authorization/roleassignments/write'}";

/// Whether `condition` lets its holder give `role` to the service principal `principal`. Understood is what Azure's
/// own editor writes: attributes that all have to hold. Whatever else there is, is unclear.
pub fn judge(condition: &str, role: Role, principal: Uuid) -> Verdict {
    let text: String = condition.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let clauses: Vec<_> =
        text.split(ATTRIBUTE).skip(1).map(|clause| holds(clause, role, principal)).collect();
    let said = clauses.iter().try_fold(true, |all, holds| holds.map(|holds| all && holds));
    match said {
        None => Verdict::Unclear,
        Some(_) if is_branched(&text) => Verdict::Unclear,
        // It speaks of other actions alone, or of ours in words that are not known here.
        Some(_) if clauses.is_empty() && (text.contains(ACTION) || !text.contains(ANY_ACTION)) => {
            Verdict::Unclear
        }
        Some(true) => Verdict::Allows,
        Some(false) => Verdict::Forbids,
    }
}

/// Each action that is spoken of brings one `or` along, between "it is another action" and what has to hold.
fn is_branched(text: &str) -> bool {
    let count = |word: &str| text.match_indices(word).count();
    count(" or ") + count(")or(") + count(" or(") + count(")or ") > count(ANY_ACTION)
}

/// Whether one attribute is as it has to be; none: that is not understood.
fn holds(clause: &str, role: Role, principal: Uuid) -> Option<bool> {
    let (attribute, rest) = clause.split_once(']')?;
    let (operator, rest) = rest.split_once('{')?;
    let (values, _) = rest.split_once('}')?;
    let mut values = values.split(',').map(|value| value.trim().trim_matches('\''));
    let is_one = match attribute {
        "roledefinitionid" => values.any(|value| Uuid::try_parse(value) == Ok(role.definition_id())),
        "principalid" => values.any(|value| Uuid::try_parse(value) == Ok(principal)),
        "principaltype" => values.any(|value| value == "serviceprincipal"),
        _ => return None,
    };
    match operator.trim() {
        "foranyofanyvalues:guidequals" | "foranyofanyvalues:stringequalsignorecase" => Some(is_one),
        "foranyofallvalues:guidnotequals" | "foranyofallvalues:stringnotequalsignorecase" => Some(!is_one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRINCIPAL: Uuid = Uuid::from_u128(8);
    const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    const BACKUP: &str = "5e467623-bb1f-42f4-a55d-6e525e11384b";

    fn of(clauses: &str) -> Verdict {
        let condition = format!(
            "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}}))\n OR \n ({clauses}))\nAND\n\
             ((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/delete'}}))\n OR \n (@Resource[\
             Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{BACKUP}}}))"
        );
        judge(&condition, Role::Reader, PRINCIPAL)
    }

    fn attribute(name: &str, operator: &str, values: &str) -> String {
        format!("@Request[Microsoft.Authorization/roleAssignments:{name}] {operator}{{{values}}}")
    }

    #[test]
    fn roles_can_be_constrained() {
        let only = |values: &str| of(&attribute("RoleDefinitionId", "ForAnyOfAnyValues:GuidEquals", values));
        assert_eq!(only(BACKUP), Verdict::Forbids);
        assert_eq!(only(&format!("{BACKUP}, {}", READER.to_uppercase())), Verdict::Allows);
        let but =
            |values: &str| of(&attribute("RoleDefinitionId", "ForAnyOfAllValues:GuidNotEquals", values));
        assert_eq!(but(BACKUP), Verdict::Allows);
        assert_eq!(but(READER), Verdict::Forbids);
    }

    #[test]
    fn principals_can_be_constrained_too() {
        let role = attribute("RoleDefinitionId", "ForAnyOfAnyValues:GuidEquals", READER);
        let kind =
            |kinds: &str| attribute("PrincipalType", "ForAnyOfAnyValues:StringEqualsIgnoreCase", kinds);
        assert_eq!(of(&format!("{role} AND {}", kind("'User', 'ServicePrincipal'"))), Verdict::Allows);
        assert_eq!(of(&format!("{role} AND {}", kind("'User'"))), Verdict::Forbids);
        let who = attribute("PrincipalId", "ForAnyOfAnyValues:GuidEquals", &PRINCIPAL.to_string());
        assert_eq!(of(&format!("{role} AND {who}")), Verdict::Allows);
    }

    #[test]
    fn what_is_not_understood_is_unclear() {
        let role = attribute("RoleDefinitionId", "ForAnyOfAnyValues:GuidEquals", READER);
        assert_eq!(of(&format!("{role} OR {role}")), Verdict::Unclear);
        assert_eq!(of(&attribute("Colour", "StringEquals", "'red'")), Verdict::Unclear);
        assert_eq!(of(&attribute("RoleDefinitionId", "GuidLike", READER)), Verdict::Unclear);
        assert_eq!(of("@Principal[Microsoft.Directory/x:Project] StringEquals 'y'"), Verdict::Unclear);
    }

    #[test]
    fn a_condition_on_other_actions_says_nothing_of_roles() {
        let blobs = "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})) OR \
                     (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'x'))";
        assert_eq!(judge(blobs, Role::Reader, PRINCIPAL), Verdict::Allows);
    }

    proptest! {
        #[test]
        fn any_condition_is_survived(text in "\\PC{0,80}") {
            judge(&text, Role::Reader, PRINCIPAL);
            judge(&format!("@Request[Microsoft.Authorization/roleAssignments:{text}"), Role::Reader, PRINCIPAL);
        }
    }
}
