//! Batches: each request has its own answer.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Config, Fault};

use super::Graph;
use crate::cloud::{Got, got};

impl Graph {
    async fn batch(&self, requests: &Value) -> Got {
        let request = self.cloud.request(Method::POST, "/v1.0/$batch").bearer_auth(&self.token);
        got(request.json(&json!({ "requests": requests }))).await
    }
}

fn of<'a>(got: &'a Got, id: &str) -> &'a Value {
    let responses = got.json["responses"].as_array().expect("responses");
    responses.iter().find(|response| response["id"] == id).expect("an answer of this id")
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let graph = Graph::usual().await;
    let request = |id: usize| json!({ "id": id.to_string(), "method": "GET", "url": "/users" });
    let many: Vec<_> = (0..21).map(request).collect();
    for requests in [json!(many), json!([]), json!(null), json!([request(1), request(1)])] {
        assert_eq!(graph.batch(&requests).await.error(), (400, "BadRequest"), "{requests}");
    }
    assert_eq!(graph.batch(&json!(many[..20])).await.json["responses"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn each_request_has_its_own_status_and_headers() {
    let graph = Graph::granted(Config::default(), &["User.Read.All", "Reports.Read.All"]).await;
    graph.cloud.simulator.faults().plan(Fault::on("GET", "/v1.0/organization").answer(
        429,
        &[("retry-after", "2.128")],
        "{\"error\":{}}",
    ));
    let request = |id: &str, url: &str| json!({ "id": id, "method": "GET", "url": url });
    let mut needy = request("needy", "/users");
    needy["dependsOn"] = json!(["denied"]);
    let mut counted = request("counted", "/users?$count=true&$top=1");
    counted["headers"] = json!({ "ConsistencyLevel": "eventual" });
    let answer = graph
        .batch(&json!([
            request("users", "/users?$top=2"),
            request("denied", "/groups"),
            request("report", "/reports/getMailboxUsageDetail(period='D7')"),
            request("throttled", "/organization"),
            request("absolute", "https://graph.microsoft.com/v1.0/users"),
            request("nested", "/$batch"),
            needy,
            counted,
        ]))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(of(&answer, "users")["body"]["value"].as_array().unwrap().len(), 2);
    assert_eq!(of(&answer, "denied")["status"], 403);
    assert_eq!(of(&answer, "denied")["body"]["error"]["code"], "Authorization_RequestDenied");
    assert!(of(&answer, "denied")["body"]["error"]["innerError"]["date"].is_string());
    let report = of(&answer, "report");
    assert_eq!(report["status"], 302);
    let link = report["headers"]["Location"].as_str().unwrap();
    assert_eq!(graph.cloud.open(link).await.status, 200);
    assert_eq!(of(&answer, "throttled")["headers"]["Retry-After"], "2.128");
    assert_eq!(of(&answer, "absolute")["status"], 400);
    assert_eq!(of(&answer, "nested")["status"], 400);
    assert_eq!(of(&answer, "needy")["status"], 424);
    assert_eq!(of(&answer, "counted")["body"]["@odata.count"], 250);
}

#[tokio::test]
async fn requests_of_a_batch_are_throttled_one_by_one() {
    let config = Config { throttle: true, ..Config::default() };
    let graph = Graph::granted(config, &["User.Read.All"]).await;
    graph.cloud.simulator.set_graph_units(Some(7));
    let requests: Vec<_> =
        (0..5).map(|id| json!({ "id": id.to_string(), "method": "GET", "url": "/users" })).collect();
    let answer = graph.batch(&json!(requests)).await;
    let statuses: Vec<_> =
        (0..5).map(|id| of(&answer, &id.to_string())["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(of(&answer, "4")["headers"]["Retry-After"], "2");
}
