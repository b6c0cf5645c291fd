//! Reports: the redirect, and that they agree with the users.

use std::collections::{HashMap, HashSet};

use reqwest::Method;
use serde_json::json;
use simulator::{Config, UserChange};

use super::{ALL, Graph};
use crate::cloud::{Got, got};

const DETAIL: &str = "getOffice365ActiveUserDetail(period='D7')";
pub const ALL_REPORTS: [&str; 8] = [
    "getOffice365ActiveUserDetail",
    "getOffice365ActiveUserCounts",
    "getOffice365ServicesUserCounts",
    "getMailboxUsageDetail",
    "getOneDriveUsageAccountDetail",
    "getSharePointSiteUsageDetail",
    "getTeamsUserActivityUserDetail",
    "getM365AppUserDetail",
];

/// Rows by column.
pub fn parsed(text: &str) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.expect("as many values as columns")).collect()
}

#[tokio::test]
async fn a_wrong_call_is_refused() {
    let graph = Graph::usual().await;
    for call in [
        "getFrobnication(period='D7')",
        "getMailboxUsageDetail",
        "getMailboxUsageDetail(period='D8')",
        "getMailboxUsageDetail(date=2023-03-16)",
        "getOffice365ActiveUserDetail(date=2023-01-16)",
        "getOffice365ActiveUserDetail(date=yesterday)",
        "getMailboxUsageDetail(period='D7')?$format=application/json",
    ] {
        assert_eq!(graph.get(&format!("/reports/{call}")).await.error(), (400, "BadRequest"), "{call}");
    }
}

#[tokio::test]
async fn the_link_takes_no_token_and_dies_in_minutes() {
    let graph = Graph::usual().await;
    let redirect = graph.get(&format!("/reports/{DETAIL}")).await;
    assert_eq!((redirect.status, redirect.header("content-type")), (302, Some("text/plain")));
    let link = redirect.header("location").unwrap().to_owned();
    assert!(link.starts_with(&format!("{}/", graph.cloud.simulator.reports_url())));
    assert!(!link.starts_with(&graph.cloud.simulator.base_url()), "another host");

    assert_eq!(graph.cloud.get(&graph.token, &link).await.status, 400, "with an Authorization header");
    let call = graph.cloud.simulator.calls().pop().unwrap();
    assert!(call.is_authorized && call.path.starts_with("/data/download/"));
    let file = graph.cloud.open(&link).await;
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/octet-stream")));
    assert!(!graph.cloud.simulator.calls().pop().unwrap().is_authorized);
    assert_eq!(graph.cloud.open("/data/download/nonsense").await.status, 404);
    graph.cloud.pass(301);
    assert_eq!(graph.cloud.open(&link).await.status, 403);
}

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_sent_again() {
    let graph = Graph::usual().await;
    let path = format!("/reports/{DETAIL}");
    let tag = graph.report(DETAIL).await.header("etag").unwrap().to_owned();
    assert_eq!(graph.get_with(&path, "If-None-Match", &tag).await.status, 304);
    assert_eq!(graph.get_with(&path, "If-None-Match", "\"other\"").await.status, 302);
    let other_period = path.replace("D7", "D30");
    assert_eq!(graph.get_with(&other_period, "If-None-Match", &tag).await.status, 302);
    graph.cloud.pass(24 * 60 * 60);
    let token = graph.cloud.ask_app_token(crate::cloud::GRAPH).await.token();
    let next_day = graph.cloud.request(Method::GET, &format!("/v1.0{path}")).bearer_auth(token);
    assert_eq!(got(next_day.header("If-None-Match", &tag)).await.status, 302);
}

#[tokio::test]
async fn an_incident_looks_like_missing_credentials() {
    let graph = Graph::usual().await;
    graph.cloud.simulator.fail_reports(2);
    for _ in 0..2 {
        let refused = graph.get(&format!("/reports/{DETAIL}")).await;
        assert_eq!(refused.error(), (403, "MissingCredentials"));
        assert_eq!(refused.json["error"].get("innerError"), None);
    }
    assert_eq!(graph.get(&format!("/reports/{DETAIL}")).await.status, 302);
}

#[tokio::test]
async fn every_report_has_rows_as_of_two_days_ago() {
    let graph = Graph::usual().await;
    for name in ALL_REPORTS {
        let file = graph.file(&format!("{name}(period='D7')")).await;
        assert!(file.starts_with(b"\xef\xbb\xbfReport Refresh Date,"), "{name}");
        for days in [7, 30, 90, 180] {
            let report = graph.report(&format!("{name}(period='D{days}')")).await;
            let rows = parsed(&report.text);
            assert!(!rows.is_empty(), "{name}");
            assert!(rows.iter().all(|row| row["Report Refresh Date"] == "2023-03-17"), "{name}");
            let period = days.to_string();
            assert!(rows.iter().all(|row| row.get("Report Period").is_none_or(|it| *it == period)), "{name}");
        }
    }
}

