//! `tenantry keys`: the data keys, as an operator looks after them.

use std::io::IsTerminal;

use anyhow::Context as _;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::{Clock, Keyring, organization};
use sea_orm::DatabaseConnection;
use serde_json::json;
use worker::keys::{self, DataKeyUse, Rotation};

use crate::cli::{KeysArguments, KeysCommand};
use crate::runtime::require_migrated;

/// Columns of a table that nobody sees on a terminal.
const LINE: u16 = 100;

/// `tenantry keys`.
pub async fn run(arguments: KeysArguments) -> anyhow::Result<()> {
    let encryption_keys = arguments.key.check_alone()?;
    let database = migration::connect(&arguments.database.database_url, 2)
        .await
        .context("connecting to the database")?;
    require_migrated(&database).await?;
    let clock = Clock::system();
    let keyring = keys::open(&database, encryption_keys, clock.clone()).await?;
    if matches!(arguments.command, KeysCommand::Rotate) {
        let tell = |step| println!("{step}");
        keys::rotate(&database, &keyring, &clock, Rotation::default(), tell).await?;
        tell_audits(&database, &keyring, &clock).await?;
    }
    print_list(&database, &keyring, &clock).await
}

/// Each organization's audit says that its secrets were sealed again.
async fn tell_audits(database: &DatabaseConnection, keyring: &Keyring, clock: &Clock) -> anyhow::Result<()> {
    for organization in organization::Entity::all_by_name().all(database).await? {
        let transaction = worker::transaction::begin(database).await?;
        let record = Record::of(Action::KeysRotated, ObjectKind::Organization, organization.id)
            .after(json!({ "dataKey": keyring.current_id().to_string() }));
        let author = Author::unasked(organization.id, Actor::Operator);
        worker::audit::append(&transaction, keyring, clock.now(), &author, record).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn print_list(database: &DatabaseConnection, keyring: &Keyring, clock: &Clock) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["data key", "purpose", "age", "values", "sealed under"]);
    for key in keys::list(database).await? {
        table.add_row(row(&key, clock));
    }
    if !std::io::stdout().is_terminal() {
        table.set_width(LINE);
    }
    println!("{table}");
    println!("Configured encryption keys, the current one first: {}", keyring.encryption_keys());
    Ok(())
}

fn row(key: &DataKeyUse, clock: &Clock) -> [String; 5] {
    let DataKeyUse { row, uses } = key;
    let seconds = (clock.now() - row.created_at).num_seconds().unsigned_abs();
    let age = humantime::format_duration(std::time::Duration::from_secs(seconds));
    let under = row.sealed_under().map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    [row.name(), row.purpose.to_string(), age.to_string(), uses.to_string(), under]
}
