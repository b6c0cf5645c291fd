//! Reports with concealed names, late ones, and odd ones.

use simulator::{Config, ReportMode};

use super::reports::{ALL_REPORTS, parsed};
use super::{ALL, Graph};

const MAILBOXES: &str = "getMailboxUsageDetail(period='D7')";

#[tokio::test]
async fn concealed_names_are_in_no_list_of_users_and_everything_else_stays() {
    let graph = Graph::granted(Config::default(), &ALL).await;
    let simulator = &graph.cloud.simulator;
    let setting =
        async || graph.get("/admin/reportSettings").await.json["value"]["displayConcealedNames"].clone();
    assert_eq!(setting().await, false);
    let shown = parsed(&graph.report(MAILBOXES).await.text);

    simulator.conceal_names(true);

    assert_eq!(setting().await, true, "true says that they are concealed");
    let hidden = parsed(&graph.report(MAILBOXES).await.text);
    for (shown, hidden) in shown.iter().zip(&hidden) {
        for (column, value) in hidden {
            let is_name = ["User Principal Name", "Display Name"].contains(&column.as_str());
            assert_eq!(*value != shown[column], is_name, "{column}: {value}");
            assert!(
                !is_name || value.len() == 32 && value.bytes().all(|it| it.is_ascii_hexdigit()),
                "{value}"
            );
        }
    }
    let names = graph.cloud.simulator.office_users();
    for name in ALL_REPORTS {
        let report = graph.report(&format!("{name}(period='D30')")).await.text;
        let leaked = names
            .iter()
            .find(|user| report.contains(&user.principal_name) || report.contains(&user.id.to_string()));
        assert!(leaked.is_none() && !report.contains("sharepoint.com/"), "{name}: {leaked:?}");
    }
}

#[tokio::test]
async fn a_report_may_be_late_by_nine_days() {
    let graph = Graph::usual().await;
    graph.cloud.simulator.set_report_lateness(9);
    let rows = parsed(&graph.report(MAILBOXES).await.text);
    assert!(rows.iter().all(|row| row["Report Refresh Date"] == "2023-03-10"));
    assert!(rows.iter().all(|row| row["Last Activity Date"].as_str() <= "2023-03-10"));
}

#[tokio::test]
async fn a_report_may_be_empty_or_without_a_row() {
    let graph = Graph::usual().await;
    graph.cloud.simulator.set_report_mode(ReportMode::Empty);
    let empty = graph.report(MAILBOXES).await;
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
    graph.cloud.simulator.set_report_mode(ReportMode::HeaderOnly);
    let header = graph.report(MAILBOXES).await;
    assert_eq!(header.text.lines().count(), 1);
    assert!(header.text.ends_with("Report Period\r\n"));
}

#[tokio::test]
async fn columns_may_be_more_or_fewer_or_in_another_order() {
    let graph = Graph::usual().await;
    let usual = parsed(&graph.report(MAILBOXES).await.text);
    let simulator = &graph.cloud.simulator;
    let columns = |text: &str| text.lines().next().unwrap().to_owned();

    simulator.set_report_mode(ReportMode::ExtraColumns);
    let extra = graph.report(MAILBOXES).await.text;
    assert!(columns(&extra).starts_with("\"Copilot Last Activity Date, \"\"new\"\"\",Report Refresh Date,"));
    let missing = ["Deleted Item Quota (Byte)", "Has Archive"].map(str::to_owned).to_vec();
    simulator.set_report_mode(ReportMode::MissingColumns(missing));
    let fewer = parsed(&graph.report(MAILBOXES).await.text);
    assert_eq!((fewer.len(), fewer[0].len()), (usual.len(), usual[0].len() - 2));
    simulator.set_report_mode(ReportMode::ReorderedColumns);
    let text = graph.report(MAILBOXES).await.text;
    assert!(columns(&text).starts_with("Report Period,"));
    assert_eq!(parsed(&text), usual);
    simulator.set_report_mode(ReportMode::Plain);
    let plain = String::from_utf8(graph.file(MAILBOXES).await).unwrap();
    assert!(plain.starts_with("Report") && !plain.contains('\r'));
    assert_eq!(parsed(&plain), usual);
}
