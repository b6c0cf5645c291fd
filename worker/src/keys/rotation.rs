//! Replaces the data key that secrets are sealed under, while everything is serving.
//!
//! The new key is told to every process before its time comes; then every value is sealed again, each by one
//! update that asks whether the value is still the one that was read; then keys that nothing needs are
//! deleted. Each step looks at what is stored, so a rotation that was cut off anywhere is finished by the next,
//! and several at once do the same work.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use entity::data_key::{self, Purpose};
use entity::sealed::{KeyId, OpenError, SealedColumn};
use entity::{Clock, Keyring};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use uuid::Uuid;

use super::{KeysError, REFRESH_EVERY, read, refresh, uses};
use crate::transaction;

/// Values that are read at once.
const BATCH: u64 = 200;

/// How old a data key may be for a rotation to go on with it.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// A process that seals under a former key after so many passes is not merely late.
const PASSES: usize = 10;

/// How patient a rotation is.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// From the new key's making until it seals: every process has read it by then.
    pub lead: Duration,
    /// From sealing again until a former key is deleted: what was read before has been opened by then.
    pub settle: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { lead: REFRESH_EVERY * 3, settle: REFRESH_EVERY }
    }
}

/// What a rotation has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Data keys were sealed under the current encryption key.
    SealedDataKeys(u64),
    /// A new data key was made.
    Made(KeyId, DateTime<Utc>),
    /// An earlier rotation made one and was cut off.
    Found(KeyId, DateTime<Utc>),
    /// Values were sealed under the new data key.
    SealedValues(u64),
    /// A value does not open.
    Unreadable(SealedColumn, Uuid),
    /// A former data key was deleted.
    Retired(KeyId),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SealedDataKeys(count) => {
                write!(f, "data keys sealed under the current encryption key: {count}")
            }
            Self::Made(id, active) => write!(f, "data key {id} made; it seals from {} on", seconds(*active)),
            Self::Found(id, made) => {
                let made = seconds(*made);
                write!(f, "data key {id} was made at {made} by a rotation that did not end; going on with it")
            }
            Self::SealedValues(count) => write!(f, "values sealed under it: {count}"),
            Self::Unreadable(SealedColumn { table, column }, id) => {
                write!(f, "{table}.{column} of the row {id} does not open")
            }
            Self::Retired(id) => write!(f, "data key {id} retired"),
        }
    }
}

fn seconds(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Replaces the current data key, or finishes a rotation that was cut off. Everything may go on meanwhile.
pub async fn rotate(
    database: &DatabaseConnection,
    keyring: &Keyring,
    clock: &Clock,
    pace: Rotation,
    mut tell: impl FnMut(Step),
) -> Result<(), KeysError> {
    let sealed = seal_data_keys(database, keyring).await?;
    if sealed > 0 {
        tell(Step::SealedDataKeys(sealed));
    }
    let (new, step) = begin(database, keyring, clock, pace.lead).await?;
    tell(step);
    until(clock, new.active_from).await;
    refresh(database, keyring).await?;
    for _ in 0..PASSES {
        let pass = seal_values(database, keyring).await?;
        tell(Step::SealedValues(pass.sealed));
        tokio::time::sleep(pace.settle).await;
        let left = retire(database, keyring, &mut tell).await?;
        if left.is_none() || (pass.sealed == 0 && !pass.unreadable.is_empty()) {
            return pass.end(tell);
        }
    }
    let left = former(database, keyring).await?.first().and_then(data_key::Model::key_id);
    left.map_or(Ok(()), |left| Err(KeysError::StillSealing(left)))
}

/// Seals the data keys that are sealed under a former encryption key under the current one.
async fn seal_data_keys(database: &DatabaseConnection, keyring: &Keyring) -> Result<u64, KeysError> {
    let mut count = 0;
    for row in read(database).await? {
        if let Some(sealed) = keyring.encryption_keys().seal_again(&row)? {
            count += data_key::Entity::replace(&row, sealed).exec(database).await?.rows_affected;
        }
    }
    Ok(count)
}

/// The data key to seal under: a new one, unless a rotation that did not end has just made one.
async fn begin(
    database: &DatabaseConnection,
    keyring: &Keyring,
    clock: &Clock,
    lead: Duration,
) -> Result<(data_key::Model, Step), KeysError> {
    let transaction = transaction::begin(database).await?;
    data_key::Entity::lock().exec(&transaction).await?;
    let known = secrets(read(&transaction).await?);
    let now = clock.now();
    if let [_, .., newest] = &known[..]
        && now - newest.created_at < FRESH
    {
        let id = newest.key_id().unwrap_or(keyring.current_id());
        return Ok((newest.clone(), Step::Found(id, newest.created_at)));
    }
    let lead = TimeDelta::from_std(lead).unwrap_or(TimeDelta::MAX);
    // The newest is told by its time, also by a clock that was put back.
    let after = known.iter().map(|row| row.active_from + TimeDelta::microseconds(1)).max();
    let active_from = after.map_or(now + lead, |after| after.max(now + lead));
    let new = keyring.encryption_keys().new_data_key(Purpose::Secrets, now, active_from);
    new.clone().into_active_model().insert(&transaction).await?;
    transaction.commit().await?;
    let id = new.key_id().unwrap_or(keyring.current_id());
    Ok((new, Step::Made(id, active_from)))
}

async fn until(clock: &Clock, moment: DateTime<Utc>) {
    while let Ok(left) = (moment - clock.now()).to_std()
        && !left.is_zero()
    {
        tokio::time::sleep(left).await;
    }
}

/// What one pass over all values came to.
#[derive(Default)]
struct Pass {
    sealed: u64,
    unreadable: Vec<(SealedColumn, Uuid)>,
}

impl Pass {
    fn end(self, mut tell: impl FnMut(Step)) -> Result<(), KeysError> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        for &(column, id) in &self.unreadable {
            tell(Step::Unreadable(column, id));
        }
        Err(KeysError::Unreadable(self.unreadable.len()))
    }
}

