//! Lists of resources, page by page.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use simulator::Config;
use uuid::Uuid;

use crate::cloud::{ARM, Cloud, Got, NOT_PERMITTED, OWNED};

fn path(at: Uuid, rest: &str) -> String {
    format!("/subscriptions/{at}/resources?api-version=2024-07-01{rest}")
}

fn rows(pages: &[Got]) -> Vec<&Value> {
    pages.iter().flat_map(Got::rows).collect()
}

fn ids(rows: &[&Value]) -> HashSet<String> {
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_lowercase()).collect()
}

#[tokio::test]
async fn every_resource_is_on_exactly_one_page() {
    for page_size in [7, 100, 1_000] {
        let cloud = Cloud::with(Config { page_size, ..Config::default() });
        let token = cloud.automation_token(ARM).await;
        for subscription in cloud.simulator.subscriptions() {
            let pages = cloud.pages(&token, &path(subscription.id, "")).await;
            let rows = rows(&pages);
            let wanted = usize::try_from(subscription.resources).unwrap();
            assert_eq!((rows.len(), ids(&rows).len()), (wanted, wanted), "pages of {page_size}");
            assert!(pages.iter().all(|page| page.status == 200 && page.rows().len() <= page_size));
        }
    }
}

#[tokio::test]
async fn a_page_may_be_empty_and_still_link_to_the_next() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let mut empty = 0;
    for subscription in cloud.simulator.subscriptions() {
        let first = cloud.get(&token, &path(subscription.id, "")).await;
        empty += usize::from(first.rows().is_empty() && first.json["nextLink"].is_string());
    }
    assert!((1..12).contains(&empty), "{empty} of 12 begin with an empty page");
}

#[tokio::test]
async fn links_are_spelled_in_more_than_one_way_and_lead_back_here() {
    let cloud = Cloud::with(Config { page_size: 5, ..Config::default() });
    let pages = cloud.pages(&cloud.automation_token(ARM).await, &path(cloud.subscription(OWNED), "")).await;
    let links: Vec<_> = pages.iter().filter_map(|page| page.json["nextLink"].as_str()).collect();
    assert!(links.iter().all(|link| link.starts_with(&cloud.simulator.base_url())));
    for spelling in ["%24skiptoken=", "$skipToken=", "$skiptoken="] {
        assert!(links.iter().any(|link| link.contains(spelling)), "{spelling}");
    }
}

#[tokio::test]
async fn ids_change_their_case_from_page_to_page() {
    let cloud = Cloud::with(Config { page_size: 10, ..Config::default() });
    let token = cloud.automation_token(ARM).await;
    let at = cloud.subscription(OWNED);
    let pages = cloud.pages(&token, &path(at, "")).await;
    let all = rows(&pages);
    let spelled = |part: &str| all.iter().any(|row| row["id"].as_str().unwrap().contains(part));
    assert!(spelled("/resourceGroups/rg-"));
    assert!(spelled("/resourcegroups/RG-"));

    cloud.simulator.set_page_size(1_000);
    let whole = cloud.pages(&token, &path(at, "")).await;
    assert_eq!(ids(&all), ids(&rows(&whole)), "the same resources");
}

#[tokio::test]
async fn a_filter_by_tag_finds_by_any_case_of_the_name_and_leaves_tags_out() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    cloud.simulator.set_tags(at, 3, &[("Probe", "Yes")]);
    let find = async |filter: &str| {
        let pages = cloud.pages(&token, &path(at, &format!("&$filter={filter}"))).await;
        rows(&pages).into_iter().cloned().collect::<Vec<_>>()
    };

    let found = find("tagName eq 'probe' and tagValue eq 'Yes'").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["tags"], Value::Null);
    assert_eq!(find("tagName eq 'Probe'").await.len(), 1);
    assert!(find("tagName eq 'probe' and tagValue eq 'yes'").await.is_empty(), "values have a case");

    let all = cloud.pages(&token, &path(at, "")).await;
    let all = rows(&all);
    let tagged = all.iter().find(|row| row["name"] == found[0]["name"]).unwrap();
    assert_eq!(tagged["tags"], json!({ "Probe": "Yes" }));
    let production = all.iter().filter(|row| row["tags"]["environment"] == "production").count();
    let filtered = find("tagName eq 'environment' and tagValue eq 'production'").await;
    assert!(production > 0 && filtered.len() >= production);
    assert!(filtered.iter().all(|row| row["tags"].is_null()));
}

