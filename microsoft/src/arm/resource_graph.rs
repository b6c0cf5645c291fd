//! Resources of many subscriptions at once, as Azure Resource Graph has them.
//!
//! <https://learn.microsoft.com/en-us/rest/api/azureresourcegraph/resourcegraph/resources/resources>;
//! paging: <https://learn.microsoft.com/en-us/azure/governance/resource-graph/concepts/work-with-data>.

mod counts;

use futures::stream::{Stream, try_unfold};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::resources::{Resource, Row};
use crate::caller::{Call, Caller, Link};
use crate::error::codes;
use crate::http::decode;
use crate::pages::read_ahead;
use crate::throttle::Budget;
use crate::{Arm, MicrosoftError};

/// Without `id` there is no token for the next page, and without its order pages overlap.
const QUERY: &str = "resources \
    | project id, name, type, kind, location, sku, managedBy, tags \
    | order by id asc";
/// The same of subscriptions and their resource groups.
const CONTAINERS: &str = "resourcecontainers \
    | where type in~ (\"microsoft.resources/subscriptions\", \"microsoft.resources/subscriptions/resourcegroups\") \
    | project id, name, type, kind, location, sku, managedBy, tags \
    | order by id asc";
/// Microsoft's advice for one query.
const SUBSCRIPTIONS_PER_QUERY: usize = 300;
const ROWS_PER_PAGE: u32 = 1000;

#[derive(Serialize)]
struct Query<'a> {
    subscriptions: &'a [Uuid],
    query: &'static str,
    options: Options<'a>,
}

#[derive(Serialize)]
struct Options<'a> {
    #[serde(rename = "$top")]
    top: u32,
    #[serde(rename = "$skipToken", skip_serializing_if = "Option::is_none")]
    skip_token: Option<&'a str>,
    /// The default differs between versions.
    #[serde(rename = "resultFormat")]
    result_format: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    total_records: u64,
    count: u64,
    result_truncated: Truncated,
    #[serde(rename = "$skipToken", alias = "skipToken")]
    skip_token: Option<String>,
    data: Vec<Row>,
}

/// Microsoft writes it as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Truncated {
    Bool(bool),
    Text(String),
}

impl Truncated {
    fn is_true(&self) -> bool {
        match self {
            Self::Bool(truncated) => *truncated,
            Self::Text(text) => text.eq_ignore_ascii_case("true"),
        }
    }
}

impl Arm {
    /// The resources of these subscriptions, page by page, in the order of their ids. Ends without an
    /// error only if every row that Resource Graph counted was there. A subscription that the caller
    /// cannot read is not an error here: it simply has no rows.
    pub fn resource_graph(
        &self,
        caller: Caller,
        subscriptions: Vec<Uuid>,
    ) -> impl Stream<Item = Result<Vec<Resource>, MicrosoftError>> + Send + 'static + use<> {
        self.query(QUERY, caller, subscriptions)
    }

    /// The subscriptions themselves and their resource groups, in the same way.
    pub fn containers_graph(
        &self,
        caller: Caller,
        subscriptions: Vec<Uuid>,
    ) -> impl Stream<Item = Result<Vec<Resource>, MicrosoftError>> + Send + 'static + use<> {
        self.query(CONTAINERS, caller, subscriptions)
    }

    fn query(
        &self,
        query: &'static str,
        caller: Caller,
        subscriptions: Vec<Uuid>,
    ) -> impl Stream<Item = Result<Vec<Resource>, MicrosoftError>> + Send + 'static + use<> {
        let scan = Scan {
            link: self.link.clone(),
            query,
            caller,
            url: self.link.base().at("/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"),
            subscriptions,
            from: 0,
            progress: Progress::default(),
        };
        read_ahead(try_unfold(scan, |mut scan| async move {
            let page = scan.next_page().await?;
            Ok(page.map(|page| (page, scan)))
        }))
    }
}

/// Where a scan stands.
struct Scan {
    link: Link,
    query: &'static str,
    caller: Caller,
    url: Url,
    subscriptions: Vec<Uuid>,
    /// Where the group begins that is being queried.
    from: usize,
    progress: Progress,
}

impl Scan {
    async fn next_page(&mut self) -> Result<Option<Vec<Resource>>, MicrosoftError> {
        let rest = self.subscriptions.get(self.from..).unwrap_or_default();
        let Some(group) = rest.chunks(SUBSCRIPTIONS_PER_QUERY).next() else {
            return Ok(None);
        };
        let query = Query {
            subscriptions: group,
            query: self.query,
            options: Options {
                top: ROWS_PER_PAGE,
                skip_token: self.progress.skip_token.as_deref(),
                result_format: "objectArray",
            },
        };
        let body = serde_json::to_vec(&query)
            .map_err(|error| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, error.to_string()))?;
        let call =
            Call::new(Method::POST, self.url.clone(), Budget::ResourceGraph).body(body).paged().patient();
        let reply = self.link.send(&self.caller, &call).await?;
        refuse_cut_scope(&reply.headers)?;
        let asked = group[0];
        let mut page: Page = decode(reply.body).await?;
        let rows = std::mem::take(&mut page.data);
        self.caller = self.caller.clone().settled();
        if self.progress.advance(page, rows.len() as u64)? == Step::Finished {
            self.from += SUBSCRIPTIONS_PER_QUERY;
            self.progress = Progress::default();
        }
        Ok(Some(rows.into_iter().map(|row| row.into_resource(asked)).collect()))
    }
}

