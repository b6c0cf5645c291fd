//! Resource Graph: what it answers, what it leaves out, and what it refuses.

use std::collections::HashSet;

use serde_json::{Value, json};
use simulator::{BuiltInRole, Config, Fault, Scope};
use uuid::Uuid;

use crate::cloud::{ARM, Cloud, Got, INHERITED, OWNED};

const QUERY: &str = "resources | project id, name, type, subscriptionId, tags | order by id asc";
const PATH: &str = "/providers/Microsoft.ResourceGraph/resources";

fn rows(page: &Got) -> &[Value] {
    page.json["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn assert_invalid(refused: &Got, what: &str) {
    assert_eq!(refused.error(), (400, "BadRequest"), "{what}");
    assert_eq!(refused.json["error"]["details"][0]["code"], "InvalidQuery", "{what}");
}

/// Every page of a query.
async fn pages(cloud: &Cloud, token: &str, mut body: Value) -> Vec<Got> {
    let mut pages = vec![cloud.query(token, &body).await];
    while let Some(next) = pages[pages.len() - 1].json["$skipToken"].as_str() {
        body["options"]["$skipToken"] = json!(next);
        pages.push(cloud.query(token, &body).await);
    }
    pages
}

#[tokio::test]
async fn every_resource_is_on_exactly_one_page() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    for top in [1_000, 999, 240] {
        let pages = pages(&cloud, &token, json!({ "query": QUERY, "options": { "$top": top } })).await;
        assert_eq!(pages.len(), 2_400_usize.div_ceil(top));
        let all: Vec<_> = pages.iter().flat_map(rows).collect();
        let ids: Vec<_> = all.iter().map(|row| row["id"].as_str().unwrap().to_lowercase()).collect();
        assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (2_400, 2_400));
        assert!(ids.is_sorted(), "as ordered");
        for page in &pages {
            assert_eq!(page.json["totalRecords"], 2_400);
            assert_eq!(page.json["count"], rows(page).len());
            assert_eq!(page.json["resultTruncated"], "false");
        }
        let spelled = |part: &str| all.iter().any(|row| row["id"].as_str().unwrap().contains(part));
        assert!(spelled("/resourceGroups/") && spelled("/resourcegroups/"), "pages differ in case");
        assert!(all.iter().all(|row| row["type"] == row["type"].as_str().unwrap().to_lowercase()));
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_rows_unless_asked_and_at_most_a_thousand() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    assert_eq!(rows(&cloud.query(&token, &json!({ "query": QUERY })).await).len(), 100);
    for top in [0, 1_001] {
        let refused = cloud.query(&token, &json!({ "query": QUERY, "options": { "$top": top } })).await;
        assert_invalid(&refused, &format!("$top {top}"));
    }
}

#[tokio::test]
async fn rows_are_skipped_when_asked() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let ask = async |skip: u64| {
        cloud.query(&token, &json!({ "query": QUERY, "options": { "$top": 10, "$skip": skip } })).await
    };
    assert_eq!(rows(&ask(0).await)[7..], rows(&ask(7).await)[..3]);
    assert_eq!(rows(&ask(2_395).await).len(), 5);
    assert!(rows(&ask(5_000).await).is_empty());
}

#[tokio::test]
async fn a_token_is_good_for_its_own_query_and_scopes_only() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let first = cloud.query(&token, &json!({ "query": QUERY })).await;
    let next = first.json["$skipToken"].as_str().unwrap();
    let other_query = QUERY.replace(", tags", "");
    for (what, body) in [
        ("query", json!({ "query": other_query, "options": { "$skipToken": next } })),
        (
            "scopes",
            json!({
                "query": QUERY, "subscriptions": [cloud.subscription(OWNED)],
                "options": { "$skipToken": next },
            }),
        ),
        ("token", json!({ "query": QUERY, "options": { "$skipToken": "nonsense" } })),
    ] {
        assert_invalid(&cloud.query(&token, &body).await, &format!("another {what}"));
    }
    let same = json!({ "query": QUERY, "options": { "$skipToken": next } });
    assert_eq!(cloud.query(&token, &same).await.status, 200);
}

#[tokio::test]
async fn without_ids_the_rest_is_cut_and_there_is_no_token() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let cut = cloud.query(&token, &json!({ "query": "resources | project name, type" })).await;
    assert_eq!(cut.json["resultTruncated"], "true");
    assert_eq!((rows(&cut).len(), &cut.json["$skipToken"]), (100, &Value::Null));

    let whole = json!({ "query": "resources | project name | limit 50" });
    assert_eq!(cloud.query(&token, &whole).await.json["resultTruncated"], "false");
}

#[tokio::test]
async fn a_page_can_be_cut_by_plan() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    cloud.simulator.faults().plan(Fault::on("POST", PATH).corrupt_page());
    let cut = cloud.query(&token, &json!({ "query": QUERY })).await;
    assert_eq!((&cut.json["resultTruncated"], &cut.json["$skipToken"]), (&json!("true"), &Value::Null));
    let again = cloud.query(&token, &json!({ "query": QUERY })).await;
    assert_eq!(again.json["resultTruncated"], "false");
}

