//! How many resources each of many subscriptions has.
//!
//! <https://learn.microsoft.com/en-us/azure/governance/resource-graph/samples/starter#count-azure-resources>

use std::collections::HashMap;

use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Options, Query, ROWS_PER_PAGE, SUBSCRIPTIONS_PER_QUERY, Truncated, incomplete, refuse_cut_scope,
};
use crate::caller::{Call, Caller};
use crate::error::codes;
use crate::http::decode;
use crate::throttle::Budget;
use crate::{Arm, MicrosoftError};

const QUERY: &str = "resources | summarize count() by subscriptionId";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    result_truncated: Truncated,
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "subscriptionId")]
    subscription_id: Uuid,
    count_: u64,
}

impl Arm {
    /// How many resources each of these subscriptions has, as far as the caller can read them; what has none, or
    /// cannot be read, is missing.
    pub async fn resource_counts(
        &self,
        caller: &Caller,
        subscriptions: &[Uuid],
    ) -> Result<HashMap<Uuid, u64>, MicrosoftError> {
        let mut counts = HashMap::new();
        for group in subscriptions.chunks(SUBSCRIPTIONS_PER_QUERY) {
            counts.extend(self.counts_of(caller, group).await?);
        }
        Ok(counts)
    }

    async fn counts_of(
        &self,
        caller: &Caller,
        group: &[Uuid],
    ) -> Result<impl Iterator<Item = (Uuid, u64)> + use<>, MicrosoftError> {
        // A row for each subscription at most: one page holds them all.
        let options = Options { top: ROWS_PER_PAGE, skip_token: None, result_format: "objectArray" };
        let query = Query { subscriptions: group, query: QUERY, options };
        let body = serde_json::to_vec(&query)
            .map_err(|error| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, error.to_string()))?;
        let url = self.link.base().at("/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01");
        let call = Call::new(Method::POST, url, Budget::ResourceGraph).body(body).paged();
        let reply = self.link.send(caller, &call).await?;
        refuse_cut_scope(&reply.headers)?;
        let answer: Answer = decode(reply.body).await?;
        if answer.result_truncated.is_true() {
            return Err(incomplete("a count was cut".to_owned()));
        }
        Ok(answer.data.into_iter().map(|row| (row.subscription_id, row.count_)))
    }
}
