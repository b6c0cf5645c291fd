//! A rotation loses nothing: cut off anywhere, with rows that change under it, twice at once.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::data_key::Purpose;
use entity::sealed::{KeyId, SealedColumn};
use entity::{Clock, Keyring, consent};
use sea_orm::DbBackend;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set, Statement};
use support::stack::Stack;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;
use worker::keys::{self, KeysError, Step};

use super::stage::{Counted, Stage};

/// The data keys that seal, oldest first.
async fn data_keys(stage: &Stage) -> Result<Vec<KeyId>> {
    let mut list = keys::list(&stage.database).await?;
    list.retain(|key| key.row.purpose == Purpose::Secrets);
    list.iter().map(|key| key.row.key_id().context("a malformed id")).collect()
}

/// Every column whose name says that it is sealed.
async fn sealed_columns(stage: &Stage) -> Result<Vec<(String, String)>> {
    let backend = stage.database.get_database_backend();
    let columns = if backend == DbBackend::Postgres {
        "select table_name as t, column_name as c from information_schema.columns where column_name like 'sealed%'"
    } else {
        "select m.name as t, p.name as c from sqlite_master m, pragma_table_info(m.name) p where p.name like 'sealed%'"
    };
    let rows = stage.database.query_all_raw(Statement::from_string(backend, columns)).await?;
    let columns = rows.iter().map(|row| Ok((row.try_get("", "t")?, row.try_get("", "c")?)));
    columns.collect()
}