#[tokio::test]
async fn a_filter_that_is_not_known_is_refused() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    for filter in ["nonsense", "resourceType ne 'Microsoft.Compute/disks'", "startswith(tagName,'env')"] {
        let refused = cloud.get(&token, &path(at, &format!("&$filter={filter}"))).await;
        assert_eq!(refused.error(), (400, "InvalidFilterInQueryString"), "{filter}");
    }
    let disks = cloud.pages(&token, &path(at, "&$filter=resourceType eq 'microsoft.compute/disks'")).await;
    let disks = rows(&disks);
    assert!(!disks.is_empty());
    assert!(disks.iter().all(|row| row["type"] == "Microsoft.Compute/disks"));
}

#[tokio::test]
async fn times_are_there_only_when_they_are_asked_for() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let members = ["createdTime", "changedTime", "provisioningState"];
    for asked in [&members[..0], &members[..1], &members[..]] {
        let expand = if asked.is_empty() { String::new() } else { format!("&$expand={}", asked.join(",")) };
        let pages = cloud.pages(&token, &path(at, &expand)).await;
        for row in rows(&pages) {
            let there: Vec<_> = members.into_iter().filter(|&name| row[name].is_string()).collect();
            assert_eq!(there, asked, "{expand}");
        }
    }
    let pages = cloud.pages(&token, &path(at, "&$expand=createdTime")).await;
    let created = rows(&pages)[0]["createdTime"].as_str().unwrap();
    let digits = created.split_once('.').and_then(|(_, rest)| rest.strip_suffix('Z'));
    assert_eq!(digits.map(str::len), Some(7), "{created}");
}

#[tokio::test]
async fn a_row_has_tags_or_none_or_no_such_member() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let mut seen = HashMap::new();
    for subscription in cloud.simulator.subscriptions() {
        let pages = cloud.pages(&token, &path(subscription.id, "")).await;
        for row in rows(&pages) {
            *seen.entry(row["tags"].as_object().map(|tags| !tags.is_empty())).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.keys().collect::<HashSet<_>>(), HashSet::from([&None, &Some(false), &Some(true)]));
}

#[tokio::test]
async fn what_is_added_and_removed_is_so_in_the_list() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let listed = async || {
        let pages = cloud.pages(&token, &path(at, "")).await;
        ids(&rows(&pages))
    };
    let before = listed().await;
    cloud.simulator.remove_resource(at, 2);
    cloud.simulator.add_resources(at, 3);
    let after = listed().await;
    assert_eq!((before.difference(&after).count(), after.difference(&before).count()), (1, 3));
}

#[tokio::test]
async fn a_page_is_no_larger_than_asked() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let pages = cloud.pages(&token, &path(at, "&$top=9")).await;
    assert!(pages.iter().all(|page| page.rows().len() <= 9));
    let wanted = cloud.simulator.subscriptions()[OWNED].resources;
    assert_eq!(ids(&rows(&pages)).len() as u64, wanted);
    let refused = cloud.get(&token, &path(at, "&$skiptoken=nonsense")).await;
    assert_eq!(refused.error(), (400, "InvalidSkipToken"));
}

#[tokio::test]
async fn lists_are_forbidden_without_a_role() {
    let cloud = Cloud::start();
    let nobody = cloud.user_token("pim-eligible").await;
    let at = cloud.subscription(NOT_PERMITTED);
    for list in ["resources", "resourcegroups", "providers"] {
        let refused = cloud.get(&nobody, &format!("/subscriptions/{at}/{list}?api-version=2024-07-01")).await;
        assert_eq!(refused.error(), (403, "AuthorizationFailed"), "{list}");
    }
}

#[tokio::test]
async fn every_resource_is_in_a_listed_group_and_of_a_listed_type() {
    let cloud = Cloud::start();
    let (token, at) = (cloud.automation_token(ARM).await, cloud.subscription(OWNED));
    let pages = cloud.pages(&token, &path(at, "")).await;
    let list = |name: &str| format!("/subscriptions/{at}/{name}?api-version=2024-07-01");
    let groups = cloud.pages(&token, &list("resourcegroups")).await;
    let groups = ids(&rows(&groups));
    let providers = cloud.get(&token, &list("providers")).await;
    let types: HashSet<String> = providers.rows().iter().flat_map(types_of).collect();
    for row in rows(&pages) {
        let id = row["id"].as_str().unwrap().to_lowercase();
        assert!(groups.contains(id.split_once("/providers/").unwrap().0), "{id}");
        assert!(types.contains(&row["type"].as_str().unwrap().to_lowercase()), "{id}");
    }
}

fn types_of(provider: &Value) -> Vec<String> {
    let namespace = provider["namespace"].as_str().expect("a namespace");
    let types = provider["resourceTypes"].as_array().into_iter().flatten();
    let name = |found: &Value| found["resourceType"].as_str().expect("a type").to_owned();
    types.map(|found| format!("{namespace}/{}", name(found)).to_lowercase()).collect()
}
