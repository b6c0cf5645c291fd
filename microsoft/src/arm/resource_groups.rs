//! Resource groups of a subscription.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/resource-groups/list>.

use std::collections::BTreeMap;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use uuid::Uuid;

use super::resources::{RESOURCE_GROUP, Resource, normal_location, present};
use super::tags;
use crate::pages::{each, read_ahead};
use crate::{Arm, Caller, MicrosoftError};

/// A resource group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceGroup {
    /// Its id, in the case Azure wrote it this time; compares case-insensitively.
    pub arm_id: String,
    /// The subscription it is in.
    pub subscription_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its location in lower case without spaces.
    pub location: Option<String>,
    /// The id of the resource that manages it.
    pub managed_by: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    name: String,
    location: Option<String>,
    managed_by: Option<String>,
    #[serde(default, deserialize_with = "tags::lenient")]
    tags: BTreeMap<String, String>,
}

impl Arm {
    /// The resource groups of a subscription, page by page.
    pub fn resource_groups(
        &self,
        caller: Caller,
        subscription: Uuid,
    ) -> impl Stream<Item = Result<Vec<ResourceGroup>, MicrosoftError>> + Send + 'static + use<> {
        let call = self.get_of(subscription, "/resourcegroups?api-version=2024-07-01").patient();
        let rows = each::<Row>(self.link.clone(), caller, call);
        read_ahead(
            rows.map_ok(move |rows| rows.into_iter().map(|row| row.into_group(subscription)).collect()),
        )
    }
}

impl Arm {
    /// The subscription itself and its resource groups, as Resource Manager lists them, in the form of resources.
    pub fn containers(
        &self,
        caller: Caller,
        subscription: Uuid,
    ) -> impl Stream<Item = Result<Vec<Resource>, MicrosoftError>> + Send + 'static + use<> {
        let groups = self.resource_groups(caller.clone(), subscription);
        let groups = groups.map_ok(|page| page.into_iter().map(ResourceGroup::into_resource).collect());
        let arm = self.clone();
        stream::once(async move { arm.subscription(&caller, subscription).await })
            .map_ok(|subscription| vec![subscription.into_resource()])
            .chain(groups)
    }
}

impl ResourceGroup {
    fn into_resource(self) -> Resource {
        Resource {
            resource_group: self.name.clone(),
            arm_id: self.arm_id,
            subscription_id: self.subscription_id,
            name: self.name,
            resource_type: RESOURCE_GROUP.to_owned(),
            kind: None,
            location: self.location,
            sku: None,
            managed_by: self.managed_by,
            tags: self.tags,
            created_at: None,
            changed_at: None,
        }
    }
}

impl Row {
    fn into_group(self, subscription_id: Uuid) -> ResourceGroup {
        ResourceGroup {
            arm_id: self.id,
            subscription_id,
            name: self.name,
            location: present(self.location).map(normal_location),
            managed_by: present(self.managed_by),
            tags: self.tags,
        }
    }
}