#[tokio::test]
async fn every_sealed_column_is_rotated_and_guarded() -> Result<()> {
    let stage = Stage::start().await?;
    let triggers = match Stack::chosen() {
        Stack::Embedded => "select name from sqlite_master where type = 'trigger'",
        Stack::Distributed => "select tgname::text as name from pg_trigger",
    };
    let triggers = Statement::from_string(stage.database.get_database_backend(), triggers);
    let triggers = stage.database.query_all_raw(triggers).await?;
    let triggers: Vec<String> =
        triggers.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?;

    let columns = sealed_columns(&stage).await?;

    assert!(columns.len() > 3, "{columns:?}");
    for (table, column) in columns.iter().filter(|(table, _)| table != "data_key") {
        let known = SealedColumn::ALL.iter().any(|known| known.table == table && known.column == column);
        assert!(known, "SealedColumn::ALL lacks {table}.{column}");
        let guard = format!("{table}_{column}_data_key");
        assert!(
            triggers.iter().any(|trigger| trigger.starts_with(&guard)),
            "no trigger guards {table}.{column}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_value_whose_data_key_is_gone_is_not_stored() -> Result<()> {
    let stage = Stage::start().await?;
    let id = stage.consent(&stage.database, &stage.keyring, "token").await?;
    stage.rotate(&stage.database).await?;

    // This process has not heard of it.
    let inserted = stage.consent(&stage.database, &stage.keyring, "late").await;
    let sealed = stage.keyring.seal(b"late", &consent::row(id));
    let late = consent::ActiveModel { sealed_token: Set(Some(sealed)), ..Default::default() };
    let updated = consent::Entity::update_many().set(late).exec(&stage.database).await;

    for refused in [inserted.map(drop), updated.map(drop).map_err(Into::into)] {
        let refused = format!("{:#}", refused.expect_err("it was stored"));
        assert!(refused.contains("is not there") && !refused.contains("late"), "{refused}");
    }
    assert_eq!(stage.token(id).await?.as_deref(), Some("token"));
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_is_cut_off_at_any_statement_is_finished_by_the_next() -> Result<()> {
    let stage = Stage::start().await?;
    let counted = Counted::connect(&stage.home).await?;
    let mut tokens = Vec::new();
    for number in 0..3 {
        let token = format!("token {number}");
        tokens.push((stage.consent(&stage.database, &stage.keyring, &token).await?, token));
    }
    let mut found = 0;

    for number in 1.. {
        let former = data_keys(&stage).await?;
        let is_whole = tokio::select! {
            biased;
            () = counted.statement(number) => false,
            done = stage.rotate(&counted.database) => done.is_ok(),
        };
        let steps = stage.rotate(&stage.database).await?;

        found += usize::from(steps.iter().any(|step| matches!(step, Step::Found(..))));
        let now = data_keys(&stage).await?;
        assert!(now.len() == 1 && now != former, "cut off at {number}: {now:?}");
        for (id, token) in &tokens {
            assert_eq!(stage.token(*id).await?.as_ref(), Some(token), "cut off at {number}");
        }
        if is_whole {
            break;
        }
        assert!(number < 200, "a rotation of six values needs fewer statements");
    }
    assert!(found > 5, "most cuts are found: {found}");
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_replaced_or_erased_meanwhile_stays_so() -> Result<()> {
    let stage = Stage::start().await?;
    let counted = Counted::connect(&stage.home).await?;

    for number in 1..40 {
        let serving = stage.another_process().await?;
        let erased = stage.consent(&stage.database, &serving, "erased").await?;
        let replaced = stage.consent(&stage.database, &serving, "old").await?;
        let (ending, ended) = oneshot::channel::<()>();
        let change = async {
            tokio::select! {
                () = counted.statement(number) => {}
                _ = ended => {}
            }
            set(&stage, erased, None).await?;
            replace(&stage, &serving, replaced, b"new").await
        };
        let rotate = async {
            let rotated = stage.rotate(&counted.database).await;
            drop(ending);
            anyhow::Ok(rotated?)
        };

        tokio::try_join!(change, rotate)?;

        assert_eq!(stage.token(erased).await?, None, "changed at {number}");
        assert_eq!(stage.token(replaced).await?.as_deref(), Some("new"), "changed at {number}");
        assert_eq!(data_keys(&stage).await?.len(), 1, "changed at {number}");
    }
    Ok(())
}

/// As a job does whose attempt failed: with the keys of now, again.
async fn replace(stage: &Stage, serving: &Keyring, id: Uuid, token: &[u8]) -> Result<()> {
    loop {
        keys::refresh(&stage.database, serving).await?;
        match set(stage, id, Some(serving.seal(token, &consent::row(id)))).await {
            Err(refused) if format!("{refused:#}").contains("is not there") => {}
            stored => return stored,
        }
    }
}

async fn set(stage: &Stage, id: Uuid, sealed: Option<Vec<u8>>) -> Result<()> {
    let changed = consent::ActiveModel { sealed_token: Set(sealed), ..Default::default() };
    let changed = consent::Entity::update_many().set(changed).filter(consent::Column::Id.eq(id));
    changed.exec(&stage.database).await?;
    Ok(())
}

#[tokio::test]
async fn a_value_that_was_read_before_it_changed_is_not_written_back() -> Result<()> {
    let stage = Stage::start().await?;
    let id = stage.consent(&stage.database, &stage.keyring, "token").await?;
    let read = stage.read(id).await?.sealed_token.context("no token")?;
    let again = stage.keyring.seal_again(&read, &consent::row(id))?;
    let column = SealedColumn { table: "consent", column: "sealed_token" };

    set(&stage, id, None).await?;

    let written = stage.database.execute(&column.replace(id, &read, again)).await?;
    assert_eq!(written.rows_affected(), 0);
    assert_eq!(stage.token(id).await?, None);
    Ok(())
}

#[tokio::test]
async fn whatever_is_stored_while_keys_are_retired_opens_afterwards() -> Result<()> {
    let stage = std::sync::Arc::new(Stage::start().await?);
    let mut storing = JoinSet::new();
    for number in 0..60 {
        let stage = std::sync::Arc::clone(&stage);
        storing.spawn(async move {
            let transaction = worker::transaction::begin(&stage.database).await?;
            // Not heard of the rotation: what it stores is either in time, or refused.
            let stored = stage.consent(&transaction, &stage.keyring, &number.to_string()).await?;
            transaction.commit().await?;
            anyhow::Ok((stored, number.to_string()))
        });
    }

    let other = stage.home.connect().await?;
    // With ten passes and no patience, it may see values come for longer than it goes on.
    let first = stage.rotate(&other).await;
    assert!(matches!(first, Ok(_) | Err(KeysError::StillSealing(_))), "{first:?}");

    let stored: Vec<_> = storing.join_all().await.into_iter().flatten().collect();
    stage.rotate(&stage.database).await?;
    for (id, token) in stored {
        assert_eq!(stage.token(id).await?, Some(token));
    }
    assert_eq!(data_keys(&stage).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn several_rotations_at_once_make_one_key() -> Result<()> {
    let stage = Stage::start().await?;
    let id = stage.consent(&stage.database, &stage.keyring, "token").await?;
    let (ours, theirs) = tokio::try_join!(stage.home.connect(), stage.home.connect())?;

    let (ours, theirs) = tokio::join!(stage.rotate(&ours), stage.rotate(&theirs));

    let made = |steps: &[Step]| steps.iter().filter(|step| matches!(step, Step::Made(..))).count();
    let (ours, theirs) = (ours?, theirs?);
    // One that begins after the other has ended makes a key of its own.
    assert!((1..=2).contains(&(made(&ours) + made(&theirs))), "{ours:?} {theirs:?}");
    assert_eq!(data_keys(&stage).await?.len(), 1);
    assert_eq!(stage.token(id).await?.as_deref(), Some("token"));
    Ok(())
}

#[tokio::test]
async fn a_value_that_does_not_open_is_told_kept_and_holds_up_nothing_else() -> Result<()> {
    let stage = Stage::start().await?;
    let whole = stage.consent(&stage.database, &stage.keyring, "token").await?;
    let altered = stage.consent(&stage.database, &stage.keyring, "altered").await?;
    let mut sealed = stage.read(altered).await?.sealed_token.context("no token")?;
    *sealed.last_mut().context("no bytes")? ^= 1;
    set(&stage, altered, Some(sealed.clone())).await?;
    let former = data_keys(&stage).await?;

    let refused = stage.rotate(&stage.database).await;

    assert!(matches!(refused, Err(KeysError::Unreadable(1))), "{refused:?}");
    assert_eq!(stage.read(altered).await?.sealed_token, Some(sealed));
    assert_eq!(stage.token(whole).await?.as_deref(), Some("token"));
    let now = data_keys(&stage).await?;
    assert_eq!((now.len(), now[0]), (2, former[0]));
    set(&stage, altered, None).await?;
    stage.rotate(&stage.database).await?;
    assert_eq!(data_keys(&stage).await?, now[1..]);
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_did_not_end_long_ago_is_begun_anew() -> Result<()> {
    let stage = Stage::start().await?;
    let altered = stage.consent(&stage.database, &stage.keyring, "altered").await?;
    set(&stage, altered, Some(vec![2; 40])).await.expect_err("no data key has this id");
    let mut sealed = stage.read(altered).await?.sealed_token.context("no token")?;
    sealed.truncate(20);
    set(&stage, altered, Some(sealed)).await?;
    stage.rotate(&stage.database).await.expect_err("a value does not open");
    let before = data_keys(&stage).await?;

    let later = Clock::from_fn(|| Clock::system().now() + TimeDelta::hours(2));
    let refused = stage.rotate_by(later, &stage.database).await;

    assert!(matches!(refused, Err(KeysError::Unreadable(1))), "{refused:?}");
    let now = data_keys(&stage).await?;
    assert_eq!((now.len(), now[0]), (2, before[0]));
    assert_ne!(now[1], before[1]);
    Ok(())
}
