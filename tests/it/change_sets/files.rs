//! Tags come out as CSV and go in again, and nothing that a file asks for is written before it was reviewed.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::http::client;

use super::Tenant;

const HEADER: &str = "armId,tagName,tagValue\n";

impl Tenant {
    fn token(&self) -> &str {
        self.app.token.expose_secret()
    }

    async fn send(&self, token: &str, query: &str, file: String) -> Result<Response> {
        let request = client()?.post(format!("http://{}/tags/import{query}", self.app.address()));
        let request = request.bearer_auth(token).header("content-type", "text/csv; charset=UTF-8");
        Ok(request.body(file).send().await?)
    }

    async fn import(&self, query: &str, file: String) -> Result<Value> {
        let answer = self.send(self.token(), query, file).await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    async fn download(&self, query: &str) -> Result<Response> {
        let request = client()?.get(format!("http://{}/tags/export{query}", self.app.address()));
        Ok(request.bearer_auth(self.token()).send().await?)
    }

    async fn export(&self, query: &str) -> Result<String> {
        Ok(self.download(query).await?.error_for_status()?.text().await?)
    }

    async fn change_sets(&self) -> Result<usize> {
        let data = self.app.ask("{ changeSets(first: 10) { nodes { id } } }", json!({})).await?;
        Ok(data["changeSets"]["nodes"].as_array().map_or(0, Vec::len))
    }
}

async fn code(answer: Response) -> Result<(StatusCode, String)> {
    let status = answer.status();
    let body: Value = serde_json::from_str(&answer.text().await?)?;
    Ok((status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()))
}

#[tokio::test]
async fn a_file_is_refused_by_whoever_may_not_and_by_what_it_lacks() -> Result<()> {
    let tenant = Tenant::writable(4).await?;
    let (token, good) = (tenant.token(), format!("{HEADER}{},env,prod\n", tenant.arm_id(0)));

    let nobody = code(tenant.send("wrong", "", good.clone()).await?).await?;
    let lacking = tenant.send(token, "", "armId,value\n".to_owned()).await?;
    let unknown = code(tenant.send(token, "?dry=true", good.clone()).await?).await?;
    let request = client()?.post(format!("http://{}/tags/import", tenant.app.address()));
    let as_json = request.bearer_auth(token).header("content-type", "application/json").body(good).send();
    let as_json = code(as_json.await?).await?;
    let by_get =
        code(client()?.get(format!("http://{}/tags/import", tenant.app.address())).send().await?).await?;

    assert_eq!(nobody.1, "UNAUTHENTICATED");
    assert_eq!(lacking.status(), StatusCode::BAD_REQUEST);
    assert!(lacking.text().await?.contains("The header lacks tagName, tagValue."));
    assert_eq!(unknown, (StatusCode::BAD_REQUEST, "BAD_REQUEST".to_owned()));
    assert_eq!(as_json.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(by_get.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(tenant.change_sets().await?, 0);
    Ok(())
}

#[tokio::test]
async fn each_refused_row_says_why_and_the_others_are_planned() -> Result<()> {
    let tenant = Tenant::writable(4).await?;
    tenant.given(0, &[("env", "prod")]).await?;
    let (one, other) = (tenant.arm_id(0), tenant.arm_id(1).to_uppercase());
    let (long_name, long_value) = ("n".repeat(513), "v".repeat(257));
    let file = format!(
        "note,action,tagValue,tagName,armId\r\n,,prod,ENV,{one}\r\n,,x,a,{other}\r\n,set,y,A,{other}\r\n,,x,a,{other}\r\n\
         ,remove,,env,{one}\r\n,drop,,b,{one}\r\n,,x, ,{one}\r\n,,x,{long_name},{one}\r\n,,{long_value},c,{one}\r\n\
         ,,x,c,{one}gone\r\n,,x,c,nonsense\r\n,,x\r\n,,x\"y,c,{one}\r\n,,x,microsoftly,{one}\r\n,remove,,absent,{other}"
    );

    let dry = tenant.import("?dryRun=true", file.clone()).await?;
    let none_kept = tenant.change_sets().await?;
    let kept = tenant.import("?title=From%20a%20file", file).await?;

    let refused: Vec<_> = kept["refused"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| (row["line"].as_u64().unwrap_or_default(), row["code"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        (4, "TAG_TWICE"),
        (6, "TAG_TWICE"),
        (7, "UNKNOWN_ACTION"),
        (8, "NAME_EMPTY"),
        (9, "NAME_TOO_LONG"),
        (10, "VALUE_TOO_LONG"),
        (11, "UNKNOWN_RESOURCE"),
        (12, "UNKNOWN_RESOURCE"),
        (13, "WRONG_COLUMN_COUNT"),
        (14, "MALFORMED_ROW"),
    ];
    assert_eq!(refused, expected);
    assert_eq!((&dry["changeSet"], none_kept), (&Value::Null, 0));
    assert_eq!((&dry["refused"], &dry["writes"]), (&kept["refused"], &kept["writes"]));
    assert_eq!((&kept["rows"], &kept["writes"], &kept["problems"]), (&json!(15), &json!(2), &json!(1)));
    assert_eq!((&kept["unchanged"], &kept["refusedCount"]), (&json!(3), &json!(10)));
    assert_eq!(tenant.change_sets().await?, 1);
    assert_eq!(tenant.tags(1).get("a"), None, "nothing was written");
    Ok(())
}

#[tokio::test]
async fn an_export_is_refused_for_what_it_cannot_give() -> Result<()> {
    let tenant = Tenant::readable(4).await?;

    let unknown =
        code(tenant.download("?subscriptionId=00000000-0000-0000-0000-00000000000a").await?).await?;
    let odd = code(tenant.download("?subscription=1").await?).await?;

    assert_eq!(unknown, (StatusCode::NOT_FOUND, "NOT_FOUND".to_owned()));
    assert_eq!(odd, (StatusCode::BAD_REQUEST, "BAD_REQUEST".to_owned()));
    Ok(())
}

#[tokio::test]
async fn what_was_exported_changes_nothing_when_it_is_imported() -> Result<()> {
    let tenant = Tenant::writable(4).await?;
    let tags =
        [("=sum", "@SUM(A1)"), ("note", "a \"b\", c"), ("'=x", "''-1"), ("plain", "'quoted'"), ("no", "")];
    tenant.given(0, &tags).await?;

    let answer = tenant.download(&format!("?bom=true&subscriptionId={}", tenant.azure)).await?;
    let disposition = format!("{:?}", answer.headers().get("content-disposition"));
    let file = answer.bytes().await?;
    let only = tenant.export("?tagName=PLAIN").await?;
    let report = tenant.import("", String::from_utf8(file.to_vec())?).await?;

    assert!(disposition.contains("tags.csv"), "{disposition}");
    let text = String::from_utf8(file.to_vec())?;
    assert!(text.starts_with("\u{feff}armId,subscriptionId,resourceGroup,type,name,tagName,tagValue\r\n"));
    assert!(text.contains(",'=sum,'@SUM(A1)\r\n") && text.contains(",''=x,'''-1\r\n"), "{text}");
    assert!(only.ends_with(",plain,'quoted'\r\n"), "{only}");
    assert_eq!(report["changeSet"], Value::Null);
    assert_eq!((&report["writes"], &report["refusedCount"]), (&json!(0), &json!(0)));
    assert_eq!(report["rows"], report["unchanged"]);
    let events = tenant.app.ask("{ auditEvents(first: 20) { nodes { action } } }", json!({})).await?;
    let exports = events["auditEvents"]["nodes"].as_array().into_iter().flatten();
    assert_eq!(exports.filter(|event| event["action"] == "TAGS_EXPORTED").count(), 2);
    Ok(())
}

#[tokio::test]
async fn what_was_imported_is_written_when_it_is_applied() -> Result<()> {
    let tenant = Tenant::writable(4).await?;
    tenant.given(0, &[("old", "1")]).await?;
    let arm_id = tenant.arm_id(0);
    let file = format!("armId,tagName,tagValue,action\n{arm_id},env,prod,SET\n{arm_id},old,1,REMOVE\n");

    let report = tenant.import("", file).await?;
    let apply = "mutation($id: ID!) { applyChangeSet(input: { changeSetId: $id }) { userErrors { code } } }";
    tenant.app.ask(apply, json!({ "id": report["changeSet"] })).await?;
    tenant.app.run_jobs().await?;

    let tags = tenant.tags(0);
    assert_eq!((tags.get("env").map(String::as_str), tags.get("old")), (Some("prod"), None));
    Ok(())
}

#[tokio::test]
async fn a_hundred_thousand_rows_over_twenty_thousand_resources_are_planned() -> Result<()> {
    let tenant = Tenant::writable(20_000).await?;
    let mut file = HEADER.to_owned();
    for tag in 0..5 {
        for number in 0..20_000 {
            writeln!(file, "{},imported-{tag},{number}", tenant.arm_id(number))?;
        }
    }

    let begun = Instant::now();
    let report = tenant.import("", file).await?;
    let took = begun.elapsed();

    println!("100,000 rows in {took:?}");
    assert_eq!((&report["rows"], &report["writes"]), (&json!(100_000), &json!(100_000)));
    assert_eq!((&report["unchanged"], &report["refusedCount"]), (&json!(0), &json!(0)));
    Ok(())
}

#[tokio::test]
async fn another_organization_knows_none_of_the_resources_and_a_token_that_only_reads_may_not() -> Result<()>
{
    let tenant = Tenant::writable(4).await?;
    let file = format!("{HEADER}{},env,prod\n", tenant.arm_id(0));
    let stranger = tenant.app.stranger().await?;
    let query =
        "mutation($at: DateTime!) { createAccessToken(input: { name: \"reader\", scopes: [INVENTORY_READ],
        expiresAt: $at }) { secret } }";
    let at = tenant.app.clock.now() + chrono::TimeDelta::days(30);
    let created = tenant.app.ask(query, json!({ "at": at.to_rfc3339() })).await?;
    let reader = created["createAccessToken"]["secret"].as_str().unwrap_or_default();

    let foreign = tenant.send(stranger.expose_secret(), "", file.clone()).await?;
    let foreign: Value = serde_json::from_str(&foreign.error_for_status()?.text().await?)?;
    let refused = code(tenant.send(reader, "", file).await?).await?;

    assert_eq!((&foreign["writes"], &foreign["refused"][0]["code"]), (&json!(0), &json!("UNKNOWN_RESOURCE")));
    assert_eq!(refused, (StatusCode::FORBIDDEN, "FORBIDDEN".to_owned()));
    assert_eq!(tenant.change_sets().await?, 0);
    Ok(())
}
