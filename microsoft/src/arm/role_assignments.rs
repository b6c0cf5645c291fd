//! Role assignments of the service principal: listing them, and making one that is there at most once.
//!
//! <https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments>; failures:
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshooting>.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::caller::Call;
use crate::error::codes;
use crate::{Arm, Caller, MicrosoftError, pages};

/// Where the names of our assignments come from. Changing it would assign every role a second time.
const NAMES: Uuid = Uuid::from_u128(0x5d0f_61b3_8f0c_4f4e_9d8a_6f1c_2b7e_9a35);
const READER: Uuid = Uuid::from_u128(0xacdd_72a7_3385_48ef_bd42_f606_fba8_1ae7);
const TAG_CONTRIBUTOR: Uuid = Uuid::from_u128(0x4a9a_e827_6dc8_4573_8ac7_8239_d42a_a03f);
const DESCRIPTION: &str = "Assigned by Tenantry with the consent of an owner.";

/// A role, by its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads everything but secrets.
    Reader,
    /// Reads resources and writes their tags.
    TagContributor,
    /// Any other.
    Other(Uuid),
}

impl Role {
    /// Azure's id of the role's definition, the same in every tenant for built-in roles.
    pub fn definition_id(self) -> Uuid {
        match self {
            Self::Reader => READER,
            Self::TagContributor => TAG_CONTRIBUTOR,
            Self::Other(id) => id,
        }
    }
}

impl From<Uuid> for Role {
    fn from(id: Uuid) -> Self {
        match id {
            READER => Self::Reader,
            TAG_CONTRIBUTOR => Self::TagContributor,
            other => Self::Other(other),
        }
    }
}

/// A role assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Its name: a GUID.
    pub name: String,
    /// Its id, in the case Azure wrote it this time; compares case-insensitively.
    pub arm_id: String,
    /// Where it stands.
    pub scope: String,
    /// The role.
    pub role: Role,
    /// Who has it: the service principal, or a group it is in.
    pub principal_id: Uuid,
    /// Whether it bears another name than Tenantry would give it: somebody else made it.
    pub adopted: bool,
    /// The id that joins the requests by which it was assigned; none: it was there before.
    pub correlation_id: Option<Uuid>,
}

impl RoleAssignment {
    /// Whether it stands above the subscription: at a management group or at the root.
    pub fn is_inherited_at(&self, subscription: Uuid) -> bool {
        let scope = self.scope.trim_end_matches('/').to_ascii_lowercase();
        !scope.starts_with(&subscription_scope(subscription))
    }
}

#[derive(Deserialize)]
struct Row {
    id: String,
    name: String,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: Uuid,
    scope: String,
}

#[derive(Serialize)]
struct Put {
    properties: PutProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutProperties {
    role_definition_id: String,
    principal_id: Uuid,
    /// Keeps Azure from looking the principal up in a directory that may not know it yet.
    principal_type: &'static str,
    description: &'static str,
}

impl Arm {
    /// The principal's assignments at the subscription and above it, through groups too.
    pub async fn role_assignments(
        &self,
        caller: &Caller,
        subscription: Uuid,
        principal: Uuid,
    ) -> Result<Vec<RoleAssignment>, MicrosoftError> {
        self.list(caller, subscription, &format!("atScope()+and+assignedTo('{principal}')")).await
    }

