//! Reports that are late, empty, concealed or refused.

use chrono::NaiveDate;
use microsoft::graph::report::active_user::ActiveUser;
use microsoft::graph::report::active_user_counts::ActiveUserCounts;
use microsoft::graph::report::mailbox::Mailbox;
use microsoft::graph::report::one_drive::OneDrive;
use microsoft::graph::report::site::Site;
use microsoft::graph::report::teams_user::TeamsUser;
use microsoft::{ETag, Fetched, FixableBy, MicrosoftError, Period, Report};
use simulator::{Fault, ReportMode};

use super::{Cloud, read};

#[tokio::test]
async fn a_report_that_has_not_changed_is_not_sent_again() {
    let cloud = Cloud::start();
    let (_, rows) = cloud.mailboxes().await.expect("a report");
    let tag = ETag::new(rows.etag().expect("a tag").as_str()).expect("a tag that was kept");
    let ask =
        async |period| cloud.microsoft.graph().report::<Mailbox>(cloud.tenant(), period, Some(&tag)).await;

    assert!(matches!(ask(Period::D7).await, Ok(Fetched::NotModified)));
    assert_eq!(cloud.opened().len(), 1);
    assert!(matches!(ask(Period::D30).await, Ok(Fetched::Report(_))));
    cloud.pass(24 * 60 * 60);
    let Ok(Fetched::Report(rows)) = ask(Period::D7).await else { panic!("a new day, a new report") };
    assert_ne!(rows.etag(), Some(&tag));
}

#[tokio::test]
async fn a_late_report_says_of_which_day_it_is() {
    let cloud = Cloud::start();
    let day = async |lateness| {
        cloud.simulator.set_report_lateness(lateness);
        let (rows, report) = cloud.mailboxes().await.expect("a report");
        assert_eq!((rows.len() as u64, report.refused()), (report.read(), 0));
        report.refresh_date()
    };
    assert_eq!(day(2).await, NaiveDate::from_ymd_opt(2023, 3, 17));
    assert_eq!(day(9).await, NaiveDate::from_ymd_opt(2023, 3, 10));
}

