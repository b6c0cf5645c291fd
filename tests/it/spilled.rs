//! Nothing secret is left anywhere: not in the log, not in an answer, not in the database.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use entity::access_token::AccessTokenSecret;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secrecy::ExposeSecret;
use serde_json::json;
use simulator::{Decision, Fault, Opened, Person, ReportView};
use support::app::TestApp;
use support::browser::Browser;
use support::single_page;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Hears everything that any part of this process logs, at any level.
    fn listen() -> Self {
        static HEARD: OnceLock<Log> = OnceLock::new();
        let log = HEARD.get_or_init(|| {
            let log = Self::default();
            let writes = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(move || writes.clone())
                .init();
            log
        });
        log.clone()
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
    let token = token.trim_start_matches("tnt_");
    let long = token.split('.').filter(|part| part.len() > 24);
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

    let secrets = [("arm", arm), ("graph", graph), ("key", key), ("registered", registered), ("ours", ours)];
    let log = log.text();
    assert!(
        log.contains("enrollment key registered") && log.contains("Microsoft answered"),
        "the log was heard"
    );
    is_nowhere(&app, &log, &answers, &secrets).await?;
    answers.find("INCOMPLETE").context("nothing was diagnosed")?;
    Ok(())
}

/// Looks for parts of each secret in the log, in the answers and in the database.
async fn is_nowhere(app: &TestApp, log: &str, answers: &str, secrets: &[(&str, String)]) -> Result<()> {
    let dump = dump(app).await?.to_lowercase();
    assert!(dump.contains(&app.member.id.simple().to_string()) || dump.contains(&app.member.id.to_string()));
    for (name, secret) in secrets {
        let parts = parts(secret);
        assert!(!parts.is_empty(), "{name}");
        for part in parts {
            let line = log.lines().find(|line| line.contains(&part));
            assert_eq!(line, None, "{name} is in the log");
            assert!(!answers.contains(&part), "{name} is in an answer");
            let (folded, hex) = (part.to_lowercase(), hex(&part));
            assert!(!dump.contains(&folded) && !dump.contains(&hex), "{name} is in the database");
        }
    }
    Ok(())
}

/// The value of a parameter of a link.
fn parameter(link: &str, name: &str) -> Result<String> {
    let link = Url::parse(link)?;
    let found = link.query_pairs().find(|(known, _)| known == name);
    Ok(found.with_context(|| format!("the link has no {name}"))?.1.into_owned())
}

/// An owner consents by an owner link: its secret, the state of its consent, and what is said besides.
async fn by_owner_link(app: &TestApp) -> Result<(String, String, String)> {
    let data = app.ask("{ subscriptions { nodes { id } } }", json!({})).await?;
    let create = "mutation($id: ID!) { createOwnerLink(input: { subscriptionIds: [$id] }) {
                    ownerLink { id hint } link } }";
    let created = app.ask(create, json!({ "id": data["subscriptions"]["nodes"][0]["id"] })).await?;
    let link = created["createOwnerLink"]["link"].as_str().context("no owner link")?;
    let person = Person::new("owner");
    let page = person.sign_in(link).await?;
    let Opened::Passed { to, .. } = person.press(&page).await? else { bail!("the button led nowhere") };
    let mut said = person.consent(&to, Decision::Accept).await?.body;
    app.run_jobs().await?;
    said.push_str(&person.sign_in(link).await?.body);
    let listed = "{ ownerLinks { nodes { note hint state consent { state work { kind } } } } }";
    said.push_str(&app.ask(listed, json!({})).await?.to_string());
    Ok((parameter(link, "token")?, parameter(&to, "state")?, said))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_lets_somebody_in_is_left_anywhere() -> Result<()> {
    let log = Log::listen();
    let app = TestApp::small(1, 5).await?;
    let mut secrets = vec![
        ("our client secret at Microsoft", app.simulator.client_secret()),
        ("the development token", app.token.expose_secret().to_owned()),
    ];
    let mut answers = String::new();

    // Invited, signed in, replaced, at the issuer and at Tenantry.
    let invitation = app.invite("ADMIN").await?;
    secrets.push(("an invitation", parameter(&invitation, "invitation")?));
    let browser = Browser::of(&app, "member")?;
    answers.push_str(&browser.sign_in(&invitation).await?.body);
    secrets.push(("a session", browser.cookie().replace('=', ".")));
    app.clock.advance(entity::session::ROTATION);
    answers.push_str(&browser.ask("{ viewer { member { id } } }").await?.json.to_string());
    secrets.push(("a replaced session", browser.cookie().replace('=', ".")));
    let bearer = single_page::token(&app, "member").await?;
    answers.push_str(&app.answered(&bearer, "{ viewer { organization { id } } }").await?.json.to_string());
    let other = app.answered(&format!("{bearer}x"), "{ viewer { organization { id } } }").await?;
    answers += &(other.json.to_string() + &other.challenge);
    secrets.push(("the issuer's token", bearer));

    // A consent, and what is done with it; an access token, good and revoked; what is answered to nonsense.
    let (consent, link) = app.start_consent().await?;
    secrets.push(("the state of a consent", parameter(&link, "state")?));
    answers.push_str(&Person::new("owner").consent(&link, Decision::Accept).await?.body);
    app.run_jobs().await?;
    answers.push_str(&app.operation_of(&consent).await?.to_string());
    let (token, state, said) = by_owner_link(&app).await?;
    secrets.extend([("an owner link", token), ("the state of its consent", state)]);
    answers.push_str(&said);
    let create = "mutation($at: DateTime!) { createAccessToken(input: { name: \"p\", scopes: [AUDIT_READ],
                    expiresAt: $at }) { accessToken { id hint } secret } }";
    let at = app.clock.now() + TimeDelta::days(3);
    let mut created = app.ask(create, json!({ "at": at })).await?["createAccessToken"].take();
    let secret = created["secret"].take().as_str().context("no access token")?.to_owned();
    answers.push_str(&created.to_string());
    let export = format!("http://{}/audit/export", app.address());
    let exported = support::http::client()?.get(export).bearer_auth(&secret).send().await?;
    answers.push_str(&exported.text().await?);
    let revoke =
        "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
    answers.push_str(&app.ask(revoke, json!({ "id": created["accessToken"]["id"] })).await?.to_string());
    let refused = app.answered(&secret, "{ auditEvents { nodes { before after } } }").await?;
    answers += &(refused.json.to_string() + &refused.challenge);
    secrets.push(("an access token", secret));
    answers.push_str(&browser.sign_out().await?.to_string());

    let log = log.text();
    for heard in ["signed in", "invitation accepted", "consent granted", "access token created", "signed out"]
    {
        assert!(log.contains(heard), "the log was not heard: {heard}");
    }
    is_nowhere(&app, &log, &answers, &secrets).await
}
