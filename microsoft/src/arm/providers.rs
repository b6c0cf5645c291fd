//! Resource types and what each of them can.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/providers/list>.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Arm, Caller, MicrosoftError, pages};

/// A resource type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// Namespace and type in lower case: `microsoft.compute/disks`.
    pub name: String,
    /// Whether its resources can be tagged.
    pub supports_tags: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    namespace: String,
    #[serde(default)]
    resource_types: Vec<ProviderType>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProviderType {
    resource_type: String,
    capabilities: Option<String>,
}

impl Arm {
    /// Every resource type that the subscription's providers know.
    pub async fn resource_types(
        &self,
        caller: &Caller,
        subscription: Uuid,
    ) -> Result<Vec<ResourceType>, MicrosoftError> {
        let call = self.get_of(subscription, "/providers?api-version=2021-04-01");
        let providers: Vec<Provider> = pages::all(&self.link, caller, call).await?;
        Ok(providers.into_iter().flat_map(Provider::into_types).collect())
    }
}

impl Provider {
    fn into_types(self) -> impl Iterator<Item = ResourceType> {
        let Self { namespace, resource_types } = self;
        resource_types.into_iter().map(move |of| ResourceType {
            name: format!("{namespace}/{}", of.resource_type).to_ascii_lowercase(),
            supports_tags: of
                .capabilities
                .is_some_and(|all| all.split(',').any(|one| one.trim().eq_ignore_ascii_case("SupportsTags"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_a_list_of_words() {
        let provider: Provider = serde_json::from_str(
            r#"{"namespace":"Microsoft.Compute","resourceTypes":[
                {"resourceType":"Disks","capabilities":"SupportsLocation, SupportsTags"},
                {"resourceType":"locations","capabilities":"None"},
                {"resourceType":"operations"},
                {"resourceType":"odd","capabilities":"CrossSubscriptionSupportsTags"}]}"#,
        )
        .expect("a provider");
        let types: Vec<_> = provider.into_types().map(|of| (of.name, of.supports_tags)).collect();
        assert_eq!(types[0], ("microsoft.compute/disks".to_owned(), true));
        assert!(types[1..].iter().all(|(_, supports_tags)| !supports_tags));
    }
}
