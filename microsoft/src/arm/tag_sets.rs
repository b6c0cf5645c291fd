//! The tags of a resource, a resource group or a subscription, read and written by themselves.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/tags>; answers that come later:
//! <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/async-api-reference.md>.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::LOCATION;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::resources::part_after;
use crate::caller::Call;
use crate::error::codes;
use crate::error::problem::header;
use crate::http::Reply;
use crate::{Arm, Caller, MicrosoftError};

/// How long a change is waited for that Azure has accepted; longer, and it is looked for by the next attempt.
const LONGEST: Duration = Duration::from_mins(2);
/// The wait between two looks when Azure names none.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct TagsResource {
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(default, deserialize_with = "super::tags::lenient")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Patch<'a> {
    operation: &'static str,
    properties: PatchProperties<'a>,
}

#[derive(Serialize)]
struct PatchProperties<'a> {
    tags: &'a BTreeMap<String, String>,
}

impl Arm {
    /// The tags of what `arm_id` names: a subscription, a resource group or a resource.
    pub async fn tags(
        &self,
        caller: Caller,
        arm_id: &str,
    ) -> Result<BTreeMap<String, String>, MicrosoftError> {
        let call = self.of_tags(Method::GET, arm_id)?;
        let found: TagsResource = self.link.read(&caller, &call).await?;
        Ok(found.properties.tags)
    }

    /// Adds these tags, or gives them these values; every other tag stays. A name that is there keeps its case. The
    /// same change may be sent twice. Answers once Azure has made it.
    pub async fn merge_tags(
        &self,
        caller: Caller,
        arm_id: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), MicrosoftError> {
        self.patch_tags(&caller, arm_id, "Merge", tags).await
    }

    /// Removes the tags that have these names and values; one that has another value by now stays.
    pub async fn delete_tags(
        &self,
        caller: Caller,
        arm_id: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), MicrosoftError> {
        self.patch_tags(&caller, arm_id, "Delete", tags).await
    }

    async fn patch_tags(
        &self,
        caller: &Caller,
        arm_id: &str,
        operation: &'static str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), MicrosoftError> {
        let patch = Patch { operation, properties: PatchProperties { tags } };
        let body = serde_json::to_vec(&patch)
            .map_err(|_| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "tags that are no JSON"))?;
        let call = self.of_tags(Method::PATCH, arm_id)?.body(body);
        let reply = self.link.send(caller, &call).await.map_err(refusal)?;
        if reply.status == 202 { self.wait(caller, arm_id, reply).await } else { Ok(()) }
    }

    /// Follows a change that Azure makes after it has answered.
    async fn wait(&self, caller: &Caller, arm_id: &str, mut reply: Reply) -> Result<(), MicrosoftError> {
        let mut waited = Duration::ZERO;
        let mut location = None;
        while reply.status == 202 {
            if let Some(link) = header(&reply.headers, LOCATION.as_str()) {
                location = Some(self.link.base().follow(&link)?);
            }
            let Some(url) = location.clone() else {
                return Err(MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "202 without a location"));
            };
            let pause = self.link.retry_after(&reply).unwrap_or(PAUSE);
            if waited + pause > LONGEST {
                return Err(MicrosoftError::of(
                    &codes::MICROSOFT_UNAVAILABLE,
                    "a change of tags takes too long",
                ));
            }
            waited += pause;
            tokio::time::sleep(pause).await;
            let call = Call::of_resource_manager(Method::GET, url).of_subscription(subscription_of(arm_id)?);
            reply = self.link.send(caller, &call).await.map_err(refusal)?;
        }
        Ok(())
    }

    fn of_tags(&self, method: Method, arm_id: &str) -> Result<Call, MicrosoftError> {
        let subscription = subscription_of(arm_id)?;
        let path = format!("{arm_id}/providers/Microsoft.Resources/tags/default");
        let mut url = self.link.base().at("/");
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url.set_query(Some("api-version=2024-07-01"));
        Ok(Call::of_resource_manager(method, url).of_subscription(subscription))
    }
}

/// Every ARM id that has tags begins with its subscription.
fn subscription_of(arm_id: &str) -> Result<Uuid, MicrosoftError> {
    part_after(arm_id, "subscriptions")
        .and_then(|id| Uuid::try_parse(id).ok())
        .filter(|_| !arm_id.contains(['?', '#']) && !arm_id.split('/').any(|part| part == ".."))
        .ok_or_else(|| MicrosoftError::of(&codes::NOT_FOUND, "what is no id has no tags"))
}

/// Providers word it in their own ways that they take no such tag.
fn refusal(error: MicrosoftError) -> MicrosoftError {
    match error {
        MicrosoftError::Unexpected { mut detail } if detail.status == Some(400) => {
            detail.meaning = &codes::TAG_REFUSED;
            MicrosoftError::Unexpected { detail }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_a_subscription_have_tags() {
        let id = "/subscriptions/00000000-0000-0000-0000-000000000007";
        for good in [id.to_owned(), format!("{id}/resourceGroups/rg"), id.to_uppercase()] {
            assert!(subscription_of(&good).is_ok(), "{good}");
        }
        let group = "/providers/Microsoft.Management/managementGroups/root";
        for bad in ["", "/", "/subscriptions/x", group, &format!("{id}/../x"), &format!("{id}?a=b")] {
            assert!(subscription_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_are_read_in_both_shapes() {
        let read =
            |text: &str| serde_json::from_str::<TagsResource>(text).map(|found| found.properties.tags.len());
        assert_eq!(read(r#"{"id":"x","properties":{"tags":{"a":"b"}}}"#).ok(), Some(1));
        assert_eq!(
            read(r#"{"name":"default","type":"Microsoft.Resources/tags","properties":{"tags":{}}}"#).ok(),
            Some(0)
        );
        assert_eq!(read(r#"{"properties":{}}"#).ok(), Some(0));
    }
}
