//! The link to a report: who may see it, where it may lead, and what becomes of a dead one.

use std::io;
use std::sync::{Arc, Mutex};

use microsoft::graph::report::mailbox::Mailbox;
use microsoft::{Fetched, MicrosoftError, Period};
use simulator::Fault;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Cloud, read};
use crate::login::{TENANT, token};
use crate::server::{Answer, Server, json};

const LINK: &str = "/data/download/*";

fn answering(status: u16) -> Fault {
    Fault::on("GET", LINK).answer(status, &[], "https://reports.office.com/data/download/secret")
}

#[tokio::test]
async fn the_host_of_reports_gets_no_token() {
    let cloud = Cloud::start();
    assert!(!cloud.simulator.reports_url().starts_with(&cloud.simulator.base_url()), "another host");

    cloud.mailboxes().await.expect("a report");

    let (asked, opened) = (cloud.asked(), cloud.opened());
    assert_eq!((asked.len(), asked[0].status, asked[0].is_authorized), (1, 302, true));
    assert_eq!((opened.len(), opened[0].status, opened[0].is_authorized), (1, 200, false));
    assert_eq!(opened[0].client_request_id, None);
}

#[tokio::test]
async fn a_dead_link_is_asked_for_once_more() {
    for status in [401, 403, 404, 410] {
        let cloud = Cloud::start();
        cloud.plan(answering(status));
        let (rows, _) = cloud.mailboxes().await.expect("a report");
        assert!(!rows.is_empty());
        assert_eq!((cloud.asked().len(), cloud.opened().len()), (2, 2), "{status}");

        cloud.plan(answering(status).times(2));
        let error = cloud.mailboxes().await.expect_err("two dead links");
        assert_eq!((error.code(), error.detail().status), ("REPORT_LINK_DEAD", Some(status)));
        assert!(error.retryable() && matches!(error, MicrosoftError::Unavailable { .. }));
        assert!(!format!("{error:?}").contains("secret"));
        assert_eq!((cloud.asked().len(), cloud.opened().len()), (4, 4), "{status}");
    }
}

#[tokio::test]
async fn a_host_that_fails_is_asked_again_and_graph_is_not() {
    let cloud = Cloud::start();
    cloud.plan(answering(502));

    cloud.mailboxes().await.expect("a report");

    assert_eq!((cloud.asked().len(), cloud.opened().len()), (1, 2));
}

#[tokio::test]
async fn a_host_that_throttles_is_left_alone() {
    let cloud = Cloud::start();
    cloud.plan(Fault::on("GET", LINK).answer(429, &[("retry-after", "17.5")], ""));

    let error = cloud.mailboxes().await.expect_err("a throttle");

    assert_eq!(error.retry_after().map(|wait| wait.as_millis()), Some(17_500));
    assert_eq!(cloud.opened().len(), 1);
}

#[tokio::test]
async fn a_link_to_another_host_is_not_opened() {
    let cloud = Cloud::start();
    for link in
        ["https://reports.office.com.evil.example/secret", "ftp://127.0.0.1/secret", "/data/download/secret"]
    {
        let location = [("location", link)];
        cloud.plan(Fault::on("GET", "/v1.0/reports/**").answer(302, &location, "").times(1));
        let error = cloud.mailboxes().await.expect_err(link);
        let is_refused = ["REPORT_HOST_REFUSED", "UNEXPECTED_ANSWER"].contains(&error.code());
        assert!(is_refused && !error.retryable() && !format!("{error:?}").contains("secret"), "{error:?}");
    }
    assert_eq!(cloud.opened().len(), 0);
}

#[tokio::test]
async fn a_redirect_of_the_host_of_reports_is_not_followed() {
    let cloud = Cloud::start();
    let elsewhere = format!("{}/elsewhere", cloud.simulator.base_url());
    cloud.plan(Fault::on("GET", LINK).answer(302, &[("location", &elsewhere)], ""));

    let error = cloud.mailboxes().await.expect_err("a refusal");

    assert_eq!(error.code(), "UNEXPECTED_ANSWER");
    assert!(cloud.simulator.calls().iter().all(|call| call.path != "/elsewhere"));
}

/// Answers with a token, a link, and this file.
async fn handing_out(file: String) -> Server {
    Server::start(move |_, request, base| match request.line.split(['/', ' ']).nth(2) {
        Some("v1.0") => json(302, &format!("location: {base}file\r\n"), ""),
        Some("file") => Answer::Bytes(file.clone()),
        _ => token(),
    })
    .await
}

#[tokio::test]
async fn a_file_that_ends_in_its_middle_is_no_report() {
    let rows = "2023-03-17,ann@contoso.com\r\n".repeat(700);
    let text = format!("Report Refresh Date,User Principal Name\r\n{rows}");
    for head in ["content-length: 99999\r\n\r\n", "transfer-encoding: chunked\r\n\r\nfffff\r\n"] {
        let server = handing_out(format!("HTTP/1.1 200 X\r\n{head}{text}")).await;
        let fetched = server.client().graph().report::<Mailbox>(TENANT, Period::D7, None).await;
        let Ok(Fetched::Report(mut rows)) = fetched else { panic!("{fetched:?}") };

        let error = loop {
            match rows.next_batch().await {
                Ok(Some(batch)) => assert_eq!(batch.len(), 500),
                Ok(None) => panic!("half a report was taken for a whole one"),
                Err(error) => break error,
            }
        };

        assert_eq!(error.code(), "REPORT_CUT_SHORT");
        assert!(error.retryable() && matches!(error, MicrosoftError::Incomplete { .. }));
        assert_eq!(rows.next_batch().await, Err(error), "it stays broken");
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_before_its_header_is_no_report() {
    let server = handing_out("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\nReport Ref".to_owned()).await;
    let fetched = server.client().graph().report::<Mailbox>(TENANT, Period::D7, None).await;
    assert_eq!(fetched.expect_err("no report").code(), "REPORT_CUT_SHORT");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_file_begins_is_made_again() {
    let cloud = Cloud::start();
    cloud.plan(Fault::on("GET", LINK).reset());

    cloud.mailboxes().await.expect("a report");

    assert_eq!((cloud.asked().len(), cloud.opened().len()), (1, 2));
}

/// Remembers what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_link_no_token_and_no_name_is_logged() {
    let cloud = Cloud::start();
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || written.clone())
        .finish();
    let logging = subscriber.set_default();
    cloud.plan(answering(403));

    let fetched = cloud.fetch::<Mailbox>(Period::D7).await.expect("a report");
    let shown = format!("{fetched:?}");
    let (rows, _) = read(fetched).await.expect("a whole report");

    drop(logging);
    let text = String::from_utf8(log.0.lock().expect("a lock").clone()).expect("text");
    // Which events are among it depends on what other tests log first.
    assert!(!text.is_empty());
    for call in cloud.opened() {
        let place = call.path.rsplit('/').next().expect("a place");
        assert!(place.len() > 30 && !text.contains(place) && !shown.contains(place));
    }
    assert!(!text.contains("eyJ") && !text.contains(&rows[0].principal_name));
}
