//! The audit on the command line: checks it, and exports it.

use std::io::{self, Write};

use anyhow::{Context as _, bail};
use entity::audit_event::{Actor, Author, Period, hex};
use entity::{Clock, EncryptionKeys, Keyring, organization};
use sea_orm::DatabaseConnection;
use worker::audit::{Export, Verified, verify};

use crate::cli::{AuditCommand, AuditExportArguments, AuditVerifyArguments, DatabaseArguments};
use crate::runtime::require_migrated;

/// `tenantry audit`.
pub async fn run(command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(arguments) => verify_all(arguments).await,
        AuditCommand::Export(arguments) => export(arguments).await,
    }
}

async fn verify_all(arguments: AuditVerifyArguments) -> anyhow::Result<()> {
    let encryption_keys = arguments.key.check_alone()?;
    let (database, keyring) = open(&arguments.database, encryption_keys).await?;
    let organizations = match &arguments.organization {
        Some(name) => named(&database, name).await?,
        None => organization::Entity::all_by_name().all(&database).await?,
    };
    let mut faults = 0;
    for organization in &organizations {
        let verified = verify(&database, &keyring, organization.id).await?;
        faults += usize::from(verified.fault.is_some());
        println!("{} ({}): {}", organization.name, organization.id, told(&verified));
    }
    if faults > 0 {
        bail!("{faults} of {} audits were tampered with", organizations.len());
    }
    Ok(())
}

fn told(verified: &Verified) -> String {
    match (&verified.fault, &verified.head) {
        (Some(fault), _) => format!("TAMPERED WITH: {fault}"),
        (None, None) => "good, no events".to_owned(),
        (None, Some(head)) => format!(
            "good, {} events, the last is {} with the hash {}",
            head.sequence - head.pruned_sequence,
            head.sequence,
            hex(&head.hash)
        ),
    }
}

async fn export(arguments: AuditExportArguments) -> anyhow::Result<()> {
    let encryption_keys = arguments.key.check_alone()?;
    let period = Period { from: arguments.from, to: arguments.to };
    anyhow::ensure!(period.is_sound(), "--from and --to have to lie in the years 1970 to 9999");
    let (database, keyring) = open(&arguments.database, encryption_keys).await?;
    let organizations = named(&database, &arguments.organization).await?;
    let [organization] = organizations.as_slice() else {
        bail!("{} organizations have this name", organizations.len());
    };
    let author = Author::unasked(organization.id, Actor::Operator);
    let mut export = Export::begin(database, &keyring, Clock::system().now(), &author, period).await?;
    let mut output = io::stdout().lock();
    while let Some(lines) = export.next().await? {
        output.write_all(&lines)?;
    }
    Ok(output.flush()?)
}

async fn named(database: &DatabaseConnection, name: &str) -> anyhow::Result<Vec<organization::Model>> {
    let found = organization::Entity::by_name(name).all(database).await?;
    anyhow::ensure!(!found.is_empty(), "there is no organization of this name");
    Ok(found)
}

async fn open(
    arguments: &DatabaseArguments,
    encryption_keys: EncryptionKeys,
) -> anyhow::Result<(DatabaseConnection, Keyring)> {
    let database =
        migration::connect(&arguments.database_url, 1).await.context("connecting to the database")?;
    require_migrated(&database).await?;
    let keyring = worker::keys::open(&database, encryption_keys, Clock::system()).await?;
    Ok((database, keyring))
}
