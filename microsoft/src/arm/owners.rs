//! Who may assign roles at a subscription, by a built-in role that allows it.
//!
//! <https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/list-for-subscription>; the roles:
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/built-in-roles/privileged>.

use serde::Deserialize;
use uuid::Uuid;

use super::conditions::{Verdict, judge};
use super::role_assignments::Role;
use crate::{Arm, Caller, MicrosoftError, pages};

const OWNER: Uuid = Uuid::from_u128(0x8e3a_f657_a8ff_443c_a75c_2fe8_c4bc_b635);
const USER_ACCESS_ADMINISTRATOR: Uuid = Uuid::from_u128(0x18d7_d88d_d35e_4fb5_a5c3_7773_c20a_72d9);
const RBAC_ADMINISTRATOR: Uuid = Uuid::from_u128(0xf583_10d9_a9f6_439a_9e8d_f62e_7b41_a168);

/// A built-in role that lets somebody assign roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerRole {
    /// Does everything.
    Owner,
    /// Reads everything, and gives and takes roles.
    UserAccessAdministrator,
    /// Gives and takes roles.
    RoleBasedAccessControlAdministrator,
}

impl OwnerRole {
    const ALL: [Self; 3] =
        [Self::Owner, Self::UserAccessAdministrator, Self::RoleBasedAccessControlAdministrator];

    /// Azure's id of the role's definition.
    pub fn definition_id(self) -> Uuid {
        match self {
            Self::Owner => OWNER,
            Self::UserAccessAdministrator => USER_ACCESS_ADMINISTRATOR,
            Self::RoleBasedAccessControlAdministrator => RBAC_ADMINISTRATOR,
        }
    }

    /// The role of this definition, if it is one of these.
    pub fn of(definition_id: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.definition_id() == definition_id)
    }
}

/// Somebody who may assign roles at a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The object id of a user, a group or a service principal.
    pub principal_id: Uuid,
    /// Which of these it is, in Azure's words.
    pub principal_type: Option<String>,
    /// By which role.
    pub role: OwnerRole,
    /// Where the role is held, in lower case.
    pub scope: String,
    /// Whether that is above the subscription.
    pub is_inherited: bool,
    /// What limits the role.
    pub condition: Option<String>,
}

impl Owner {
    /// Whether `role` can be given to the service principal `principal` by this.
    pub fn verdict(&self, role: Role, principal: Uuid) -> Verdict {
        self.condition.as_deref().map_or(Verdict::Allows, |condition| judge(condition, role, principal))
    }
}

#[derive(Deserialize)]
struct Row {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: Uuid,
    principal_type: Option<String>,
    scope: String,
    condition: Option<String>,
}

impl Arm {
    /// Who may assign roles at the subscription, or only what lets `user` do so: directly, from above and through
    /// groups. A role of the customer's own making can do so too, and is not told. Whoever reads the subscription may
    /// ask.
    pub async fn owners(
        &self,
        caller: &Caller,
        subscription: Uuid,
        user: Option<Uuid>,
    ) -> Result<Vec<Owner>, MicrosoftError> {
        let assigned = user.map(|user| format!("+and+assignedTo('{user}')")).unwrap_or_default();
        let path = format!(
            "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=atScope(){assigned}"
        );
        let rows: Vec<Row> = pages::all(&self.link, caller, self.get_of(subscription, &path)).await?;
        Ok(rows.into_iter().filter_map(|row| row.owner(subscription)).collect())
    }
}

impl Row {
    fn owner(self, subscription: Uuid) -> Option<Owner> {
        let Properties { role_definition_id, principal_id, principal_type, scope, condition } =
            self.properties;
        let role = role_definition_id.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok())?;
        let scope = scope.to_ascii_lowercase();
        Some(Owner {
            principal_id,
            principal_type,
            role: OwnerRole::of(role)?,
            is_inherited: scope.trim_end_matches('/') != format!("/subscriptions/{subscription}"),
            scope,
            condition: condition.filter(|condition| !condition.trim().is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIPTION: Uuid = Uuid::from_u128(7);

    fn owner(role: &str, scope: &str, condition: &str) -> Option<Owner> {
        let json = format!(
            r#"{{"id":"x","name":"x","properties":{{"principalId":"{SUBSCRIPTION}","principalType":"Group",
               "roleDefinitionId":"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{role}",
               "scope":"{scope}","condition":{condition}}}}}"#
        );
        serde_json::from_str::<Row>(&json).expect("a row").owner(SUBSCRIPTION)
    }

    #[test]
    fn whoever_may_assign_roles_is_an_owner_and_nobody_else() {
        let here = format!("/SUBSCRIPTIONS/{SUBSCRIPTION}/");
        for role in OwnerRole::ALL {
            let id = role.definition_id().to_string().to_uppercase();
            assert_eq!(owner(&id, &here, "null").map(|owner| owner.role), Some(role));
        }
        assert_eq!(owner("acdd72a7-3385-48ef-bd42-f606fba81ae7", &here, "null"), None);
        assert_eq!(owner("nonsense", &here, "null"), None);
    }

    #[test]
    fn what_is_held_above_is_inherited_and_a_condition_is_told() {
        let held =
            |scope: &str, condition: &str| owner(&OWNER.to_string(), scope, condition).expect("an owner");
        let here = held(&format!("/subscriptions/{SUBSCRIPTION}"), "\" \"");
        assert!(!here.is_inherited && here.condition.is_none());
        let above = held("/", "\"@Request[…]\"");
        assert!(above.is_inherited && above.condition.is_some());
        assert_eq!(here.verdict(Role::Reader, Uuid::nil()), Verdict::Allows);
        assert_ne!(above.verdict(Role::Reader, Uuid::nil()), Verdict::Allows);
    }
}
