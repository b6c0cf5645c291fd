//! The subscriptions that a caller has any role on.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/subscriptions/list>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::resources::{Resource, SUBSCRIPTION};
use crate::{Arm, Caller, MicrosoftError, pages};

/// A subscription as its list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Azure's id of it.
    pub subscription_id: Uuid,
    /// The tenant it belongs to: with Azure Lighthouse another than the caller's.
    pub tenant_id: Uuid,
    /// Its name.
    pub display_name: String,
    /// What state Azure has it in.
    pub state: SubscriptionState,
    /// Its tags.
    #[serde(default, deserialize_with = "super::tags::lenient")]
    pub tags: BTreeMap<String, String>,
}

impl Subscription {
    /// The same in the form of a resource.
    pub(super) fn into_resource(self) -> Resource {
        Resource {
            arm_id: format!("/subscriptions/{}", self.subscription_id),
            subscription_id: self.subscription_id,
            name: self.display_name,
            resource_type: SUBSCRIPTION.to_owned(),
            kind: None,
            location: None,
            resource_group: String::new(),
            sku: None,
            managed_by: None,
            tags: self.tags,
            created_at: None,
            changed_at: None,
        }
    }
}

/// Azure's state of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum SubscriptionState {
    /// In use.
    Enabled,
    /// Azure warned its owner; still writable.
    Warned,
    /// Payment is late; still writable.
    PastDue,
    /// Read-only.
    Disabled,
    /// Deleted.
    Deleted,
    /// A state that Azure added later.
    Other(String),
}

impl From<String> for SubscriptionState {
    fn from(state: String) -> Self {
        match state.to_ascii_lowercase().as_str() {
            "enabled" => Self::Enabled,
            "warned" => Self::Warned,
            "pastdue" => Self::PastDue,
            "disabled" => Self::Disabled,
            "deleted" => Self::Deleted,
            _ => Self::Other(state),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstPage {
    value: Vec<IgnoredAny>,
    next_link: Option<IgnoredAny>,
}

impl Arm {
    /// Every subscription the caller has a role on. One that is missing may be a role that is gone.
    pub async fn subscriptions(&self, caller: &Caller) -> Result<Vec<Subscription>, MicrosoftError> {
        pages::all(&self.link, caller, self.get("/subscriptions?api-version=2022-12-01")).await
    }

    /// Whether the caller has a role on any subscription: asks for no more than a page.
    pub async fn sees_subscriptions(&self, caller: &Caller) -> Result<bool, MicrosoftError> {
        let call = self.get("/subscriptions?api-version=2022-12-01").paged();
        let page: FirstPage = self.link.read(caller, &call).await?;
        // An empty page with another behind it says nothing yet.
        Ok(!page.value.is_empty() || page.next_link.is_some())
    }

    /// One subscription, if the caller has a role on it.
    pub async fn subscription(&self, caller: &Caller, id: Uuid) -> Result<Subscription, MicrosoftError> {
        self.link.read(caller, &self.get_of(id, "?api-version=2022-12-01")).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_any_case() {
        assert_eq!(SubscriptionState::from("PastDue".to_owned()), SubscriptionState::PastDue);
        assert_eq!(SubscriptionState::from("ENABLED".to_owned()), SubscriptionState::Enabled);
        assert_eq!(
            SubscriptionState::from("Paused".to_owned()),
            SubscriptionState::Other("Paused".to_owned())
        );
    }

    #[test]
    fn unknown_members_do_no_harm() {
        let row: Subscription = serde_json::from_str(
            r#"{"id":"/subscriptions/x","authorizationSource":"Legacy, RoleBased","managedByTenants":[],"tags":null,
               "subscriptionId":"6A5E0E5A-0000-0000-0000-000000000001","tenantId":"6a5e0e5a-0000-0000-0000-000000000002",
               "displayName":"Prod","state":"Enabled","subscriptionPolicies":{"spendingLimit":"Off"}}"#,
        )
        .expect("a subscription");
        assert_eq!(row.state, SubscriptionState::Enabled);
    }
}
