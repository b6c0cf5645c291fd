//! Groups and who is in them, as they are and as they change.
//!
//! <https://learn.microsoft.com/en-us/graph/delta-query-groups>; needs `Group.Read.All`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::delta::{Changes, Removal, Start, Told, Tracked};
use crate::{Graph, MicrosoftError, timestamp};

/// A group of a tenant, as far as a change tells of it. A large one comes several times, each time with other members.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/group>
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The object id.
    pub id: Uuid,
    /// The name that people see.
    #[serde(default)]
    pub display_name: Told<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Told<String>,
    /// `Unified` for a Microsoft 365 group, `DynamicMembership` for one whose members a rule names.
    #[serde(default)]
    pub group_types: Told<Vec<String>>,
    /// Whether it has a mail address.
    #[serde(default)]
    pub mail_enabled: Told<bool>,
    /// Whether roles and licences can be given to it.
    #[serde(default)]
    pub security_enabled: Told<bool>,
    /// The rule that names its members, if there is one.
    #[serde(default)]
    pub membership_rule: Told<String>,
    /// When it was created.
    #[serde(default, rename = "createdDateTime", deserialize_with = "timestamp::lenient")]
    pub created_at: Option<DateTime<Utc>>,
    /// Who came into it or left it; of a group that is new here, everybody.
    #[serde(default, rename = "members@delta")]
    pub members: Vec<MembershipChange>,
}

/// That somebody came into a group, or left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembershipChange {
    /// Who.
    pub member: GroupMember,
    /// Whether they are in it now.
    pub is_in: bool,
}

/// Whoever is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct GroupMember {
    /// The object id.
    pub id: Uuid,
    /// What it is.
    #[serde(rename = "@odata.type", default)]
    pub kind: GroupMemberKind,
}

/// What is in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupMemberKind {
    /// A user.
    User,
    /// Another group.
    Group,
    /// A device.
    Device,
    /// A service principal.
    ServicePrincipal,
    /// Something else, or nobody says what.
    #[default]
    Other,
}

impl<'de> Deserialize<'de> for GroupMemberKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        Ok(match name.trim_start_matches('#') {
            "microsoft.graph.user" => Self::User,
            "microsoft.graph.group" => Self::Group,
            "microsoft.graph.device" => Self::Device,
            "microsoft.graph.servicePrincipal" => Self::ServicePrincipal,
            _ => Self::Other,
        })
    }
}

impl<'de> Deserialize<'de> for MembershipChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(flatten)]
            member: GroupMember,
            #[serde(rename = "@removed")]
            removed: Option<Removal>,
        }
        let row = Row::deserialize(deserializer)?;
        Ok(Self { member: row.member, is_in: row.removed.is_none() })
    }
}

impl Tracked for Group {
    const PATH: &'static str = "/groups/delta?$select=id,displayName,description,groupTypes,mailEnabled,securityEnabled,\
                                membershipRule,createdDateTime,members";

    fn id(&self) -> Uuid {
        self.id
    }
}

impl Graph {
    /// A page of groups, or of what has changed of them. `DeltaTokenDead`: begin again, from the beginning.
    pub async fn group_changes(&self, tenant: Uuid, start: &Start) -> Result<Changes<Group>, MicrosoftError> {
        self.changes(tenant, start).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_and_go_and_are_of_any_kind() {
        let id = Uuid::from_u128(7);
        let changes = |rows: &str| {
            let group =
                serde_json::from_str::<Group>(&format!(r#"{{"id":"{id}","members@delta":[{rows}]}}"#));
            group.expect("a group").members
        };
        let came = changes(&format!(r##"{{"@odata.type":"#microsoft.graph.user","id":"{id}"}}"##));
        assert_eq!(
            came,
            [MembershipChange { member: GroupMember { id, kind: GroupMemberKind::User }, is_in: true }]
        );
        let left = changes(&format!(
            r##"{{"@odata.type":"#microsoft.graph.device","id":"{id}","@removed":{{"reason":"deleted"}}}}"##
        ));
        assert_eq!(
            left,
            [MembershipChange { member: GroupMember { id, kind: GroupMemberKind::Device }, is_in: false }]
        );
        for odd in [
            format!(r#"{{"id":"{id}"}}"#),
            format!(r##"{{"id":"{id}","@odata.type":"#microsoft.graph.orgContact"}}"##),
            format!(r#"{{"id":"{id}","@odata.type":null,"displayName":"x"}}"#),
        ] {
            assert_eq!(changes(&odd)[0].member.kind, GroupMemberKind::Other, "{odd}");
        }
        assert!(changes("").is_empty());
    }
}
