//! The chain: one line however many write it, and every way to tamper with it.

use anyhow::Result;
use chrono::TimeDelta;
use entity::audit_event::{Action, Actor, ActorKind, Author, Column, Entity, Fault, ObjectKind, Record};
use entity::{Owned, audit_head};
use futures::future::try_join_all;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryFilter};
use uuid::Uuid;

use super::{Book, organization};

/// Something else than what the third event says.
fn otherwise(book: &Book, column: Column, other_organization: Uuid) -> Expr {
    match column {
        Column::Id | Column::ActorId | Column::ObjectId => Expr::val(Uuid::now_v7()),
        Column::OrganizationId => Expr::val(other_organization),
        Column::Sequence => Expr::val(1_003_i64),
        Column::OccurredAt => Expr::val(book.clock.now() + TimeDelta::microseconds(1)),
        Column::ActorKind => Column::ActorKind.save_as(Expr::val(ActorKind::Operator)),
        Column::Action => Column::Action.save_as(Expr::val(Action::ScanStarted)),
        Column::ObjectKind => Column::ObjectKind.save_as(Expr::val(ObjectKind::Tenant)),
        Column::Before => Expr::val("{\"index\":2,\"roles\": []}"),
        Column::After | Column::Address | Column::MicrosoftCorrelationId => Expr::val(None::<String>),
        Column::RequestId => Expr::val(""),
        Column::PreviousHash | Column::Hash => Expr::val(vec![7_u8; 32]),
    }
}

#[tokio::test]
async fn a_change_of_any_column_is_found_at_its_event() -> Result<()> {
    let book = Book::start().await?;
    book.drop_triggers().await?;
    let elsewhere = organization(&book.database, &book.clock).await?;
    for column in Column::iter() {
        let victim = organization(&book.database, &book.clock).await?;
        book.write_in(victim, 5).await?;
        assert_eq!(book.fault_of(victim).await?, None);

        let changed = Entity::update_many()
            .col_expr(column, otherwise(&book, column, elsewhere))
            .filter(Column::OrganizationId.eq(victim))
            .filter(Column::Sequence.eq(3))
            .exec(&book.database)
            .await?;

        assert_eq!(changed.rows_affected, 1);
        let is_moved = matches!(column, Column::Sequence | Column::OrganizationId);
        let expected = if is_moved { Fault::Missing(3) } else { Fault::Altered(3) };
        assert_eq!(book.fault_of(victim).await?, Some(expected), "{column:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_word_that_is_none_is_found_at_its_event_too() -> Result<()> {
    let book = Book::start().await?;
    book.write(3).await?;
    book.drop_triggers().await?;

    book.database.execute_unprepared("update audit_event set action = 'NONSENSE' where sequence = 2").await?;

    assert_eq!(book.fault().await?, Some(Fault::Altered(2)));
    Ok(())
}

#[tokio::test]
async fn a_change_of_the_head_is_found_and_not_forgotten_when_the_chain_goes_on() -> Result<()> {
    use audit_head::Column as Head;
    for column in Head::iter().filter(|column| !matches!(column, Head::OrganizationId)) {
        let book = Book::start().await?;
        book.write(5).await?;
        book.drop_triggers().await?;
        let value = match column {
            Head::Sequence => Expr::val(4_i64),
            Head::PrunedSequence => Expr::val(1_i64),
            _ => Expr::val(vec![7_u8; 32]),
        };

        if matches!(column, Head::Sequence) {
            Entity::delete_many().filter(Column::Sequence.eq(5)).exec(&book.database).await?;
        }
        audit_head::Entity::update_many().col_expr(column, value).exec(&book.database).await?;

        assert_eq!(book.fault().await?, Some(Fault::HeadAltered), "{column:?}");
        book.write(1).await?;
        assert_eq!(book.fault().await?, Some(Fault::HeadAltered), "{column:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_found_wherever_it_was() -> Result<()> {
    for (which, expected) in [
        (Column::Sequence.eq(1), Fault::Missing(1)),
        (Column::Sequence.eq(3), Fault::Missing(3)),
        (Column::Sequence.gte(4), Fault::Cut(4)),
        (Column::Sequence.gte(1), Fault::Cut(1)),
    ] {
        let book = Book::start().await?;
        book.write(5).await?;
        book.drop_triggers().await?;

        Entity::delete_many().filter(which).exec(&book.database).await?;

        assert_eq!(book.fault().await?, Some(expected));
    }
    Ok(())
}

#[tokio::test]
async fn events_that_changed_places_and_a_head_that_is_gone_are_found() -> Result<()> {
    let book = Book::start().await?;
    book.write(5).await?;
    book.drop_triggers().await?;

    for (from, to) in [(2, 100), (3, 2), (100, 3)] {
        let swap = format!("update audit_event set sequence = {to} where sequence = {from}");
        book.database.execute_unprepared(&swap).await?;
    }
    assert_eq!(book.fault().await?, Some(Fault::Altered(2)));

    book.database.execute_unprepared("delete from audit_head").await?;
    assert_eq!(book.fault().await?, Some(Fault::HeadMissing));
    Ok(())
}

#[tokio::test]
async fn many_who_write_at_once_write_one_chain() -> Result<()> {
    let book = Book::start().await?;

    try_join_all((0..50).map(|_| book.write(1))).await?;

    assert_eq!(book.fault().await?, None);
    let sequences: Vec<_> = book.events().await?.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=50).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_change_that_is_not_made_leaves_no_event() -> Result<()> {
    let book = Book::start().await?;
    book.write(1).await?;
    let transaction = worker::transaction::begin(&book.database).await?;
    let author = Author::unasked(book.organization_id, Actor::System);
    let record = Record::of(Action::KeysRotated, ObjectKind::Organization, book.organization_id);
    worker::audit::append(&transaction, &book.keyring, book.clock.now(), &author, record).await?;

    transaction.rollback().await?;
    book.write(1).await?;

    assert_eq!(book.events().await?.len(), 2);
    assert_eq!(book.fault().await?, None);
    Ok(())
}

#[tokio::test]
async fn the_database_itself_refuses_every_change() -> Result<()> {
    let book = Book::start().await?;
    book.write(3).await?;
    let mut statements = vec![
        "update audit_event set address = '' where sequence = 1",
        "update audit_event set hash = hash",
        "delete from audit_event where sequence = 1",
        "delete from audit_event",
        "delete from audit_head",
        "update audit_head set sequence = 2",
        "update audit_head set pruned_sequence = 4",
        "delete from organization",
    ];
    if book.database.get_database_backend() == DbBackend::Postgres {
        statements.extend(["truncate audit_event", "truncate audit_head", "truncate organization cascade"]);
    }

    for statement in statements {
        assert!(book.database.execute_unprepared(statement).await.is_err(), "{statement}");
    }

    assert_eq!(book.fault().await?, None);
    assert_eq!(Entity::owned_by(book.organization_id).all(&book.database).await?.len(), 3);
    Ok(())
}
