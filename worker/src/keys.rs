//! The data keys: stored once, and known to every process before anybody seals with them.

mod rotation;

use std::collections::BTreeMap;
use std::time::Duration;

use entity::data_key::{self, Purpose};
use entity::sealed::{KeyId, KeyringError, OpenError, SealedColumn};
use entity::{Clock, EncryptionKeys, Keyring};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel};
use secrecy::SecretString;
use tokio::time::MissedTickBehavior;

use crate::transaction;

pub use rotation::{Rotation, Step, rotate};

/// How often a process reads the data keys again.
pub const REFRESH_EVERY: Duration = Duration::from_secs(2);

/// Why the data keys could not be used, or not be rotated.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// They do not fit the configuration, or were tampered with.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// They could not be read or written.
    #[error("reading or writing data keys")]
    Database(#[from] DbErr),
    /// Some values could not be sealed again.
    #[error(
        "{0} sealed values do not open: they were altered, or their data key is gone. The rows are named \
         above: restore them from a backup, or delete them, and run `tenantry keys rotate` again. Until then \
         they stay as they are, and so do the data keys that they name"
    )]
    Unreadable(usize),
    /// Some process still seals under keys that were to be retired.
    #[error(
        "a process still seals under {0}: its clock is behind, or it cannot read the database. Nothing is \
         lost; stop that process, and run `tenantry keys rotate` again"
    )]
    StillSealing(KeyId),
}

/// The keyring of the data keys in `database`. On an empty database they are made; of several processes that
/// start at once, one makes them.
pub async fn open(
    database: &DatabaseConnection,
    encryption_keys: EncryptionKeys,
    clock: Clock,
) -> Result<Keyring, KeysError> {
    let mut rows = read(database).await?;
    if rows.is_empty() {
        create(database, &encryption_keys, &clock).await?;
        rows = read(database).await?;
    }
    Ok(Keyring::holding(encryption_keys, clock, &rows)?)
}

/// Reads the data keys again.
pub async fn refresh(database: &DatabaseConnection, keyring: &Keyring) -> Result<(), KeysError> {
    Ok(keyring.renew(&read(database).await?)?)
}

/// Reads the data keys again every `every`, for good.
pub async fn keep_fresh(database: DatabaseConnection, keyring: Keyring, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match refresh(&database, &keyring).await {
            Ok(()) => failing = false,
            // Told once, not every two seconds.
            Err(_) if failing => {}
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(error, "the data keys could not be read again; those known are still used");
                failing = true;
            }
        }
    }
}

/// Opens a sealed text. Should its data key be younger than the last look, there is another look.
pub async fn open_text(
    database: &DatabaseConnection,
    keyring: &Keyring,
    sealed: &[u8],
    row: &str,
) -> Result<SecretString, OpenError> {
    let opened = keyring.open_text(sealed, row);
    if !matches!(opened, Err(OpenError::UnknownKey(_))) {
        return opened;
    }
    if let Err(error) = refresh(database, keyring).await {
        tracing::error!(%error, "the data keys could not be read again");
    }
    keyring.open_text(sealed, row)
}

/// A data key, and how many values are sealed under it.
#[derive(Clone, Debug)]
pub struct DataKeyUse {
    /// The data key.
    pub row: data_key::Model,
    /// Values that are sealed under it.
    pub uses: u64,
}

/// Every data key, in the order in which they begin to seal.
pub async fn list(database: &DatabaseConnection) -> Result<Vec<DataKeyUse>, KeysError> {
    let rows = read(database).await?;
    let uses = uses(database).await?;
    let of = |row: &data_key::Model| uses.get(&row.id).copied().unwrap_or_default();
    Ok(rows.into_iter().map(|row| DataKeyUse { uses: of(&row), row }).collect())
}

async fn read(database: &impl ConnectionTrait) -> Result<Vec<data_key::Model>, DbErr> {
    data_key::Entity::in_order().all(database).await
}

/// How many values are sealed under each data key, by its id.
async fn uses(database: &impl ConnectionTrait) -> Result<BTreeMap<Vec<u8>, u64>, DbErr> {
    let mut uses = BTreeMap::new();
    for column in SealedColumn::ALL {
        for row in database.query_all(&column.uses()).await? {
            let here: i64 = row.try_get("", "uses")?;
            *uses.entry(row.try_get("", "key_id")?).or_default() += here.unsigned_abs();
        }
    }
    Ok(uses)
}

/// The root key comes first: there can be only one, so whoever comes second waits for the first, and leaves.
async fn create(
    database: &DatabaseConnection,
    encryption_keys: &EncryptionKeys,
    clock: &Clock,
) -> Result<(), KeysError> {
    let now = clock.now();
    let transaction = transaction::begin(database).await?;
    let root = encryption_keys.new_data_key(Purpose::Root, now, now).into_active_model();
    let inserted = data_key::Entity::insert_many([root])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&transaction)
        .await;
    match inserted {
        Ok(0) | Err(DbErr::RecordNotInserted) => return Ok(transaction.rollback().await?),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    // Keys were there before, and somebody deleted them: new ones would hide that.
    if !uses(&transaction).await?.is_empty() {
        return Err(KeyringError::Missing.into());
    }
    let secrets = encryption_keys.new_data_key(Purpose::Secrets, now, now);
    secrets.into_active_model().insert(&transaction).await?;
    transaction.commit().await?;
    tracing::info!("data keys made");
    Ok(())
}
