//! By which roles a user may give roles to others at a subscription, and how many more may be given there.
//!
//! <https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/list-for-subscription>; the limit:
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshoot-limits>.

use serde::Deserialize;
use uuid::{Uuid, uuid};

use super::conditions::{Verdict, judge};
use super::role_assignments::Role;
use crate::{Arm, Caller, MicrosoftError, pages};

/// Built-in roles that let their holder give roles to others.
const ASSIGNERS: [(Uuid, &str); 3] = [
    (uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635"), "Owner"),
    (uuid!("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"), "User Access Administrator"),
    (uuid!("f58310d9-a9f6-439a-9e8d-f62e7b41a168"), "Role Based Access Control Administrator"),
];

/// A role that its holder can give roles to others with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigner {
    /// Azure's id of the role's definition.
    pub role_definition_id: Uuid,
    /// The role's name in Azure.
    pub name: &'static str,
    /// Under which condition it is held, if there is one.
    pub condition: Option<String>,
}

impl Assigner {
    /// Whether `role` can be given to the service principal `principal` with it.
    pub fn verdict(&self, role: Role, principal: Uuid) -> Verdict {
        self.condition.as_deref().map_or(Verdict::Allows, |condition| judge(condition, role, principal))
    }
}

/// How many role assignments a subscription has, and how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RoleAssignmentUsage {
    /// How many there may be.
    #[serde(rename = "roleAssignmentsLimit")]
    pub limit: u32,
    /// How many there are.
    #[serde(rename = "roleAssignmentsCurrentCount")]
    pub count: u32,
}

#[derive(Deserialize)]
struct Row {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    condition: Option<String>,
}

impl Arm {
    /// Built-in roles by which `user` can give roles to others at the subscription: direct, inherited and through
    /// groups. A role of the customer's own making can do so too, and is not among them.
    pub async fn assigners(
        &self,
        caller: &Caller,
        subscription: Uuid,
        user: Uuid,
    ) -> Result<Vec<Assigner>, MicrosoftError> {
        let path = format!(
            "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01\
             &$filter=atScope()+and+assignedTo('{user}')"
        );
        let rows: Vec<Row> = pages::all(&self.link, caller, self.get_of(subscription, &path)).await?;
        Ok(rows.into_iter().filter_map(Row::into_assigner).collect())
    }

    /// How many role assignments there are at the subscription and below it, and how many there may be.
    pub async fn role_assignment_usage(
        &self,
        caller: &Caller,
        subscription: Uuid,
    ) -> Result<RoleAssignmentUsage, MicrosoftError> {
        let path =
            "/providers/Microsoft.Authorization/roleAssignmentsUsageMetrics?api-version=2019-08-01-preview";
        self.link.read(caller, &self.get_of(subscription, path)).await
    }
}

impl Row {
    fn into_assigner(self) -> Option<Assigner> {
        let definition = self.properties.role_definition_id.rsplit('/').next()?;
        let id = Uuid::try_parse(definition).ok()?;
        let (role_definition_id, name) = ASSIGNERS.into_iter().find(|(known, _)| *known == id)?;
        let condition = self.properties.condition.filter(|condition| !condition.trim().is_empty());
        Some(Assigner { role_definition_id, name, condition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: &str, condition: &str) -> Option<Assigner> {
        let json = format!(
            r#"{{"id":"x","name":"a","properties":{{"roleDefinitionId":"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}",
               "principalId":"p","scope":"/","condition":{condition}}}}}"#
        );
        serde_json::from_str::<Row>(&json).expect("a row").into_assigner()
    }

    #[test]
    fn only_roles_that_give_roles_are_kept() {
        let owner = row("8E3AF657-A8FF-443C-A75C-2FE8C4BCB635", "null").expect("an assigner");
        assert_eq!((owner.name, owner.condition.as_deref()), ("Owner", None));
        assert_eq!(owner.verdict(Role::Reader, Uuid::nil()), Verdict::Allows);
        assert_eq!(row("acdd72a7-3385-48ef-bd42-f606fba81ae7", "null"), None);
        assert_eq!(row("b24988ac-6180-42a0-ab88-20f7382dd24c", "null"), None);
    }

    #[test]
    fn an_empty_condition_is_none() {
        let administrator = row("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "\" \"").expect("an assigner");
        assert_eq!(administrator.condition, None);
    }

    #[test]
    fn usage_is_read() {
        let usage: RoleAssignmentUsage = serde_json::from_str(
            r#"{"subscriptionId":"s","roleAssignmentsLimit":4000,"roleAssignmentsCurrentCount":26,"roleAssignmentsRemainingCount":3974}"#,
        )
        .expect("usage");
        assert_eq!((usage.limit, usage.count), (4_000, 26));
    }
}
