//! Gives a tag's name another case. Azure keeps the case of a name that is there, so the tag is taken away and added
//! again; whatever happens in between, it does not stay away.

use std::collections::BTreeMap;
use std::time::Duration;

use entity::tag_write;
use microsoft::MicrosoftError;

use super::{Hand, Writer};
use crate::change_set::refusal::{Written, still};
use crate::job::JobError;

/// How often a tag that was taken away is added again where Azure says that it can be later.
const ATTEMPTS: u32 = 6;
/// The longest pause between two of these, and the one where Azure names none.
const PAUSE: Duration = Duration::from_secs(20);

impl Writer<'_> {
    /// Takes the tag away and adds it under its new name, or else under the one that it had.
    pub(super) async fn recase(
        &self,
        hand: &mut Hand,
        write: tag_write::Model,
        accepted: &mut Vec<tag_write::Model>,
    ) -> Result<Option<Written>, JobError> {
        let known = hand.azure.find(&write.name).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let Some((name, value)) = known else { return Ok(None) };
        let arm_id = hand.resource.arm_id.clone();
        let pair = BTreeMap::from([(name.clone(), value.clone())]);
        if let Err(error) = self.patch(&arm_id, pair, false).await {
            return hand.refuse(vec![write], &error).map(still);
        }
        let Err(error) = self.add(&arm_id, &write.name, &value).await else {
            accepted.push(write);
            return Ok(None);
        };
        if let Err(error) = self.add(&arm_id, &name, &value).await {
            tracing::error!(tag_write.id = %write.id, %error, "a tag whose name was to be mended is away");
        }
        hand.refuse(vec![write], &error).map(still)
    }

    async fn add(&self, arm_id: &str, name: &str, value: &str) -> Result<(), MicrosoftError> {
        for _ in 1..ATTEMPTS {
            let pair = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            match self.patch(arm_id, pair, true).await {
                Err(error) if error.retryable() => {
                    tokio::time::sleep(error.retry_after().unwrap_or(PAUSE).min(PAUSE)).await;
                }
                answered => return answered,
            }
        }
        let pair = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        self.patch(arm_id, pair, true).await
    }
}
