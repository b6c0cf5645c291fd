//! Resources, as Azure Resource Manager lists them.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/resources/list>.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::stream::{Stream, TryStreamExt};
use serde::Deserialize;
use uuid::Uuid;

use super::{sku, tags};
use crate::pages::{each, read_ahead};
use crate::{Arm, Caller, MicrosoftError, timestamp};

/// A resource. Resource Manager and Resource Graph give the same, except that only the first knows times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its id, in the case Azure wrote it this time; compares case-insensitively.
    pub arm_id: String,
    /// The subscription it is in.
    pub subscription_id: Uuid,
    /// Its name; a child's is `parent/child`.
    pub name: String,
    /// Its type in lower case.
    pub resource_type: String,
    /// Its kind, for the types that have kinds.
    pub kind: Option<String>,
    /// Its location in lower case without spaces.
    pub location: Option<String>,
    /// Its resource group, in the case of its id; empty for what stands directly in the subscription.
    pub resource_group: String,
    /// The name of its SKU.
    pub sku: Option<String>,
    /// The id of the resource that manages it.
    pub managed_by: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub changed_at: Option<DateTime<Utc>>,
}

/// The type of a resource group, in lower case.
pub(super) const RESOURCE_GROUP: &str = "microsoft.resources/resourcegroups";
/// The type of a subscription, in lower case.
pub(super) const SUBSCRIPTION: &str = "microsoft.resources/subscriptions";

/// A row as both sources write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    kind: Option<String>,
    location: Option<String>,
    #[serde(default, deserialize_with = "sku::lenient_name")]
    sku: Option<String>,
    managed_by: Option<String>,
    #[serde(default, deserialize_with = "tags::lenient")]
    tags: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    created_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    changed_time: Option<DateTime<Utc>>,
}

impl Arm {
    /// The resources of a subscription, page by page, as Resource Manager lists them: slower than
    /// Resource Graph, but enough for a caller who may only tag.
    pub fn resources(
        &self,
        caller: Caller,
        subscription: Uuid,
    ) -> impl Stream<Item = Result<Vec<Resource>, MicrosoftError>> + Send + 'static + use<> {
        let path = "/resources?api-version=2024-07-01&$expand=createdTime,changedTime&$top=1000";
        let call = self.get_of(subscription, path).patient();
        let rows = each::<Row>(self.link.clone(), caller, call);
        read_ahead(
            rows.map_ok(move |rows| rows.into_iter().map(|row| row.into_resource(subscription)).collect()),
        )
    }
}

impl Row {
    /// The subscription of the request stands in for an id that names none.
    pub(super) fn into_resource(mut self, asked: Uuid) -> Resource {
        self.resource_type.make_ascii_lowercase();
        // Resource Graph calls it by its place, Resource Manager by its name.
        if self.resource_type == "microsoft.resources/subscriptions/resourcegroups" {
            RESOURCE_GROUP.clone_into(&mut self.resource_type);
        }
        Resource {
            subscription_id: part_after(&self.id, "subscriptions")
                .and_then(|id| Uuid::try_parse(id).ok())
                .unwrap_or(asked),
            resource_group: part_after(&self.id, "resourceGroups").unwrap_or_default().to_owned(),
            arm_id: self.id,
            name: self.name,
            resource_type: self.resource_type,
            kind: present(self.kind),
            location: present(self.location).map(normal_location),
            sku: present(self.sku),
            managed_by: present(self.managed_by),
            tags: self.tags,
            created_at: self.created_time,
            changed_at: self.changed_time,
        }
    }
}

/// Resource Graph writes what is absent as an empty text.
pub(super) fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// `East US` and `eastus` are the same place.
pub(super) fn normal_location(mut location: String) -> String {
    if location.contains(' ') {
        location.retain(|c| c != ' ');
    }
    location.make_ascii_lowercase();
    location
}

/// The part of an ARM id that follows `name`, before any provider.
pub(super) fn part_after<'a>(arm_id: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = arm_id.split('/').skip(1);
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        if key.eq_ignore_ascii_case("providers") {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUBSCRIPTION: Uuid = Uuid::from_u128(7);

    fn resource(json: &str) -> Resource {
        serde_json::from_str::<Row>(json).expect("a row").into_resource(Uuid::nil())
    }

    #[test]
    fn both_sources_give_the_same() {
        let id =
            format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/RG1/providers/Microsoft.Compute/disks/d1");
        let listed = resource(&format!(
            r#"{{"id":"{id}","name":"d1","type":"Microsoft.Compute/disks","location":"East US",
                "sku":{{"name":"Premium_LRS","tier":"Premium"}},"tags":{{"Env":"Prod"}},"identity":{{}}}}"#
        ));
        let queried = resource(&format!(
            r#"{{"id":"{id}","name":"d1","type":"microsoft.compute/disks","location":"eastus","resourceGroup":"rg1",
                "subscriptionId":"{SUBSCRIPTION}","kind":"","managedBy":"","sku":{{"name":"Premium_LRS"}},"tags":{{"Env":"Prod"}}}}"#
        ));
        assert_eq!(listed, queried);
        assert_eq!(listed.subscription_id, SUBSCRIPTION);
        assert_eq!(listed.resource_group, "RG1");
    }

    #[test]
    fn times_are_read_when_they_are_there() {
        let row = resource(
            r#"{"id":"/x","name":"n","type":"T","createdTime":"2026-03-16T18:13:07.5523873Z","changedTime":"never"}"#,
        );
        assert!(row.created_at.is_some() && row.changed_at.is_none());
    }

    #[test]
    fn resource_groups_are_not_looked_for_inside_providers() {
        assert_eq!(part_after("/subscriptions/a/providers/X/resourceGroups/b", "resourceGroups"), None);
        assert_eq!(part_after("/SUBSCRIPTIONS/a/resourcegroups/b", "resourceGroups"), Some("b"));
        assert_eq!(part_after("", "subscriptions"), None);
    }

    proptest! {
        #[test]
        fn any_id_is_survived(id in "\\PC{0,60}") {
            part_after(&id, "resourceGroups");
        }
    }
}