#[tokio::test]
async fn the_older_format_is_a_table() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let ask = async |format: &str| {
        let options = json!({ "$top": 20, "resultFormat": format });
        cloud.query(&token, &json!({ "query": QUERY, "options": options })).await
    };
    let (table, objects) = (ask("table").await, ask("objectArray").await);
    let columns = table.json["data"]["columns"].as_array().unwrap();
    let names: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "name", "type", "subscriptionId", "tags"]);
    let table_rows = table.json["data"]["rows"].as_array().unwrap();
    assert_eq!(table_rows.len(), 20);
    for (cells, object) in table_rows.iter().zip(rows(&objects)) {
        for (index, name) in names.iter().enumerate() {
            assert_eq!(cells[index], object[*name]);
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    for query in [
        "",
        "resourcecontainers | project id",
        "resources | summarize count() by type",
        "resources | where type == 'microsoft.compute/disks'",
        "resources | where subscriptionId in~ ('mine')",
        "resources | project id, properties",
        "resources | order by name asc",
        "resources | limit many",
        "resources | count by type",
        "resources |",
    ] {
        assert_invalid(&cloud.query(&token, &json!({ "query": query })).await, query);
    }
    assert_invalid(&cloud.query(&token, &json!({ "subscriptions": [] })).await, "no query");
}

#[tokio::test]
async fn resources_are_counted() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let count = async |query: &str| {
        let counted = cloud.query(&token, &json!({ "query": query })).await;
        rows(&counted)[0]["Count"].as_u64()
    };
    let one = &cloud.simulator.subscriptions()[OWNED];
    assert_eq!(count("resources | count").await, Some(2_400));
    let narrowed = format!("resources | where subscriptionId in~ ('{}') | count", one.id);
    assert_eq!(count(&narrowed).await, Some(one.resources));
}

#[tokio::test]
async fn what_cannot_be_read_is_silently_left_out_and_nothing_at_all_is_forbidden() {
    let cloud = Cloud::start();
    cloud.code("owner").await;
    let token = cloud.app_token().await;
    let all = cloud.simulator.subscriptions();
    let principal = cloud.simulator.service_principal_id().unwrap();
    let (readable, tagger, hidden) = (&all[OWNED], &all[OWNED + 1], &all[0]);
    let ask = async |ids: Value| cloud.query(&token, &json!({ "query": QUERY, "subscriptions": ids })).await;
    cloud.simulator.grant(principal, BuiltInRole::Reader, Scope::Subscription(readable.id));
    cloud.simulator.grant(principal, BuiltInRole::TagContributor, Scope::Subscription(tagger.id));

    let some = ask(json!([readable.id, tagger.id, hidden.id])).await;
    assert_eq!((some.status, &some.json["totalRecords"]), (200, &json!(readable.resources)));
    let everything = ask(Value::Null).await;
    let wanted = readable.resources + all[INHERITED].resources;
    assert_eq!(everything.json["totalRecords"], wanted);
    for nothing in [json!([hidden.id]), json!([tagger.id]), json!([hidden.id, tagger.id])] {
        assert_eq!(ask(nothing).await.error(), (403, "AuthorizationFailed"));
    }

    cloud.simulator.revoke(principal, BuiltInRole::Reader, Scope::Subscription(readable.id));
    assert_eq!(ask(json!([readable.id])).await.error(), (403, "AuthorizationFailed"));
}

#[tokio::test]
async fn a_subscription_that_is_gone_or_moved_is_silently_left_out() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let all = cloud.simulator.subscriptions();
    cloud.simulator.remove_subscription(all[0].id);
    cloud.simulator.move_subscription(all[1].id);
    let answer = cloud.query(&token, &json!({ "query": QUERY })).await;
    assert_eq!(answer.json["totalRecords"], 2_400 - all[0].resources - all[1].resources);
}

#[tokio::test]
async fn a_changed_resource_is_answered_changed() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let at = cloud.subscription(OWNED);
    let ask = async || {
        cloud.query(&token, &json!({ "query": QUERY, "subscriptions": [at], "options": { "$top": 5 } })).await
    };
    let before = ask().await;
    cloud.simulator.set_tags(at, 0, &[("Probe", "Yes")]);
    cloud.simulator.remove_resource(at, 1);
    let after = ask().await;
    assert_eq!(rows(&after)[0]["tags"], json!({ "Probe": "Yes" }));
    assert_eq!(rows(&after)[1]["id"], rows(&before)[2]["id"]);
}