#[tokio::test]
async fn a_file_without_a_byte_is_no_empty_report() {
    let cloud = Cloud::start();
    cloud.simulator.set_report_mode(ReportMode::Empty);

    let error = cloud.mailboxes().await.expect_err("no report");

    assert_eq!(error.code(), "REPORT_EMPTY");
    assert!(error.retryable() && matches!(error, MicrosoftError::Incomplete { .. }));
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn a_header_alone_is_an_empty_report() {
    let cloud = Cloud::start();
    cloud.simulator.set_report_mode(ReportMode::HeaderOnly);

    let (rows, report) = cloud.mailboxes().await.expect("a report");

    assert_eq!((rows.len(), report.read(), report.refused()), (0, 0, 0));
    assert_eq!((report.refresh_date(), report.conceals_names()), (None, None));
}

#[tokio::test]
async fn columns_may_be_more_or_in_another_order_and_the_file_may_be_plain() {
    let cloud = Cloud::start();
    let (usual, _) = cloud.mailboxes().await.expect("a report");
    for mode in [ReportMode::ExtraColumns, ReportMode::ReorderedColumns, ReportMode::Plain] {
        cloud.simulator.set_report_mode(mode.clone());
        let (rows, report) = cloud.mailboxes().await.expect("a report");
        assert_eq!((rows == usual, report.refused()), (true, 0), "{mode:?}");
    }
}

#[tokio::test]
async fn a_column_may_be_missing_unless_the_report_is_about_it() {
    let cloud = Cloud::start();
    let (usual, _) = cloud.mailboxes().await.expect("a report");
    let without = |columns: &[&str]| {
        let missing = columns.iter().map(|&column| column.to_owned()).collect();
        cloud.simulator.set_report_mode(ReportMode::MissingColumns(missing));
    };

    without(&["Deleted Item Quota (Byte)", "Has Archive"]);
    let (rows, _) = cloud.mailboxes().await.expect("a report");
    let lacking = |it: &Mailbox| Mailbox { deleted_item_quota_bytes: None, has_archive: None, ..it.clone() };
    assert_eq!(rows, usual.iter().map(lacking).collect::<Vec<_>>());

    for column in ["Report Refresh Date", "User Principal Name"] {
        without(&[column]);
        let error = cloud.mailboxes().await.expect_err(column);
        assert_eq!((error.code(), error.obstacles()), ("REPORT_UNREADABLE", [column.to_owned()].as_slice()));
        assert_eq!(error.fixable_by(), FixableBy::Operator);
    }
}

#[tokio::test]
async fn concealed_names_are_noticed() {
    let cloud = Cloud::start();
    for is_concealed in [false, true] {
        cloud.simulator.conceal_names(is_concealed);
        for said in [
            conceals::<ActiveUser>(&cloud).await,
            conceals::<Mailbox>(&cloud).await,
            conceals::<OneDrive>(&cloud).await,
            conceals::<Site>(&cloud).await,
            conceals::<TeamsUser>(&cloud).await,
        ] {
            assert_eq!(said, Some(is_concealed));
        }
        assert_eq!(conceals::<ActiveUserCounts>(&cloud).await, None);
    }
}

async fn conceals<R: Report>(cloud: &Cloud) -> Option<bool> {
    let (rows, report) = read(cloud.fetch::<R>(Period::D30).await.expect("a report")).await.expect("rows");
    assert_eq!((rows.len() as u64, report.refused()), (report.read(), 0), "{:?}", report.refusals());
    report.conceals_names()
}

#[tokio::test]
async fn an_incident_of_microsofts_passes() {
    let cloud = Cloud::start();
    cloud.simulator.fail_reports(1);

    let error = cloud.mailboxes().await.expect_err("an incident");

    assert_eq!((error.code(), error.microsoft_code()), ("REPORTS_INCIDENT", Some("MissingCredentials")));
    assert!(error.retryable() && matches!(error, MicrosoftError::Unavailable { .. }));
    assert_eq!(cloud.asked().len(), 1, "each call counts");
    assert!(cloud.mailboxes().await.is_ok());
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let cloud = Cloud::granting(&["User.Read.All"]);

    let error = cloud.mailboxes().await.expect_err("a refusal");

    assert_eq!(
        (error.code(), error.fixable_by()),
        ("REPORTS_PERMISSION_MISSING", FixableBy::GlobalAdministrator)
    );
    assert!(error.person_message().contains("Reports.Read.All"));
    assert!(!error.retryable() && matches!(error, MicrosoftError::Forbidden { .. }));
}

#[tokio::test]
async fn an_error_within_the_text_of_an_error_is_read() {
    let cloud = Cloud::start();
    let inner = r#"{\"error\":{\"code\":\"S2SUnauthorized\",\"message\":\"Invalid permission.\"}}"#;
    let body = format!(r#"{{"error":{{"code":"UnknownError","message":"{inner}"}}}}"#);
    cloud.plan(Fault::on("GET", "/v1.0/reports/**").answer(403, &[], &body));

    let error = cloud.mailboxes().await.expect_err("a refusal");

    assert_eq!(
        (error.code(), error.microsoft_code()),
        ("REPORTS_PERMISSION_MISSING", Some("S2SUnauthorized"))
    );
}

#[tokio::test]
async fn graph_must_answer_with_a_link() {
    let cloud = Cloud::start();
    for (status, body) in [(200, "Report Refresh Date"), (302, ""), (304, "")] {
        cloud.plan(Fault::on("GET", "/v1.0/reports/**").answer(status, &[], body));
        let error = cloud.mailboxes().await.expect_err("no link");
        assert_eq!(error.code(), "UNEXPECTED_ANSWER", "{status}");
    }
}