#[tokio::test]
async fn details_agree_with_the_users_and_with_the_counts() {
    let graph = Graph::usual().await;
    let detail = parsed(&graph.report(DETAIL).await.text);
    let known = graph.cloud.simulator.office_users();
    let by_name: HashMap<_, _> = known.iter().map(|user| (user.principal_name.as_str(), user)).collect();
    for row in &detail {
        let user = by_name[row["User Principal Name"].as_str()];
        assert_eq!(row["Display Name"], user.display_name);
        let has_teams = user
            .licences
            .iter()
            .any(|it| !["EXCHANGESTANDARD", "FLOW_FREE", "VISIOCLIENT", "M365_PILOT_X"].contains(it));
        assert_eq!(row["Has Teams License"], if has_teams { "True" } else { "False" });
        assert_eq!(row["Assigned Products"].split('+').count(), user.licences.len());
    }
    assert!(detail.iter().any(|row| row["Exchange Last Activity Date"].is_empty()), "somebody never did");

    let active = |column: &str| {
        let day = format!("{column} Last Activity Date");
        detail.iter().filter(|row| row[&day].as_str() >= "2023-03-11").count().to_string()
    };
    let services = parsed(&graph.report("getOffice365ServicesUserCounts(period='D7')").await.text);
    let [services] = services.as_slice() else { panic!("{services:?}") };
    let counts = parsed(&graph.report("getOffice365ActiveUserCounts(period='D7')").await.text);
    assert_eq!(counts.iter().map(|row| row["Report Date"].as_str()).collect::<HashSet<_>>().len(), 7);
    for service in ["Exchange", "OneDrive", "SharePoint", "Skype For Business", "Yammer", "Teams"] {
        assert_eq!(services[&format!("{service} Active")], active(service), "{service}");
        let last = counts.iter().find(|row| row["Report Date"] == "2023-03-17").unwrap();
        let day = format!("{service} Last Activity Date");
        let on_that_day = detail.iter().filter(|row| row[&day] == "2023-03-17").count().to_string();
        assert_eq!(last[service], on_that_day, "{service}");
    }
}

#[tokio::test]
async fn whoever_is_new_is_in_no_report_and_whoever_is_deleted_is_for_a_month() {
    let graph = Graph::usual().await;
    let simulator = &graph.cloud.simulator;
    let has = |user: &&simulator::OfficeUser| user.licences.contains(&"SPE_E3");
    let user = simulator.office_users().iter().find(has).cloned().unwrap();
    let added = simulator.add_user();
    simulator.change_user(added, UserChange::Licences(vec!["SPE_E3".to_owned()]));
    simulator.delete_user(user.id);
    let added = simulator.office_users().into_iter().find(|user| user.id == added).unwrap();
    let rows = async |name: &str| {
        let token = graph.cloud.ask_app_token(crate::cloud::GRAPH).await.token();
        let redirect = graph.cloud.get(&token, &format!("/v1.0/reports/{DETAIL}")).await;
        let report = graph.cloud.open(redirect.header("location").unwrap()).await;
        parsed(&report.text).into_iter().find(|row| row["User Principal Name"] == name)
    };

    assert_eq!(rows(&added.principal_name).await, None, "the report does not cover today");
    assert_eq!(rows(&user.principal_name).await.unwrap()["Is Deleted"], "False");
    graph.cloud.pass(2 * 24 * 60 * 60);
    assert!(rows(&added.principal_name).await.is_some());
    let row = rows(&user.principal_name).await.unwrap();
    assert_eq!((row["Is Deleted"].as_str(), row["Deleted Date"].as_str()), ("True", "2023-03-19"));
    graph.cloud.pass(31 * 24 * 60 * 60);
    assert_eq!(rows(&user.principal_name).await, None);
}

#[tokio::test]
async fn a_single_day_has_only_those_who_were_active() {
    let graph = Graph::usual().await;
    let all = parsed(&graph.report(DETAIL).await.text).len();
    let day = parsed(&graph.report("getOffice365ActiveUserDetail(date=2023-03-16)").await.text);
    assert!(!day.is_empty() && day.len() < all);
    let dates = |row: &HashMap<String, String>| row.values().any(|value| value == "2023-03-16");
    assert!(day.iter().all(dates));
    let sunday = parsed(&graph.report("getOffice365ActiveUserDetail(date=2023-03-12)").await.text);
    assert!(sunday.is_empty());
}

#[tokio::test]
async fn one_report_comes_as_json_in_pages_of_200() {
    let graph = Graph::granted(Config { users: 700, ..Config::default() }, &ALL).await;
    let path = "/reports/getM365AppUserDetail(period='D7')";
    let pages = graph.pages(&format!("{path}?$format=application/json")).await;
    assert_eq!(pages[0].rows().len(), 200);
    let rows: Vec<_> = pages.iter().flat_map(Got::rows).collect();
    let csv = parsed(&graph.report("getM365AppUserDetail(period='D7')").await.text);
    assert_eq!(rows.len(), csv.len());
    assert_eq!(rows[0]["userPrincipalName"], json!(csv[0]["User Principal Name"]));
    let details = &rows[0]["details"][0];
    assert!(details["outlookWindows"].is_boolean() && details["reportPeriod"] == 7, "{details}");
}
