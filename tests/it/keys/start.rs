//! What is made, and what is refused, when a process starts.

use std::process::Command;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity::data_key::{self, Purpose};
use entity::sealed::KeyringError;
use entity::{Clock, EncryptionKeys};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;
use support::database::TestDatabase;
use support::processes::program;
use support::stack::Stack;
use tempfile::TempDir;
use worker::keys::{self, KeysError};

use super::stage::{KEY, Stage};

const OTHER: [u8; 32] = [7; 32];

/// A sub-command over the database of `stage`, with this encryption key and this former one.
fn tenantry(stage: &Stage, arguments: &[&str], current: [u8; 32], former: [u8; 32]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", stage.home.url().expose_secret())
        .env("REDIS_URL", "redis://127.0.0.1:1/")
        .env("TENANTRY_LISTEN", "127.0.0.1:0")
        .env("TENANTRY_PUBLIC_URL", "http://127.0.0.1/")
        .env("TENANTRY_ENCRYPTION_KEY", STANDARD.encode(current))
        .env("TENANTRY_FORMER_ENCRYPTION_KEYS", STANDARD.encode(former))
        .env("MICROSOFT_CLIENT_ID", "00000000-0000-4000-8000-000000000001")
        .env("MICROSOFT_CLIENT_SECRET", "hunter2");
    command
}

#[tokio::test]
async fn a_wrong_encryption_key_ends_every_process_at_its_start() -> Result<()> {
    let stage = Stage::start().await?;
    let id = |key| EncryptionKeys::new(key, []).current().to_string();
    let mut commands = vec![vec!["serve"], vec!["token"], vec!["keys", "list"], vec!["keys", "rotate"]];
    if Stack::chosen() == Stack::Distributed {
        commands.extend([vec!["api"], vec!["worker"]]);
    }

    for arguments in commands {
        let output = tenantry(&stage, &arguments, OTHER, [9; 32]).output()?;

        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {told}");
        for named in [id(KEY), id(OTHER), id([9; 32]), "TENANTRY_ENCRYPTION_KEY".to_owned()] {
            assert!(told.contains(&named), "{arguments:?}: {named} is missing in: {told}");
        }
        for key in [KEY, OTHER, [9; 32]] {
            assert!(!told.contains(&STANDARD.encode(key)[..8]), "{arguments:?}: {told}");
        }
    }
    Ok(())
}

#[test]
fn a_demo_whose_key_was_replaced_says_so() -> Result<()> {
    let folder = TempDir::new()?;
    let demo = || -> Result<_> {
        let listen = format!("127.0.0.1:{}", support::processes::free_port()?);
        let mut command = Command::new(program());
        command.args(["demo", "--exit-when-done", "--subscriptions", "1", "--resources", "1"]);
        Ok(command.args(["--listen", &listen, "--data-dir"]).arg(folder.path()).output()?)
    };
    assert_eq!(demo()?.status.code(), Some(0));

    std::fs::write(folder.path().join("encryption.key"), OTHER)?;

    let output = demo()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains(&EncryptionKeys::new(OTHER, []).current().to_string()), "{told}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_former_key_is_told_without_its_text() -> Result<()> {
    let stage = Stage::start().await?;
    let mut command = tenantry(&stage, &["keys", "list"], KEY, OTHER);

    let output = command.env("TENANTRY_FORMER_ENCRYPTION_KEYS", "hunter2,hunter3").output()?;

    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("TENANTRY_FORMER_ENCRYPTION_KEYS") && !told.contains("hunter"), "{told}");
    Ok(())
}

#[tokio::test]
async fn an_altered_data_key_ends_a_process_at_its_start() -> Result<()> {
    let stage = Stage::start().await?;

    let replaced =
        "update data_key set sealed_key = (select sealed_key from data_key where purpose = 'ROOT')";
    stage.database.execute_unprepared(replaced).await?;

    let output = tenantry(&stage, &["serve"], KEY, OTHER).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("was altered") && told.contains(&stage.keyring.current_id().to_string()), "{told}");
    Ok(())
}

#[tokio::test]
async fn deleted_data_keys_are_missed_and_never_made_anew() -> Result<()> {
    let stage = Stage::start().await?;
    stage.consent(&stage.database, &stage.keyring, "token").await?;
    let open = || keys::open(&stage.database, EncryptionKeys::new(KEY, []), Clock::system());

    for purpose in [Purpose::Root, Purpose::Secrets] {
        let deleted = data_key::Entity::delete_many().filter(data_key::Column::Purpose.eq(purpose));
        deleted.exec(&stage.database).await?;

        assert!(matches!(open().await, Err(KeysError::Keyring(KeyringError::Missing))), "{purpose}");
    }
    assert!(keys::list(&stage.database).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn processes_that_start_at_once_end_with_one_set_of_keys() -> Result<()> {
    let home = TestDatabase::start(Stack::chosen()).await?;
    let starts = (0..8).map(async |_| {
        let database = home.connect().await?;
        anyhow::Ok(keys::open(&database, EncryptionKeys::new(KEY, []), Clock::system()).await?)
    });

    let keyrings = futures::future::try_join_all(starts).await?;

    let list = keys::list(&home.connect().await?).await?;
    assert_eq!(list.iter().filter(|key| key.row.purpose == Purpose::Root).count(), 1);
    assert_eq!(list.len(), 2);
    for keyring in &keyrings {
        assert_eq!(keyring.current_id(), keyrings[0].current_id());
        assert_eq!(keyring.derive("audit"), keyrings[0].derive("audit"));
    }
    Ok(())
}
