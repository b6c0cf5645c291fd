//! `tenantry audit`: its words and its exit codes.

use std::process::{Command, Output};

use anyhow::{Result, bail};
use base64::Engine;
use entity::audit_event::{Action, ActorKind};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;
use serde_json::Value;
use support::processes::program;

use super::Book;

async fn audit(book: &Book, arguments: &[&str]) -> Result<Output> {
    tenantry(book, &[&["audit"], arguments].concat()).await
}

async fn tenantry(book: &Book, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("DATABASE_URL", book.home.url().expose_secret())
        .env("TENANTRY_ENCRYPTION_KEY", base64::engine::general_purpose::STANDARD.encode([42; 32]))
        .args(arguments);
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[tokio::test]
async fn a_chain_that_was_tampered_with_is_told_and_the_exit_code_says_so() -> Result<()> {
    let book = Book::start().await?;
    book.write(4).await?;
    let name = book.organization_id.to_string();

    let good = audit(&book, &["verify"]).await?;
    book.drop_triggers().await?;
    book.database.execute_unprepared("update audit_event set address = 'x' where sequence = 3").await?;
    let bad = audit(&book, &["verify", "--organization", &name]).await?;
    let unknown = audit(&book, &["verify", "--organization", "nobody"]).await?;

    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert!(text(&good.stdout).contains("good, 4 events, the last is 4 with the hash "), "{good:?}");
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stdout).contains("TAMPERED WITH: event 3 was altered"), "{bad:?}");
    assert!(text(&bad.stderr).contains("1 of 1 audits"), "{bad:?}");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("there is no organization of this name"));
    Ok(())
}

#[tokio::test]
async fn a_development_token_is_told_and_not_shown() -> Result<()> {
    let book = Book::start().await?;
    let name = book.organization_id.to_string();

    let output = tenantry(&book, &["token", "--organization", &name, "--role", "editor"]).await?;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let events = book.events().await?;
    let [event] = events.as_slice() else { bail!("not one event: {events:?}") };
    assert_eq!((event.action, event.actor_kind), (Action::DevelopmentTokenPrinted, ActorKind::Operator));
    assert!(!format!("{event:?}").contains(text(&output.stdout).trim()));
    assert_eq!(book.fault().await?, None);
    Ok(())
}

#[tokio::test]
async fn an_export_is_lines_of_json_and_is_told_itself() -> Result<()> {
    let book = Book::start().await?;
    book.write(2).await?;
    let name = book.organization_id.to_string();

    let output = audit(&book, &["export", "--organization", &name, "--from", "2026-01-01T00:00:00Z"]).await?;

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let told: Vec<_> =
        lines.iter().map(|line| (&line["sequence"], &line["action"], &line["actorKind"])).collect();
    assert_eq!(
        serde_json::to_value(told)?,
        serde_json::json!([
            [1, "ROLE_ASSIGNED", "MEMBER"],
            [2, "ROLE_ASSIGNED", "MEMBER"],
            [3, "AUDIT_EXPORTED", "OPERATOR"],
        ])
    );
    assert_eq!(lines[0]["after"]["weight"], 1.5);
    assert_eq!(book.fault().await?, None);
    Ok(())
}