#[tokio::test]
async fn fifteen_queries_in_five_seconds_then_none_without_retry_after() {
    let cloud = Cloud::with(Config { throttle: true, ..Config::default() });
    let token = cloud.automation_token(ARM).await;
    let other = cloud.user_token("reader").await;
    let body = json!({ "query": QUERY, "options": { "$top": 1 } });
    for left in (0..15).rev() {
        let answer = cloud.query(&token, &body).await;
        assert_eq!(answer.status, 200);
        let left = left.to_string();
        assert_eq!(answer.header("x-ms-user-quota-remaining"), Some(left.as_str()));
        assert_eq!(answer.header("x-ms-ratelimit-remaining-tenant-resource-requests"), Some(left.as_str()));
        assert_eq!(answer.header("x-ms-user-quota-resets-after"), Some("00:00:05"));
    }

    cloud.pass(2);
    let refused = cloud.query(&token, &body).await;
    assert_eq!(refused.error(), (429, "RateLimiting"));
    assert_eq!(refused.json["error"]["details"][0]["code"], "RateLimiting");
    assert_eq!(refused.header("x-ms-user-quota-remaining"), Some("0"));
    assert_eq!(refused.header("x-ms-user-quota-resets-after"), Some("00:00:03"));
    assert_eq!(refused.header("retry-after"), None);
    assert_eq!(cloud.query(&other, &body).await.status, 200, "everybody has a quota");

    cloud.pass(3);
    let answer = cloud.query(&token, &body).await;
    assert_eq!((answer.status, answer.header("x-ms-user-quota-remaining")), (200, Some("14")));
}

const SUMMARY: &str = "resources | summarize count() by subscriptionId";

#[tokio::test]
async fn resources_are_counted_by_subscription_in_pages() {
    let cloud = Cloud::start();
    let token = cloud.automation_token(ARM).await;
    let wanted: Vec<_> =
        cloud.simulator.subscriptions().into_iter().map(|one| (one.id, one.resources)).collect();
    for top in [1_000, 5] {
        let pages = pages(&cloud, &token, json!({ "query": SUMMARY, "options": { "$top": top } })).await;
        assert_eq!(pages.len(), 12_usize.div_ceil(top));
        let counted = pages.iter().flat_map(rows).map(|row| {
            (row["subscriptionId"].as_str().unwrap().parse().unwrap(), row["count_"].as_u64().unwrap())
        });
        assert_eq!(counted.collect::<Vec<(Uuid, u64)>>(), wanted);
        for page in &pages {
            assert_eq!(
                (&page.json["totalRecords"], &page.json["resultTruncated"]),
                (&json!(12), &json!("false"))
            );
            assert_eq!(page.json["count"], rows(page).len());
        }
    }
    let table = json!({ "query": SUMMARY, "options": { "$top": 1, "$skip": 3, "resultFormat": "table" } });
    let page = cloud.query(&token, &table).await;
    let columns = json!([
        { "name": "subscriptionId", "type": "string" },
        { "name": "count_", "type": "integer" },
    ]);
    assert_eq!(page.json["data"], json!({ "columns": columns, "rows": [wanted[3]] }));
}

#[tokio::test]
async fn a_summary_counts_what_the_caller_reads_and_leaves_out_what_is_empty() {
    let cloud = Cloud::with(Config { subscriptions: 12, resources: 12, ..Config::default() });
    cloud.user_token("owner").await;
    let reader = cloud.simulator.service_principal_id().unwrap();
    let all = cloud.simulator.subscriptions();
    let [empty, full, other] = [
        all.iter().find(|one| one.resources == 0).unwrap(),
        all.iter().find(|one| one.resources > 0).unwrap(),
        all.iter().rfind(|one| one.resources > 0).unwrap(),
    ];
    for at in [empty.id, full.id] {
        cloud.simulator.grant(reader, BuiltInRole::Reader, Scope::Subscription(at));
    }
    cloud.simulator.grant(reader, BuiltInRole::TagContributor, Scope::Subscription(other.id));
    let app = cloud.app_token().await;
    let asked = [empty.id, full.id, other.id].map(|id| format!("'{id}'")).join(", ");
    let query =
        format!("resources | where subscriptionId in~ ({asked}) | summarize count()  by subscriptionId");

    let page = cloud.query(&app, &json!({ "query": query })).await;

    assert_eq!(page.json["data"], json!([{ "subscriptionId": full.id, "count_": full.resources }]));
    for query in [
        "resources | summarize count()",
        "resources | summarize sum(x) by subscriptionId",
        "resources | limit 5 | summarize count() by subscriptionId",
        "resources | summarize count() by subscriptionId | limit 5",
    ] {
        assert_invalid(&cloud.query(&app, &json!({ "query": query })).await, query);
    }
    let token = cloud.query(&app, &json!({ "query": SUMMARY, "options": { "$skipToken": "eyJ" } })).await;
    assert_invalid(&token, "a token of nobody's");
}

#[tokio::test]
async fn a_summary_costs_a_query_of_the_quota() {
    let cloud = Cloud::with(Config { throttle: true, ..Config::default() });
    let token = cloud.automation_token(ARM).await;
    for left in (0..15).rev() {
        let page = cloud.query(&token, &json!({ "query": SUMMARY })).await;
        assert_eq!(page.header("x-ms-user-quota-remaining"), Some(left.to_string().as_str()));
    }
    assert_eq!(cloud.query(&token, &json!({ "query": SUMMARY })).await.error(), (429, "RateLimiting"));
}