    /// Assigns a role at a subscription, once: the name is derived from scope, principal and role, and an
    /// assignment that somebody else made is adopted.
    pub async fn assign_role(
        &self,
        caller: &Caller,
        subscription: Uuid,
        role: Role,
        principal: Uuid,
    ) -> Result<RoleAssignment, MicrosoftError> {
        let scope = subscription_scope(subscription);
        let name = assignment_name(&scope, principal, role);
        let path = format!("{}?api-version=2022-04-01", assignment_id(&scope, &name.to_string()));
        let put = Put {
            properties: PutProperties {
                role_definition_id: format!(
                    "{scope}/providers/Microsoft.Authorization/roleDefinitions/{}",
                    role.definition_id()
                ),
                principal_id: principal,
                principal_type: "ServicePrincipal",
                description: DESCRIPTION,
            },
        };
        let body = serde_json::to_vec(&put)
            .map_err(|error| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, error.to_string()))?;
        let call = Call::of_resource_manager(Method::PUT, self.link.base().at(&path))
            .body(body)
            .of_subscription(subscription);
        match self.link.read::<Row>(caller, &call).await {
            Ok(row) => {
                let assigned = row.into_assignment()?;
                Ok(RoleAssignment { correlation_id: Some(call.correlation_id()), ..assigned })
            }
            Err(error) if error.code() == codes::ROLE_ASSIGNMENT_EXISTS.code => {
                self.adopt(caller, subscription, role, principal, error).await
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a role assignment of ours; one that is gone already is removed. Answers the id that joins the
    /// requests by which that was done.
    ///
    /// <https://learn.microsoft.com/en-us/rest/api/authorization/role-assignments/delete-by-id>
    pub async fn remove_role(
        &self,
        caller: &Caller,
        subscription: Uuid,
        arm_id: &str,
    ) -> Result<Uuid, MicrosoftError> {
        let path = format!("/{}?api-version=2022-04-01", arm_id.trim_start_matches('/'));
        let call = Call::of_resource_manager(Method::DELETE, self.link.base().at(&path))
            .of_subscription(subscription);
        match self.link.send(caller, &call).await {
            Ok(_) | Err(MicrosoftError::NotFound { .. }) => Ok(call.correlation_id()),
            Err(error) => Err(error),
        }
    }

    /// Finds the assignment that a `RoleAssignmentExists` speaks of.
    async fn adopt(
        &self,
        caller: &Caller,
        subscription: Uuid,
        role: Role,
        principal: Uuid,
        error: MicrosoftError,
    ) -> Result<RoleAssignment, MicrosoftError> {
        let scope = subscription_scope(subscription);
        if let Some(name) = conflicting_name(&error.detail().message) {
            return Ok(RoleAssignment {
                name: name.to_string(),
                arm_id: assignment_id(&scope, &name.to_string()),
                adopted: name != assignment_name(&scope, principal, role),
                scope,
                role,
                principal_id: principal,
                correlation_id: None,
            });
        }
        let existing = self.list(caller, subscription, &format!("principalId+eq+'{principal}'")).await?;
        existing
            .into_iter()
            .find(|found| {
                found.role == role
                    && found.principal_id == principal
                    && found.scope.trim_end_matches('/').eq_ignore_ascii_case(&scope)
            })
            .ok_or(error)
    }

    async fn list(
        &self,
        caller: &Caller,
        subscription: Uuid,
        filter: &str,
    ) -> Result<Vec<RoleAssignment>, MicrosoftError> {
        let path = format!(
            "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter={filter}"
        );
        let rows: Vec<Row> = pages::all(&self.link, caller, self.get_of(subscription, &path)).await?;
        rows.into_iter().map(Row::into_assignment).collect()
    }
}

impl Row {
    fn into_assignment(self) -> Result<RoleAssignment, MicrosoftError> {
        let Properties { role_definition_id, principal_id, scope } = self.properties;
        // With or without the subscription in front: only the GUID at the end counts.
        let role = role_definition_id
            .rsplit('/')
            .next()
            .and_then(|id| Uuid::try_parse(id).ok())
            .map(Role::from)
            .ok_or_else(|| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "a role definition has no id"))?;
        let ours = assignment_name(&scope, principal_id, role);
        Ok(RoleAssignment {
            adopted: Uuid::try_parse(&self.name).ok() != Some(ours),
            name: self.name,
            arm_id: self.id,
            scope,
            role,
            principal_id,
            correlation_id: None,
        })
    }
}

fn subscription_scope(subscription: Uuid) -> String {
    format!("/subscriptions/{subscription}")
}

fn assignment_id(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

/// The same scope, principal and role always get the same name. The principal is part of it: a service
/// principal that was deleted and came back is another one.
fn assignment_name(scope: &str, principal: Uuid, role: Role) -> Uuid {
    let scope = scope.trim_end_matches('/').to_ascii_lowercase();
    Uuid::new_v5(&NAMES, format!("{scope}|{principal}|{}", role.definition_id()).as_bytes())
}

/// Newer texts end in the conflicting assignment's name, without dashes.
fn conflicting_name(message: &str) -> Option<Uuid> {
    message
        .split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        .filter(|word| word.len() >= 32)
        .find_map(|word| Uuid::try_parse(word).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUBSCRIPTION: Uuid = Uuid::from_u128(7);
    const PRINCIPAL: Uuid = Uuid::from_u128(8);

    fn assignment(scope: &str) -> RoleAssignment {
        let json = format!(
            r#"{{"id":"{scope}/providers/Microsoft.Authorization/roleAssignments/a","name":"a","type":"x",
               "properties":{{"roleDefinitionId":"/providers/Microsoft.Authorization/roleDefinitions/ACDD72A7-3385-48EF-BD42-F606FBA81AE7",
               "principalId":"{PRINCIPAL}","scope":"{scope}","condition":null}}}}"#
        );
        serde_json::from_str::<Row>(&json).expect("a row").into_assignment().expect("an assignment")
    }

    #[test]
    fn roles_are_known_by_the_end_of_their_definition() {
        let found = assignment("/subscriptions/x");
        assert_eq!(found.role, Role::Reader);
        assert!(found.adopted);
    }

    #[test]
    fn inherited_means_above() {
        let at = |scope: &str| assignment(scope).is_inherited_at(SUBSCRIPTION);
        assert!(at("/"));
        assert!(at("/providers/Microsoft.Management/managementGroups/root"));
        assert!(!at(&format!("/SUBSCRIPTIONS/{}/", SUBSCRIPTION.to_string().to_uppercase())));
        assert!(!at(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg")));
    }

    #[test]
    fn the_conflicting_assignment_is_read_from_the_text() {
        let with = "The role assignment already exists. The ID of the conflicting role assignment is 593d47719b195096804b7b96d6e5a5ac.";
        assert_eq!(
            conflicting_name(with).map(|id| id.to_string()).as_deref(),
            Some("593d4771-9b19-5096-804b-7b96d6e5a5ac")
        );
        assert_eq!(conflicting_name("The role assignment already exists."), None);
    }

    #[test]
    fn names_never_change() {
        let scope = subscription_scope(SUBSCRIPTION);
        let name = assignment_name(&scope, PRINCIPAL, Role::Reader);
        assert_eq!(name, assignment_name(&format!("{}/", scope.to_uppercase()), PRINCIPAL, Role::Reader));
        assert_eq!(name.get_version_num(), 5);
        assert_ne!(name, assignment_name(&scope, PRINCIPAL, Role::TagContributor));
        assert_ne!(name, assignment_name(&scope, SUBSCRIPTION, Role::Reader));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}") {
            conflicting_name(&text);
        }

        #[test]
        fn roles_and_ids_are_the_same_thing(id: u128) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(Role::from(id).definition_id(), id);
        }
    }
}
