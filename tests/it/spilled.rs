//! Nothing of what is pasted is left anywhere: not in the log, not in an answer, not in the database.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::access_token::AccessTokenSecret;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secrecy::ExposeSecret;
use serde_json::json;
use simulator::{Fault, ReportView};
use support::app::TestApp;
use tracing_subscriber::filter::LevelFilter;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Hears everything that any part of this process logs, at any level.
    fn listen() -> Self {
        let log = Self::default();
        let writes = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writes.clone())
            .init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that is stored, as text; binary columns in hexadecimal.
async fn dump(app: &TestApp) -> Result<String> {
    let backend = app.database.get_database_backend();
    let ask = async |sql: String| app.database.query_all_raw(Statement::from_string(backend, sql)).await;
    let postgres = backend == DbBackend::Postgres;
    let tables = if postgres {
        "select table_name as name from information_schema.tables where table_schema = 'public'"
    } else {
        "select name from sqlite_schema where type = 'table'"
    };
    let mut dump = String::new();
    for table in ask(tables.to_owned()).await? {
        let table: String = table.try_get("", "name")?;
        let columns = if postgres {
            "t::text".to_owned()
        } else {
            let columns = ask(format!("select name from pragma_table_info('{table}')")).await?;
            let names: Vec<String> =
                columns.iter().map(|one| one.try_get("", "name")).collect::<Result<_, _>>()?;
            names.iter().map(|name| format!("quote(\"{name}\")")).collect::<Vec<_>>().join(" || ' ' || ")
        };
        for row in ask(format!("select {columns} as line from \"{table}\" t")).await? {
            dump.push_str(&row.try_get::<String>("", "line")?);
            dump.push('\n');
        }
    }
    Ok(dump)
}

/// Parts of a token that nothing else has in it.
fn parts(token: &str) -> Vec<String> {
    let long = token.split(['.', '_']).filter(|part| part.len() > 30);
    long.map(|part| part[part.len() / 2 - 8..part.len() / 2 + 8].to_owned()).collect()
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_is_pasted_is_left_anywhere() -> Result<()> {
    let log = Log::listen();
    let app = TestApp::small(1, 1).await?;
    let arm = app.simulator.access_token("owner", "https://management.azure.com", "user_impersonation");
    let graph = app.simulator.access_token("owner", "https://graph.microsoft.com", "User.Read");
    let key = app.simulator.make_enrollment_key("4711", TimeDelta::days(90), ReportView::System)?;
    let registered = app.simulator.make_enrollment_key("4712", TimeDelta::days(90), ReportView::System)?;
    let ours = AccessTokenSecret::random().expose_secret().to_owned();
    let mut answers = String::new();
    let diagnose = "query($token: String!, $check: Boolean!) {
        diagnoseAccessToken(token: $token, checkWithIssuer: $check) { status message missing } }";
    let register = "mutation($number: String!, $key: String!) {
        registerEnrollmentKey(input: { enrollmentNumber: $number, key: $key }) {
          enrollmentKey { id hint state } userErrors { message } } }";

    for round in ["as it is", "Microsoft fails"] {
        for token in [&arm, &graph, &key, &ours] {
            let cut = &token[..token.len() - 3];
            let twice = format!("{token}{token}");
            for (pasted, check) in [(token.as_str(), false), (token, true), (cut, true), (&twice, true)] {
                let asked = json!({ "token": pasted, "check": check });
                answers.push_str(&app.ask_as(&app.token, diagnose, asked).await?.to_string());
                let asked = json!({ "number": "4711", "key": pasted });
                let member = app.stranger().await?;
                answers.push_str(
                    &app.ask_as(&member, register, asked).await?.to_string().replace("4711", round),
                );
            }
            let wrong = json!({ "token": { "is": token }, "check": [token] });
            answers.push_str(&app.ask_as(&app.token, diagnose, wrong).await?.to_string());
        }
        let asked = json!({ "number": "4712", "key": registered });
        answers.push_str(&app.ask_as(&app.token, register, asked).await?.to_string());
        app.run_jobs().await?;
        app.simulator.revoke_enrollment_key(&registered);
        app.simulator.faults().plan(Fault::on("GET", "/**").times(2).answer(
            418,
            &[],
            &format!("{key} {arm}"),
        ));
    }

    let (log, dump) = (log.text(), dump(&app).await?.to_lowercase());
    assert!(
        log.contains("enrollment key registered") && log.contains("Microsoft answered"),
        "the log was heard"
    );
    assert!(dump.contains(&app.member.id.simple().to_string()) || dump.contains(&app.member.id.to_string()));
    for (name, token) in
        [("arm", arm), ("graph", graph), ("key", key), ("registered", registered), ("ours", ours)]
    {
        let parts = parts(&token);
        assert!(!parts.is_empty(), "{name}");
        for part in parts {
            let line = log.lines().find(|line| line.contains(&part));
            assert_eq!(line, None, "{name} is in the log");
            assert!(!answers.contains(&part), "{name} is in an answer");
            let (folded, hex) = (part.to_lowercase(), hex(&part));
            assert!(!dump.contains(&folded) && !dump.contains(&hex), "{name} is in the database");
        }
    }
    answers.find("INCOMPLETE").context("nothing was diagnosed")?;
    Ok(())
}