/// Seals every value under the current data key that is sealed under another.
async fn seal_values(database: &DatabaseConnection, keyring: &Keyring) -> Result<Pass, KeysError> {
    let mut pass = Pass::default();
    for column in SealedColumn::ALL {
        let mut after = Uuid::nil();
        loop {
            let values = column.not_under(keyring.current_id(), after, BATCH);
            let values = database.query_all(&values).await?;
            let is_last = values.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
            for value in values {
                after = value.try_get("", "id")?;
                let sealed: Vec<u8> = value.try_get("", "sealed")?;
                match seal_again(database, keyring, &sealed, &column.row(after)).await {
                    // Not the value that was read: it was replaced, or erased and stays so.
                    Ok(new) => {
                        let replaced = database.execute(&column.replace(after, &sealed, new)).await?;
                        pass.sealed += replaced.rows_affected();
                    }
                    Err(_) => pass.unreadable.push((column, after)),
                }
            }
            if is_last {
                break;
            }
        }
    }
    Ok(pass)
}

/// Another rotation may have made a key that this process has not read yet.
async fn seal_again(
    database: &DatabaseConnection,
    keyring: &Keyring,
    sealed: &[u8],
    row: &str,
) -> Result<Vec<u8>, OpenError> {
    let again = keyring.seal_again(sealed, row);
    if matches!(again, Err(OpenError::UnknownKey(_))) && refresh(database, keyring).await.is_ok() {
        return keyring.seal_again(sealed, row);
    }
    again
}

/// Deletes the data keys before the current one that nothing is sealed under; answers one that is still used.
async fn retire(
    database: &DatabaseConnection,
    keyring: &Keyring,
    mut tell: impl FnMut(Step),
) -> Result<Option<data_key::Model>, KeysError> {
    let mut left = None;
    for row in former(database, keyring).await? {
        let transaction = transaction::begin(database).await?;
        // Deleted before the look: whoever stores a value under it meanwhile is waited for, or refused.
        let deleted = data_key::Entity::delete_many()
            .filter(data_key::Column::Id.eq(row.id.clone()))
            .exec(&transaction)
            .await?;
        if uses(&transaction).await?.contains_key(&row.id) {
            transaction.rollback().await?;
            left = Some(row);
            continue;
        }
        transaction.commit().await?;
        if let Some(id) = row.key_id().filter(|_| deleted.rows_affected > 0) {
            tell(Step::Retired(id));
        }
    }
    Ok(left)
}

/// The data keys that sealed before the current one.
async fn former(database: &DatabaseConnection, keyring: &Keyring) -> Result<Vec<data_key::Model>, DbErr> {
    let current = keyring.current_id();
    let mut rows = secrets(read(database).await?);
    let place = rows.iter().position(|row| row.key_id() == Some(current));
    rows.truncate(place.unwrap_or_default());
    Ok(rows)
}

fn secrets(mut rows: Vec<data_key::Model>) -> Vec<data_key::Model> {
    rows.retain(|row| row.purpose == Purpose::Secrets);
    rows
}
