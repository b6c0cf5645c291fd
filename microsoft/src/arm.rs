//! Azure Resource Manager: subscriptions, roles and resources of a tenant.

pub mod conditions;
pub mod owners;
pub mod permissions;
pub mod providers;
pub mod resource_graph;
pub mod resource_groups;
pub mod resources;
pub mod role_assignments;
mod sku;
pub mod subscriptions;
mod tag_sets;
mod tags;
pub mod tenants;
pub mod usage;

use reqwest::Method;
use uuid::Uuid;

use crate::caller::{Call, Link};

/// Azure Resource Manager.
#[derive(Clone)]
pub struct Arm {
    link: Link,
}

impl Arm {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// A read that names no subscription.
    fn get(&self, path_and_query: &str) -> Call {
        Call::of_resource_manager(Method::GET, self.link.base().at(path_and_query))
    }

    /// A read below a subscription; `path_and_query` begins with a slash.
    fn get_of(&self, subscription: Uuid, path_and_query: &str) -> Call {
        self.get(&format!("/subscriptions/{subscription}{path_and_query}")).of_subscription(subscription)
    }
}
