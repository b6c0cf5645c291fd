//! Usage reports as they come: late, empty, in another shape, or not at all.

use anyhow::Result;
use chrono::TimeDelta;
use serde_json::json;
use simulator::ReportMode;
use support::app::TestApp;

use super::Loaded;

#[tokio::test]
async fn an_older_or_empty_report_takes_the_place_of_nothing() -> Result<()> {
    let loaded = Loaded::office().await?;
    let before = loaded.feed("MAILBOXES").await?;

    for mode in [ReportMode::HeaderOnly, ReportMode::Empty] {
        loaded.app.simulator.set_report_mode(mode);
        loaded.app.clock.advance(TimeDelta::hours(1));
        let operation = loaded.load().await?;
        assert_eq!(operation["state"], "PARTIAL", "{operation}");
        let feed = loaded.feed("MAILBOXES").await?;
        assert_eq!(
            (&feed["state"], &feed["failure"]["code"]),
            (&json!("FAILED"), &json!("REPORT_EMPTY")),
            "{feed}"
        );
        assert_eq!(
            (&feed["reportRefreshDate"], &feed["loadedAt"]),
            (&before["reportRefreshDate"], &before["loadedAt"])
        );
    }

    loaded.app.simulator.set_report_mode(ReportMode::Usual);
    loaded.app.simulator.set_report_lateness(9);
    loaded.app.clock.advance(TimeDelta::hours(1));
    loaded.load().await?;
    let feed = loaded.feed("MAILBOXES").await?;
    assert_eq!(
        (&feed["state"], &feed["reportRefreshDate"]),
        (&json!("UNCHANGED"), &before["reportRefreshDate"]),
        "{feed}"
    );
    Ok(())
}

#[tokio::test]
async fn a_report_that_is_nine_days_late_says_how_old_it_is() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.set_report_lateness(9);

    let loaded = Loaded::over(app).await?;

    assert_eq!(loaded.feed("USER_ACTIVITY").await?["ageDays"], 9);
    Ok(())
}

#[tokio::test]
async fn a_report_in_another_shape_is_read_and_one_without_its_key_says_what_is_missing() -> Result<()> {
    for mode in [ReportMode::ExtraColumns, ReportMode::ReorderedColumns, ReportMode::Plain] {
        let app = TestApp::small(1, 1).await?;
        app.simulator.set_report_mode(mode);
        let loaded = Loaded::over(app).await?;
        assert_eq!(loaded.feed("MAILBOXES").await?["rowsRefused"], 0);
    }
    let app = TestApp::small(1, 1).await?;
    app.simulator.set_report_mode(ReportMode::MissingColumns(vec!["User Principal Name".to_owned()]));
    let (loaded, _) = Loaded::ended(app, "PARTIAL").await?;
    let feed = loaded.feed("MAILBOXES").await?;
    assert_eq!(
        (&feed["state"], &feed["failure"]["code"]),
        (&json!("FAILED"), &json!("REPORT_UNREADABLE")),
        "{feed}"
    );
    assert_eq!(loaded.feed("SITES").await?["state"], "LOADED", "one that has its columns is read");
    Ok(())
}

#[tokio::test]
async fn a_report_that_has_not_changed_is_not_read_again() -> Result<()> {
    let loaded = Loaded::office().await?;

    loaded.load().await?;

    let feed = loaded.feed("MAILBOXES").await?;
    assert_eq!(feed["state"], "UNCHANGED", "{feed}");
    Ok(())
}

#[tokio::test]
async fn an_incident_of_the_reports_passes() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.simulator.fail_reports(1);

    let loaded = Loaded::over(app).await?;

    assert_eq!(loaded.feed("USER_ACTIVITY").await?["state"], "LOADED");
    Ok(())
}