/// More subscriptions than Resource Graph looks at: the rest is missing without a word in the body.
fn refuse_cut_scope(headers: &HeaderMap) -> Result<(), MicrosoftError> {
    let cut = headers
        .get("x-ms-tenant-subscription-limit-hit")
        .is_some_and(|hit| hit.as_bytes().eq_ignore_ascii_case(b"true"));
    if cut {
        Err(incomplete("Resource Graph looked at a part of the subscriptions".to_owned()))
    } else {
        Ok(())
    }
}

/// How much of one query's answer has been read.
#[derive(Debug, Default)]
struct Progress {
    skip_token: Option<String>,
    seen: u64,
    /// The smallest and the largest total that the pages named: resources come and go meanwhile.
    totals: Option<(u64, u64)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    Finished,
}

impl Progress {
    /// Takes a page with this many rows into account.
    fn advance(&mut self, page: Page, rows: u64) -> Result<Step, MicrosoftError> {
        if rows != page.count {
            return Err(incomplete(format!("a page of {} rows holds {rows}", page.count)));
        }
        self.seen += rows;
        let total = page.total_records;
        let (least, most) =
            self.totals.map_or((total, total), |(least, most)| (least.min(total), most.max(total)));
        self.totals = Some((least, most));
        let Some(skip_token) = page.skip_token.filter(|token| !token.is_empty()) else {
            if page.result_truncated.is_true() {
                return Err(incomplete("a cut answer has no token for the rest".to_owned()));
            }
            if !(least..=most).contains(&self.seen) {
                return Err(incomplete(format!("{} of {total} resources were listed", self.seen)));
            }
            return Ok(Step::Finished);
        };
        if self.skip_token.as_deref() == Some(&skip_token) {
            return Err(incomplete("a page names itself as the next".to_owned()));
        }
        self.skip_token = Some(skip_token);
        Ok(Step::More)
    }
}

fn incomplete(message: String) -> MicrosoftError {
    MicrosoftError::of(&codes::INCOMPLETE_ANSWER, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(total: u64, count: u64, truncated: &str, token: Option<&str>) -> Page {
        Page {
            total_records: total,
            count,
            result_truncated: Truncated::Text(truncated.to_owned()),
            skip_token: token.map(str::to_owned),
            data: Vec::new(),
        }
    }

    #[test]
    fn pages_add_up() {
        let mut progress = Progress::default();
        assert_eq!(progress.advance(page(3, 2, "false", Some("a")), 2), Ok(Step::More));
        assert_eq!(progress.advance(page(3, 0, "false", Some("b")), 0), Ok(Step::More));
        assert_eq!(progress.advance(page(3, 1, "false", None), 1), Ok(Step::Finished));
    }

    #[test]
    fn what_is_missing_is_noticed() {
        let advance = |page, rows| Progress::default().advance(page, rows).is_err();
        assert!(advance(page(3, 3, "true", None), 3), "truncated without a token");
        assert!(advance(page(3, 3, "false", None), 2), "rows that the count promised");
        assert!(advance(page(4, 3, "false", None), 3), "records that no page held");
        assert!(!advance(page(0, 0, "false", Some("")), 0), "an empty token is none");
        let mut progress = Progress::default();
        assert!(progress.advance(page(9, 1, "false", Some("a")), 1).is_ok());
        assert!(progress.advance(page(9, 1, "false", Some("a")), 1).is_err(), "a circle");
    }

    #[test]
    fn resources_that_come_and_go_are_no_loss() {
        let mut progress = Progress::default();
        assert!(progress.advance(page(4, 2, "false", Some("a")), 2).is_ok());
        assert_eq!(progress.advance(page(3, 1, "false", None), 1), Ok(Step::Finished));
    }

    #[test]
    fn the_answer_is_read() {
        let page: Page = serde_json::from_str(
            r#"{"totalRecords":1,"count":1,"resultTruncated":"false","facets":[],"$skipToken":"eyJ",
                "data":[{"id":"/subscriptions/x","name":"n","type":"t","kind":"","sku":null,"tags":{},"subscriptionId":"x"}]}"#,
        )
        .expect("a page");
        assert_eq!((page.data.len(), page.skip_token.as_deref()), (1, Some("eyJ")));
        assert!(!page.result_truncated.is_true());
        assert!(serde_json::from_str::<Page>("\"\"").is_err());
    }

    proptest! {
        #[test]
        fn a_list_split_in_any_way_is_complete_and_a_shorter_one_is_not(
            counts in proptest::collection::vec(0u64..1000, 1..20),
            lost in 1u64..5,
        ) {
            let all: u64 = counts.iter().sum();
            let read = |total: u64| {
                let mut progress = Progress::default();
                let (last, before) = counts.split_last()?;
                for (i, count) in before.iter().enumerate() {
                    progress.advance(page(total, *count, "false", Some(&i.to_string())), *count).ok()?;
                }
                progress.advance(page(total, *last, "false", None), *last).ok()
            };
            prop_assert_eq!(read(all), Some(Step::Finished));
            prop_assert_eq!(read(all + lost), None);
        }
    }
}
