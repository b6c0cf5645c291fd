//! Users, as they are and as they change.
//!
//! <https://learn.microsoft.com/en-us/graph/api/user-delta>; needs `User.Read.All`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::delta::{Changes, Start, Told, Tracked};
use crate::{Graph, MicrosoftError, timestamp};

/// A user of a tenant, as far as a change tells of them.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/user>
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The object id.
    pub id: Uuid,
    /// The name that people see.
    #[serde(default)]
    pub display_name: Told<String>,
    /// The name to sign in with.
    #[serde(default)]
    pub user_principal_name: Told<String>,
    /// The mail address.
    #[serde(default)]
    pub mail: Told<String>,
    /// Whether they may sign in.
    #[serde(default)]
    pub account_enabled: Told<bool>,
    /// `Member`, or `Guest` for those who are at home elsewhere.
    #[serde(default)]
    pub user_type: Told<String>,
    /// The department.
    #[serde(default)]
    pub department: Told<String>,
    /// The country in which they use services, in two letters.
    #[serde(default)]
    pub usage_location: Told<String>,
    /// When they were created.
    #[serde(default, rename = "createdDateTime", deserialize_with = "timestamp::lenient")]
    pub created_at: Option<DateTime<Utc>>,
    /// The products of the licences assigned to them, as many as there are.
    #[serde(default, rename = "assignedLicenses", deserialize_with = "sku_ids")]
    pub sku_ids: Told<Vec<Uuid>>,
}

/// <https://learn.microsoft.com/en-us/graph/api/resources/assignedlicense>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignedLicence {
    sku_id: Uuid,
}

fn sku_ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Told<Vec<Uuid>>, D::Error> {
    let licences = Option::<Vec<AssignedLicence>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(Told::Is(licences.into_iter().map(|licence| licence.sku_id).collect()))
}

impl Tracked for User {
    const PATH: &'static str = "/users/delta?$select=id,displayName,userPrincipalName,mail,accountEnabled,userType,\
                                department,usageLocation,createdDateTime,assignedLicenses";

    fn id(&self) -> Uuid {
        self.id
    }
}

impl Graph {
    /// A page of users, or of what has changed of them. `DeltaTokenDead`: begin again, from the beginning.
    pub async fn user_changes(&self, tenant: Uuid, start: &Start) -> Result<Changes<User>, MicrosoftError> {
        self.changes(tenant, start).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_from_what_is_empty() {
        let user = |json: &str| serde_json::from_str::<User>(json).expect("a user");
        let id = Uuid::from_u128(7);
        let silent = user(&format!(r#"{{"id":"{id}"}}"#));
        assert_eq!((silent.mail, silent.sku_ids, silent.created_at), (Told::Nothing, Told::Nothing, None));
        let empty = user(&format!(
            r#"{{"id":"{id}","mail":null,"assignedLicenses":[],"createdDateTime":null,"new":{{}}}}"#
        ));
        assert_eq!((empty.mail, empty.sku_ids), (Told::Empty, Told::Is(Vec::new())));
        let full = user(&format!(
            r#"{{"id":"{id}","accountEnabled":false,"assignedLicenses":[{{"disabledPlans":[],"skuId":"{id}"}}],
                "createdDateTime":"2024-01-01T00:00:00Z"}}"#
        ));
        assert_eq!((full.account_enabled, full.sku_ids), (Told::Is(false), Told::Is(vec![id])));
        assert!(full.created_at.is_some());
    }
}
